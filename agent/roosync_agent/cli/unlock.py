"""`roosync unlock`, and how a command that signs is put to it from another terminal."""

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.text import print_json
from roosync_agent.columns import hanging, width
from roosync_agent.unlocking import held
from roosync_agent.wording import heard, tr

if TYPE_CHECKING:
    from roosync_agent.unlocking.rules import CommandLine

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 12 * 3600.0  # seconds
HERE = "ROOSYNC_NO_UNLOCK"


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text.strip())
    seconds = float(found[1]) * UNITS[found[2] or "m"] if found else 0.0
    if not 0 < seconds <= LONGEST:
        raise click.UsageError(tr("--for takes a time up to 12h: 90s, 15m, 2h; not {text}", text=repr(text)))
    return seconds


@click.command()
@click.option("--for", "seconds", default="15m", show_default=True, metavar="TIME", callback=_seconds,
              help="How long: 90s, 15m, 2h.")  # fmt: skip
def unlock(seconds: float) -> None:
    """Hold the operator's key in this terminal: what other terminals and assistants want signed is asked here.

    The passphrase is asked for once. Nothing is signed that was not shown here, and answered here. Ctrl-C locks.
    """
    from roosync_agent.connect import ask_on_terminal, identity_of
    from roosync_agent.connect import unlock as opened
    from roosync_agent.settings import load
    from roosync_agent.state import State, StateError
    from roosync_agent.unlocking.keeping import Keeper
    from roosync_broker import keys
    from roosync_broker.children import OneAtATime

    settings = load()
    state = State(settings.state)
    identity = identity_of(state)
    _require_operator(state, identity.operator)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(tr("what is to be signed is shown and asked at a terminal, and there is none here"))
    lock = OneAtATime(state.run / "unlock.lock")
    if not lock.acquire():
        told = tr(
            "the key of {folder} is unlocked already, in another terminal: Ctrl-C there locks it", folder=state.folder
        )
        raise StateError(told)
    try:
        pair = opened(settings, state, ask_on_terminal)
        keeper = Keeper(settings.state, pair, seconds, command_line())
        del pair
        if keys.sealed_public(keys.load(state.operator_key)) is None:
            open_ = tr("! The operator's key has no passphrase: whoever reads this account can sign without you.")
            click.echo("\n".join(hanging(open_, width(), 2)))
        whose = tr("The key of {operator} is unlocked.", operator=identity.operator)
        what = tr("What other terminals and assistants want signed is shown and asked here.")
        click.echo("\n".join(hanging(f"{whose} {what}", width(), 2)))
        why = keeper.run()
    finally:
        lock.release()
    click.echo("\n" + (tr("The time is over: the key is locked.") if why == "expired" else tr("The key is locked.")))


def _require_operator(state: Any, operator: str | None) -> None:
    from roosync_agent.connect import NoOperatorError

    if operator is None or not state.operator_key.exists():
        raise NoOperatorError(tr("no operator's key lies on this machine: unlock it where `roosync init` was run"))


def command_line() -> "CommandLine":
    """Ours, for those who read what is asked for and run it."""
    from roosync_agent.cli.app import ALIASES, roosync
    from roosync_agent.cli.running import guarded
    from roosync_agent.unlocking.rules import CommandLine

    return CommandLine(roosync, ALIASES, lambda: guarded(roosync))


# -- from another terminal


def elsewhere(context: click.Context) -> None:
    """Before a command that signs begins: where a key is unlocked it is asked for there, and this ends with its code.

    Returns when the command goes on here: no key is unlocked, none needs to be, or it can not be asked for there.
    """
    from roosync_agent.unlocking.rules import NotAskedForError, of_context

    if context.params.get("dry_run") or context.params.get("preview"):
        return  # nothing is signed
    if held.key is not None or os.environ.get(HERE) or context.meta.get(HERE) or not _locked():
        return
    try:
        asked = of_context(context, command_line().aliases)
    except NotAskedForError as error:
        if not context.params.get("as_json"):
            click.echo(f"! {heard(str(error))}.", err=True)
        return
    if asked is not None and (code := _put(asked)) is not None:
        raise click.exceptions.Exit(code)


