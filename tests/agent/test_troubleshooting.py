"""docs/troubleshooting.md speaks of messages that the product says, and of commands that there are."""

import ast
import importlib.util
import re
from pathlib import Path

import click
import pytest

from roosync_agent.cli.app import COMMANDS, roosync

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "troubleshooting.md", ROOT / "docs" / "doctor.md"]
TEXT = PAGES[0].read_text("utf-8")
HEADINGS = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
FEWEST = 12  # letters of a message's own in a heading: less would be found anywhere


def _catalogue():
    path = ROOT / "docs" / "make_catalogue.py"
    spec = importlib.util.spec_from_file_location("make_catalogue", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sentences():
    """All that the product says, each value as `...`."""
    made = _catalogue()
    found = [
        part for said in {**made.below(), **made.faces()} for part in (said if isinstance(said, tuple) else (said,))
    ]
    return [re.sub(r"(\{\w+\})(:?\{\w+\})*", "...", text) for text in found]


def messages(heading):
    """The quoted messages of a heading: between a backtick at its beginning, or after " or ", and one at the end."""
    quoted = [part.strip() for part in re.split(r"(?<=`),? or (?=`)", heading)]
    return [part.strip("`").strip() for part in quoted if part.startswith("`") and part.endswith("`")]


def test_there_is_a_heading_for_each_message():
    assert len(HEADINGS) > 35
    assert all(messages(heading) for heading in HEADINGS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_product_says_it(sentences, heading):
    for message in messages(heading):
        if message.startswith("roosync "):
            continue
        assert len(re.sub(r"[^A-Za-z]", "", message)) >= FEWEST
        assert any(message in said for said in sentences), f"nothing says: {message}"


def _commands(text):
    for span in re.findall(r"`(?:[A-Z_]+=\S+ )*roosync ([^`]+)`", text) + re.findall(r"^    roosync (.+)$", text, re.M):
        words = span.split("#")[0].split()
        yield [word for word in words if word != "..."]


def _require_command(words):
    context = click.Context(roosync)
    command, left = roosync.get_command(context, words[0]), words[1:]
    assert command is not None, f"there is no command {words[0]}"
    while isinstance(command, click.Group) and left and re.fullmatch("[a-z][a-z-]*", left[0]):
        command, left = command.get_command(context, left[0]), left[1:]
        assert command is not None, f"roosync {' '.join(words)}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word for word in left if word.startswith("--")}
    assert given <= known, f"roosync {' '.join(words)}: {given - known}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_are_there(page):
    found = list(_commands(page.read_text("utf-8")))
    for words in found:
        _require_command(words)
    assert len(found) > 3


def test_the_doctors_commands_are_there():
    """Those that a finding names, and those in its words."""
    made, found = _catalogue(), []
    for path in (ROOT / "agent" / "roosync_agent" / "operations" / "doctoring").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        aside = set(made._not_said(tree))
        texts = [made.pattern(node) or "" for node in ast.walk(tree) if id(node) not in aside]
        lines = [text for text in texts if text.startswith("roosync ") and " runs " not in text]
        found += [line.split()[1:] for line in lines]
        found += [words for text in texts for words in _commands(text)]
    for words in found:
        _require_command(words)
    assert len(found) > 40


def test_it_would_find_a_message_that_is_gone(sentences):
    assert not any("no broker walks at ..." in said for said in sentences)
    assert "doctor" in COMMANDS
