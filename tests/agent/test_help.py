"""Help on a terminal: no line is cut off, none is wider than the terminal, and stops stand as the language has them."""

import os
import subprocess
import sys

import click
import pytest

from roosync_agent.cli.app import COMMANDS, roosync
from roosync_agent.cli.spoken import Formatter, Group
from roosync_agent.columns import columns
from roosync_agent.demo.stage import first_lines

WIDTH = 80
LOADED = click.Context(roosync, info_name="roosync")


def groups():
    found = {name: roosync.get_command(LOADED, name) for name in COMMANDS}
    return [name for name, command in found.items() if isinstance(command, click.Group)]


def help_of(name):
    command = roosync.get_command(LOADED, name) if name else roosync
    assert issubclass(click.Context.formatter_class, Formatter)
    context = click.Context(command, info_name=f"roosync {name}".strip(), terminal_width=WIDTH)
    return command.get_help(context)


@pytest.mark.parametrize("name", groups())
def test_the_commands_of_a_group_are_told_whole(name):
    assert isinstance(roosync.get_command(LOADED, name), Group)
    listed = help_of(name).partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_line_of_help_is_wider_than_the_terminal(name):
    wide = [line for line in help_of(name).split("\n") if columns(line) > WIDTH]
    assert not wide


def test_a_heading_has_its_stop_as_in_french(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "fr")
    formatter = Formatter(width=WIDTH)
    with formatter.section("Options"):
        formatter.write_text("x")
    assert formatter.getvalue() == "Options :\n  x\n"


def said(*words, **env):
    given = os.environ | {"COLUMNS": str(WIDTH), "LANGUAGE": "en"} | env
    command = [sys.executable, "-m", "roosync_agent", *words]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=30, check=False).stderr


def test_a_number_is_called_one_in_french():
    assert "'x' n'est pas valable comme nombre entier" in " ".join(
        said("decisions", "--limit", "x", LANGUAGE="fr").split()
    )


def test_an_error_of_click_is_folded_too():
    told = said("decisions", "--risk", "none-of-those-that-there-are-and-quite-a-long-one-to-be-shown")
    assert "is not one of" in told
    assert max(map(columns, told.split("\n"))) <= WIDTH


def test_no_head_of_a_list_stands_without_it():
    assert first_lines("a\n\nhere are:\n  b\n", 3) == ["a"]
    assert first_lines("a\n\nhere are:\n  b\n", 4) == ["a", "", "here are:", "  b"]
