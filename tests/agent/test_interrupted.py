"""A Ctrl-C in the middle of an import is a Ctrl-C, whatever Python makes of it."""

import click
import pytest

from roosync_agent.cli import main, running


def while_a_class_is_made():
    error = RuntimeError("Error calling __set_name__ on 'cached_property' instance")
    error.__cause__ = KeyboardInterrupt()
    raise error


def plainly():
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", [plainly, while_a_class_is_made])
def test_within_a_command(how, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["roosync"])
    assert running.guarded(click.command()(how)) == 130
    assert capsys.readouterr().err == "\nStopped; nothing further was done.\n"


@pytest.mark.parametrize("how", [plainly, while_a_class_is_made])
def test_before_there_is_a_command(how, capsys, monkeypatch):
    monkeypatch.setattr(main, "_run", lambda _: how())
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\nStopped; nothing further was done.\n"


def test_another_error_is_not_taken_for_it(monkeypatch):
    def fault(_):
        raise RuntimeError("of ours")

    monkeypatch.setattr(main, "_run", fault)
    with pytest.raises(RuntimeError, match="of ours"):
        main.main()
