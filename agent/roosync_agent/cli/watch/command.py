"""The command `roosync watch`: which of the ways to show the fleet this terminal has, and the loop of each."""

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.running import CommandError, ask_machine, show
from roosync_agent.cli.status_text import shown_status
from roosync_agent.cli.watch import plain
from roosync_agent.cli.watch.following import AnswerError, Following, Seen, read
from roosync_agent.cli.watch.screen import frame, machine_text
from roosync_agent.cli.watch.terminal import ClosedError, Terminal
from roosync_agent.cli.watch.view import View
from roosync_agent.columns import want_colour
from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.running.where import state_folder
from roosync_agent.wording import tr
from roosync_agent.yes_no import confirm

CARD = 10.0  # seconds in which the agent shows a card
HUNG_UP = 129  # the exit code of whoever's terminal is closed


@click.command()
@click.option("--count", type=click.IntRange(min=1), help="Without a screen: stop after so many changes.")
@click.option("--lines", is_flag=True, help="A line for each change, also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each change, in a line.")
def watch(count: int | None, lines: bool, as_json: bool) -> None:
    """The fleet live: machines, decisions by risk, the cycle; a approves, r rejects, s shows, ? lists the keys.

    Without a terminal, a line for each change; on one that can only write lines (TERM=dumb), the status again.
    """
    state = state_folder(os.environ)
    try:
        seen = read(state, Seen())
    except NobodyThereError:
        _once(as_json)
        return
    except AnswerError as error:
        raise CommandError("request", str(error)) from None
    if as_json or lines or not sys.stdout.isatty():
        _told(state, seen, count, as_json)
    elif os.environ.get("TERM", "dumb") == "dumb" or not sys.stdin.isatty():
        _again_and_again(state, seen, count)
    else:
        _live(state, seen)


def _once(as_json: bool) -> None:
    """No agent, so nobody tells of changes: the status as it is now."""
    answer = ask_machine("status")
    show(answer["overview"], as_json, lambda fleet: shown_status(fleet, colour=want_colour()))
    click.echo(tr("Nothing is live without an agent: `roosync up` starts it, then `roosync watch`."), err=True)
    raise click.exceptions.Exit(max(answer["exit_codes"]))


# -- without a screen


def _told(state: Path, seen: Seen, count: int | None, as_json: bool) -> None:
    for before, now in _changes(state, seen):
        found = [plain.as_json(now)] if as_json else [plain.line(now, text) for text in plain.changed(before, now)]
        for text in found:
            print(text, flush=True)
            if count is not None and (count := count - 1) <= 0:
                return


def _again_and_again(state: Path, seen: Seen, count: int | None) -> None:
    for before, now in _changes(state, seen):
        found = list(plain.changed(before, now))
        if not found:
            continue
        text = shown_status(now.overview, colour=want_colour()) if not now.trouble else found[0]
        print(f"{plain.line(now, '----')}\n{text}\n", flush=True)
        if count is not None and (count := count - 1) <= 0:
            return


def _changes(state: Path, seen: Seen) -> Any:
    """What was seen before, and now; for ever."""
    heard: queue.SimpleQueue[Seen] = queue.SimpleQueue()
    before, now = Seen(), seen
    Following(state, heard.put, seen).start()
    while True:
        yield before, now
        before, now = now, heard.get()


# -- live


def _live(state: Path, seen: Seen) -> None:
    heard: queue.SimpleQueue[Seen] = queue.SimpleQueue()
    view, colour = View(), want_colour()
    try:
        with Terminal() as terminal:

            def tell(found: Seen) -> None:
                heard.put(found)
                terminal.wake()

            Following(state, tell, seen).start()
            while view.asks[0] != "quit":
                terminal.paint(frame(view, seen, *terminal.size, colour=colour))
                for key in terminal.typed():
                    if key == "redraw":
                        terminal.redraw()
                    view.press(key, seen)
                    _do(view, seen, state, terminal)
                    if view.asks[0] in ("quit", "approve", "reject"):
                        break  # what was typed before a question is no answer to anything after it
                while not heard.empty():
                    seen = heard.get()
    except ClosedError:
        raise click.exceptions.Exit(HUNG_UP) from None


def _do(view: View, seen: Seen, state: Path, terminal: Terminal) -> None:
    what, about = view.asks
    match what:
        case "card":
            _show_card(view, state, about)
        case "machine":
            row = next((row for row in seen.overview["machines"] if row["machine"] == about), None)
            if row is not None:
                view.show(lambda: machine_text(row))
        case "approve" | "reject":
            with terminal.lent():
                answered(what, about)
            view.text = None


def _show_card(view: View, state: Path, id_: str) -> None:
    try:
        answer = ask(state, "decision_show", {"id_": id_}, timeout=CARD)
    except OSError as error:
        view.notice = harmless(str(error))
        return
    if "result" not in answer:
        view.notice = harmless(answer.get("error", {}).get("message", ""))
        return
    card = answer["result"]
    view.show(lambda: card_text(card).split("\n"))


def answered(what: str, id_: str) -> None:
    """The person answers one decision with the same commands as without this: whoever signs is their process."""
    if what == "reject":
        if _command("decision", "show", id_) not in (0, 3):
            _wait_for_enter()
            return
        try:
            if not confirm("\n" + tr("Reject this")):
                return
        except click.Abort:
            return
    _command("decision", what, id_)
    _wait_for_enter()


def _command(*words: str) -> int:
    """`roosync WORDS` on this terminal. Nothing of the folder we stand in is imported by it (-P)."""
    called: Sequence[str] = [sys.executable, "-P", "-m", "roosync_agent", *words]
    before = signal.signal(signal.SIGINT, lambda *_: None)  # it is meant for the command, which has its own way
    try:
        return subprocess.run(called, check=False).returncode  # noqa: S603 - our own words
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_for_enter() -> None:
    click.echo("\n" + tr("Enter goes back to the fleet."), nl=False)
    try:
        sys.stdin.readline()
    except (KeyboardInterrupt, OSError):
        return
