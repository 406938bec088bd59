"""A question with yes or no, asked and answered in the person's language: click knows the English letters only.

`y` and `yes` are understood in every language; what is asked looks in English as click's own question does.
"""

import click

from roosync_agent.wording import tr


def confirm(question: str, *, default: bool = False, abort: bool = False, err: bool = False) -> bool:
    """The answer; an empty one is `default`. `abort`: no raises click.Abort, as the end of the input always does.

    `err`: asked on standard error, where standard output is for a program.
    """
    yes, no = tr("y"), tr("n")
    choice = f"{yes.upper()}/{no}" if default else f"{yes}/{no.upper()}"
    while True:
        said = str(click.prompt(f"{question} [{choice}]", default="", show_default=False, err=err)).strip()
        agreed = understood(said) if said else default
        if agreed is not None:
            break
        click.echo(tr("Answer {yes} or {no}.", yes=yes, no=no), err=err)
    if abort and not agreed:
        raise click.Abort
    return agreed


def understood(word: str) -> bool | None:
    """Yes or no, in the person's language or in English; None for anything else, nothing at all among it."""
    word = word.strip().lower()
    if word in ("y", "yes", tr("y"), tr("yes")):
        return True
    return False if word in ("n", "no", tr("n"), tr("no")) else None
