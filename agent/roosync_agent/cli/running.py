"""How a command runs: ask the resident agent, or do it here; as the machine, or signed by the operator.

Every error a person can do something about ends as one message on standard error and exit code 1; with
`--json` it is a JSON object, so that programs need not read prose. What every command passes through imports
little, and `--help` is quick: the rest is imported where it is used.
"""

import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.text import print_json
from roosync_agent.columns import hanging, width
from roosync_agent.unlocking import held
from roosync_agent.wording import heard, tr
from roosync_agent.yes_no import DeclinedError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
DECLINED = 1  # the exit code after a no; 130 is Ctrl-C alone
POSSIBLE_WITHIN = 10.0  # seconds for the agent to see whether something can be done
NOT_YET = 2  # the exit code of drift: not in step
_away = [False]  # was the last answer of before?


class CommandError(Exception):
    """An error told by the agent, already in words for a person."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def guarded(command: click.Command) -> int:
    logging.basicConfig(level=logging.ERROR, format="%(message)s")  # `up` and its parts set up their own
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return int(exit_.exit_code)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError) and not sys.stdin.isatty():  # a program that can not answer
            told_ = tr("Nobody answered, and nothing further was done; --yes answers beforehand.")
            click.echo(f"\n{told_}", err=True)
            return 1
        if isinstance(error, DeclinedError):
            click.echo(tr("You said no; nothing further was done."), err=True)
            return DECLINED
        return _stopped(on_a_new_line=error.__cause__ is not None)  # of a question click leaves the line open
    except click.ClickException as error:
        held.tell({"error": {"kind": "usage", "message": error.format_message()}})
        if "--json" in sys.argv:
            print_json({"error": {"kind": "usage", "message": error.format_message()}})
        else:
            if isinstance(error, click.UsageError):
                head = _error("")
                message = _folded(head + error.format_message()).removeprefix(head)
                error = click.UsageError(message, error.ctx)
            error.show()
        return 1  # click would say 2, which means drift here
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _stopped()
    except Exception as error:  # noqa: BLE001 (the last line of defence: one clear message instead of a traceback)
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python 3.11, while a class is made of what is imported
            return _stopped()
        return told(error)
    return code if isinstance(code, int) else 0


def _stopped(*, on_a_new_line: bool = False) -> int:
    click.echo("\n" * (not on_a_new_line) + tr("Stopped; nothing further was done."), err=True)
    return 130


def told(error: Exception) -> int:
    """Prints an error as one message; returns the exit code."""
    from roosync_protocol.secrets import scrub

    kind, words = (error.kind, str(error)) if isinstance(error, CommandError) else _judged(error)
    if kind is None and os.environ.get("ROOSYNC_DEBUG"):
        raise error
    fault = f"{type(error).__name__}: {error}"
    message = words if kind else tr("a fault of roosync itself: {error}", error=fault)
    held.tell({"error": {"kind": kind or "internal", "message": scrub(message)}})
    if "--json" not in sys.argv:
        message = heard(message)
    if kind == "missing":  # an answer, not an error: what has to come first
        if "--json" in sys.argv:
            print_json({"status": "unknown", "missing": scrub(message)})
        else:
            click.echo(_folded(harmless(scrub(message[:1].upper() + message[1:])) + "."))
        return NOT_YET
    if "--json" in sys.argv:
        print_json({"error": {"kind": kind or "internal", "message": scrub(message)}})
    else:
        # One line: whoever keeps the last line that a part said, keeps what was wrong.
        asks = "" if kind else ". " + tr("Please report it; ROOSYNC_DEBUG=1 shows where it happened.")
        click.echo(_folded(_error(harmless(scrub(message), lines=True) + asks)), err=True)
    return 1


def _error(message: str) -> str:
    return tr("Error: {message}", message=message)  # the same words as click's own


def _folded(text: str) -> str:
    """Every line of a message as wide as the terminal at most."""
    return "\n".join(part for line in text.split("\n") for part in hanging(line, width(), 2))


def _judged(error: Exception) -> tuple[str | None, str]:
    from roosync_agent.operations.faults import fault_of, words_of  # knows the errors of every part: it imports them

    return fault_of(error), words_of(error)


def ask_machine(verb: str, **args: Any) -> Any:
    """The answer of this machine: from its resident agent, or worked out here when none runs.

    Where the key is unlocked, what a person is shown is always worked out here: nobody else chooses what they see.
    """
    from roosync_agent.cli.progress import asking
    from roosync_agent.running.reaching import answer_of, seen_by_itself
    from roosync_agent.settings import load

    with asking(verb):
        if held.key is not None and _is_shown(verb):
            answer = seen_by_itself(load(), verb, args)
        else:
            answer = answer_of(load(), verb, args, alone=lambda: _tell_alone(verb))
    if "error" in answer:
        raise CommandError(answer["error"].get("kind", "internal"), answer["error"].get("message", "unknown"))
    _tell_away(bool(answer.get("away")))
    return answer["result"]


def _is_shown(verb: str) -> bool:
    """Is it looked at before something is signed, and not waited for after it?"""
    from roosync_agent.operations.served import READ_ONLY

    return verb in READ_ONLY and not verb.endswith("_settled") and verb != "wait_change"


def _tell_alone(verb: str) -> None:
    if verb == "status" and "--json" not in sys.argv:
        alone = tr("! No agent runs here, so nothing is watched or applied: `roosync up` starts it.")
        click.echo(f"{alone}\n", err=True)


def ask_agent(verb: str, **args: Any) -> Any | None:
    """The resident agent's answer; None when none runs, or the one that runs can not answer this (yet).

    For who follows something that may restart the agent: working it out here would take the agent's place.
    """
    from roosync_agent.running.control import ask
    from roosync_agent.running.reaching import ANSWER_WITHIN
    from roosync_agent.settings import load

    try:
        answer = ask(load().state, verb, args, timeout=ANSWER_WITHIN)
    except OSError:
        return None
    if "result" in answer:
        _tell_away(bool(answer.get("away")))
    return answer.get("result")


def _tell_away(away: bool) -> None:
    """Once for as long as it lasts: a command that follows asks again and again."""
    if away and not _away[0]:
        click.echo(tr("! The broker does not answer: what is told was heard before it went away.") + "\n", err=True)
    _away[0] = away


@asynccontextmanager
async def machine_link() -> AsyncIterator[Any]:
    """A second connection of this machine, to listen on beside its agent."""
    from roosync_agent.connect import as_machine
    from roosync_agent.settings import load
    from roosync_agent.state import State

    settings = load()
    session = await as_machine(settings, State(settings.state))
    try:
        yield session
    finally:
        await session.close()


def signed(work: Callable[[Any], Awaitable[T]], deed: str = "", given: dict[str, Any] | None = None) -> T:
    """Runs `work` with a session of the operator, whose view is read; renews in passing what would expire.

    `deed` and what it was `given`, as its preview has them: where a key is unlocked, only what was shown is signed.
    """
    import asyncio

    from roosync_agent.connect import as_operator, ask_on_terminal, asks_passphrase
    from roosync_agent.operations.membership.lawmaking import renew
    from roosync_agent.settings import load
    from roosync_agent.state import State

    settings = load()
    if deed and held.key is None and asks_passphrase(settings, State(settings.state)):
        require_possible(deed, given or {})

    async def run() -> T:
        session = await as_operator(settings, State(settings.state), ask_on_terminal, held=held.key)
        try:
            await session.refresh()
            if held.shown is not None:
                from roosync_agent.operations.previewing import require_shown

                require_shown(session, deed, given or {}, held.shown)
            result = await work(session)
            await renew(session)
            return result
        finally:
            await session.close()

    return asyncio.run(run())


def require_possible(deed: str, given: dict[str, Any]) -> None:
    """CommandError when the resident agent sees that it can not be done: before a person is asked for anything.

    What it can not say (none runs, it is slow, it is of another version) is found out when it is signed.
    """
    from roosync_agent.running.control import ask
    from roosync_agent.settings import load

    try:
        answer = ask(load().state, "preview", {"deed": deed, "given": given}, timeout=POSSIBLE_WITHIN)
    except OSError:
        return
    error = answer.get("error") or {}
    if error.get("kind") == "request" and not str(error.get("message")).startswith("this agent "):
        raise CommandError("request", str(error["message"]))


def configure_logging(*, quiet: bool = False) -> None:
    """Lines for a person on a terminal, JSON otherwise; secrets are scrubbed from both."""
    from roosync_agent.running.logs import set_up

    set_up(quiet=quiet)


def show(value: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    held.tell({"value": value})
    if as_json:
        print_json(value)
    else:
        click.echo(text(value))


json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


def with_options(command: F, options: Sequence[Callable[[F], F]]) -> F:
    """With each of them, shown in this order."""
    for option in reversed(options):
        command = option(command)
    return command
