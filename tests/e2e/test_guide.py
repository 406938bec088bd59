"""The guide for new users is what the program prints today: its story is run again, on terminals, and compared."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="pseudo terminals")


@pytest.fixture(scope="module")
def guide():
    sys.path.insert(0, str(DOCS))  # where the stories are
    spec = importlib.util.spec_from_file_location("make_guide", DOCS / "make_guide.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module", params=["guide.md", "guide-mcp.md"])
def told(guide, request, tmp_path_factory):
    return request.param, guide.told(request.param, tmp_path_factory.mktemp("g").resolve())


def test_a_page_shows_what_its_story_prints(told):
    from stories.pages import blocks, masked

    page, shown = told
    there = blocks((DOCS / page).read_text("utf-8"))
    assert there
    assert set(there) <= set(shown)
    for name, text in there.items():
        assert masked(text) == masked(shown[name]), f"{page}, {name}: run `python docs/make_guide.py`, and read it"


def test_no_secret_of_a_home_is_shown_but_in_its_own_file(told):
    from stories.terminal import HOMES

    _, shown = told
    tokens = [part for parts in HOMES.values() for part in str(parts).split('"') if "FAKE" in part]
    assert len(tokens) == 2
    found = {name: [token for token in tokens if token in text] for name, text in shown.items()}
    assert {name: kept for name, kept in found.items() if kept} == {"the file": [tokens[1]]}