def _locked() -> bool:
    """Is a key unlocked elsewhere, that would need its passphrase here?"""
    from roosync_agent.running.where import state_folder
    from roosync_agent.unlocking.asking import unlocked

    if not unlocked(state_folder(os.environ)):
        return False
    from roosync_agent.settings import load
    from roosync_agent.state import State
    from roosync_broker import keys

    settings = load()
    sealed = keys.sealed_public(keys.load(State(settings.state).operator_key)) is not None
    return sealed and settings.passphrase_file is None


def _put(asked: Any) -> int | None:
    """Asks there, prints what came of it; the exit code. None: it was not taken there, so it goes on here."""
    from roosync_agent.running.where import state_folder
    from roosync_agent.unlocking.asking import ask_to_sign

    signing = [False]

    def told(line: dict[str, Any]) -> None:
        if "queued" in line:
            if not asked.as_json:
                click.echo(_where(line["queued"]), err=True)
        else:
            signing[0] = True
            if not asked.as_json and not asked.watch:
                click.echo(line["text"], nl=False, err=line["err"])

    try:
        answer = ask_to_sign(
            state_folder(os.environ), asked.words, asker=tr("a command in another terminal"), wait=None, stays=False,
            told=told,
        )  # fmt: skip
    except KeyboardInterrupt:
        after = tr("It was allowed already, and goes on there. Next: roosync history")
        click.echo("\n" + (after if signing[0] else tr("Withdrawn; nothing was signed.")), err=True)
        return 130
    return None if answer.outcome == "nobody" and not answer.command else _told(asked, answer, heard_it=signing[0])


def _where(queued: dict[str, Any]) -> str:
    place = f"{queued['pid']}, {harmless(queued['terminal'])}" if queued["terminal"] else str(queued["pid"])
    text = tr("Asked where your key is unlocked (process {place}). Ctrl-C withdraws it.", place=place)
    return text + (" " + tr("{count} before it.", count=queued["before"]) if queued["before"] else "")


def _told(asked: Any, answer: Any, *, heard_it: bool) -> int:
    """`heard_it`: what was said there after a yes was printed here as it came; of what comes before, nothing is."""
    if answer.outcome == "done":
        if asked.watch and (id_ := _id_of(answer.values)):
            return _follow(asked, id_)
        for value in answer.values if asked.as_json else ():
            print_json(value)
        if asked.watch and not asked.as_json:
            click.echo(answer.says)
        return int(answer.code)
    says = {
        "declined": tr("Declined where the key is unlocked; nothing was signed."),
        "busy": tr("Too much waits where the key is unlocked: answer that first, or use --here for the passphrase."),
        "nobody": tr("The key was locked before this was answered; nothing was signed. Next: the same again"),
    }.get(answer.outcome, answer.says)
    if asked.as_json:
        print_json({"error": answer.error or {"kind": answer.outcome, "message": answer.says}})
    elif answer.outcome != "failed" or answer.error is None:  # else it was told as it came
        click.echo(says if answer.outcome == "declined" else tr("Error: {what}", what=heard(says)), err=True)
    elif asked.watch or not heard_it:
        click.echo(tr("Error: {what}", what=heard(harmless(says, lines=True))), err=True)
    return 1


def _id_of(values: list[Any]) -> str:
    found = [value["id"] for value in values if isinstance(value, dict) and isinstance(value.get("id"), str)]
    return found[-1] if found else ""


def _follow(asked: Any, id_: str) -> int:
    """What was begun is followed here, where it was asked for; the terminal of the key stays free."""
    sys.argv = ["roosync", *asked.rule.follows.split(" "), id_, *(["--json"] if asked.as_json else [])]
    return command_line().run()
