"""A question with yes or no, asked and answered in the person's language: click knows the English letters only.

`y` and `yes` are understood in every language; what is asked looks in English as click's own question does.
"""

import contextvars
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from click import termui

from roosync_agent.wording import language_of_person, tr, with_a_person

LOOK = 0.05  # seconds between two looks whether a question is still asked


class DeclinedError(click.Abort):
    """The person said no: the command ends, and nothing was stopped in the middle."""


def confirm(question: str, *, default: bool = False, abort: bool = False, err: bool = False) -> bool:
    """The answer; an empty one is `default`. `abort`: no raises DeclinedError, the end of the input always click.Abort.

    `err`: asked on standard error, where standard output is for a program; in a pipe nobody would see it either.
    Inside async work, `asked` is the way.
    """
    err = err or _in_a_pipe()
    yes, no = tr("y"), tr("n")
    choice = f"{yes.upper()}/{no}" if default else f"{yes}/{no.upper()}"
    while True:
        said = str(click.prompt(f"{question} [{choice}]", default="", show_default=False, err=err)).strip()
        agreed = understood(said) if said else default
        if agreed is not None:
            break
        click.echo(tr("Answer {yes} or {no}.", yes=yes, no=no), err=err)
    if abort and not agreed:
        raise DeclinedError
    return agreed


async def asked(question: str, *, abort: bool = False, err: bool = False) -> bool:
    """`confirm`, while the event loop goes on, so that a connection lives; one Ctrl-C ends it at once.

    The thread that reads is not one of asyncio's: those are waited for at the end, which is until Enter is pressed.
    """
    import asyncio

    if not sys.stdin.isatty() and sys.stdin is sys.__stdin__:  # a file or a pipe, which answers or ends
        return confirm(question, abort=abort, err=err)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def tell(agreed: bool, error: BaseException | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error is not None else answer.set_result(agreed)

    def read() -> None:
        agreed, failed = False, None
        try:
            with _giving_up(gone):
                agreed = confirm(question, abort=abort, err=err)
        except BaseException as error:  # noqa: BLE001 - it is raised where the question was asked
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
            loop.call_soon_threadsafe(tell, agreed, failed)

    gone, context = threading.Event(), contextvars.copy_context()
    reader = threading.Thread(target=context.run, args=(read,), daemon=True, name="asking")
    reader.start()
    try:
        return await answer
    finally:
        gone.set()
        reader.join(5 * LOOK)


@contextmanager
def _giving_up(gone: threading.Event) -> Iterator[None]:
    """Lets a question on a terminal end when `gone` is set: Python can not end while a thread reads standard input.

    Where something else than `input` reads (`roosync unlock`), that knows itself when to end; Windows can not do it.
    """
    if termui.visible_prompt_func is not input or os.name == "nt" or not sys.stdin.isatty():
        yield
        return

    def line(prompt: str = "") -> str:
        sys.stdout.write(prompt)
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], LOOK)[0]:  # a terminal gives whole lines
            if gone.is_set():
                raise KeyboardInterrupt
        return input()

    termui.visible_prompt_func = line
    try:
        yield
    finally:
        termui.visible_prompt_func = input


@contextmanager
def shown_to_person(*, as_json: bool = False) -> Iterator[bool]:
    """What is shown with a question, and the question; gives whether it belongs on standard error.

    With `--json` the answer alone is the program's: who is asked is a person, and reads their own language.
    """
    with with_a_person(language_of_person()):
        yield as_json or _in_a_pipe()


def _in_a_pipe() -> bool:
    """Does a person sit there who would not see what is written to standard output (`| tail`, `> file`)?"""
    return sys.stdin.isatty() and not sys.stdout.isatty()


def understood(word: str) -> bool | None:
    """Yes or no, in the person's language or in English; None for anything else, nothing at all among it."""
    word = word.strip().lower()
    if word in ("y", "yes", tr("y"), tr("yes")):
        return True
    return False if word in ("n", "no", tr("n"), tr("no")) else None
