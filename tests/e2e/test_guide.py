"""The guide for new users is what the program prints today: its story is run again, on terminals, and compared."""

import importlib.util
import os
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="pseudo terminals")


@pytest.fixture(scope="module")
def guide():
    spec = importlib.util.spec_from_file_location("make_guide", DOCS / "make_guide.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told(guide, tmp_path_factory):
    return guide.told(tmp_path_factory.mktemp("g").resolve())


def test_the_guide_shows_what_the_commands_print(guide, told):
    page = guide.blocks((DOCS / "guide.md").read_text("utf-8"))
    assert set(page) <= set(told)
    for name, text in page.items():
        assert guide.masked(text) == guide.masked(told[name]), f"{name}: run `python docs/make_guide.py`, and read it"


def test_the_guide_shows_all_of_the_story(guide, told):
    assert set(guide.blocks((DOCS / "guide.md").read_text("utf-8"))) == set(told)


def test_no_secret_of_a_home_is_shown_but_in_its_own_file(guide, told):
    tokens = [part for parts in guide.HOMES.values() for part in str(parts).split('"') if "FAKE" in part]
    assert len(tokens) == 2
    shown = {name: [token for token in tokens if token in text] for name, text in told.items()}
    assert {name: found for name, found in shown.items() if found} == {"the file": [tokens[1]]}
