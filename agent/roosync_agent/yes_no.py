"""A question with yes or no, asked and answered in the person's language: click knows the English letters only.

`y` and `yes` are understood in every language; what is asked looks in English as click's own question does.
"""

import click

from roosync_agent.wording import tr


def confirm(question: str, *, default: bool = False, abort: bool = False, err: bool = False) -> bool:
    """The answer; an empty one is `default`. `abort`: no raises click.Abort, as the end of the input always does.

    `err`: asked on standard error, where standard output is for a program.
    """
    yes, no = _words(tr("y"), tr("yes")), _words(tr("n"), tr("no"))
    choice = f"{yes[0].upper()}/{no[0]}" if default else f"{yes[0]}/{no[0].upper()}"
    while True:
        said = click.prompt(f"{question} [{choice}]", default="", show_default=False, err=err)
        word = str(said).strip().lower()
        if word in ("", *yes, *no, "y", "yes"):
            break
        click.echo(tr("Answer {yes} or {no}.", yes=yes[0], no=no[0]), err=err)
    agreed = word not in no if word else default
    if abort and not agreed:
        raise click.Abort
    return agreed


def _words(*words: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)
