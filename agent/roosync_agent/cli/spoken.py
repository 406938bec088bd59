"""The help of commands in the person's language: a command is translated when it is loaded, with all below it.

A `Formatter` writes it; a `Group` tells what its commands do in lines that are folded; click's own cuts them off.
"""

from inspect import cleandoc

import click

from roosync_agent.columns import unbroken
from roosync_agent.wording import language, tr

ENDLESS = 10_000  # characters of the first sentence of a help
_done: set[int] = set()


class Formatter(click.HelpFormatter):
    """click's, with the stop behind a heading as the language has it."""

    def write_heading(self, heading: str) -> None:
        super().write_heading(tr("{title}:", title=heading).removesuffix(":"))


class Group(click.Group):
    """Every group of ours but the topmost, whose commands are not loaded for this."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(ENDLESS)) for name, one in found if one is not None and not one.hidden]
        if rows:
            with formatter.section(tr("Commands")):
                formatter.write_dl(rows)


def _name_numbers() -> None:
    """What a number is called, in the usage and where another word was given: click has it in English only."""
    for whole in (click.types.IntParamType, click.IntRange):
        whole.name = tr("whole number")
    for other in (click.types.FloatParamType, click.FloatRange):
        other.name = tr("number")


def spoken(command: click.Command) -> click.Command:
    """`command` itself, its help and that of its options said in the person's language."""
    if language() == "en" or id(command) in _done:
        return command
    _done.add(id(command))
    _name_numbers()
    command.help = unbroken(tr(cleandoc(command.help))) if command.help else command.help
    command.short_help = tr(command.short_help) if command.short_help else command.short_help
    command.epilog = unbroken(tr(command.epilog)) if command.epilog else command.epilog
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            parameter.help = unbroken(tr(parameter.help)) if parameter.help else parameter.help
            if isinstance(parameter.prompt, str):
                parameter.prompt = tr(parameter.prompt)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            spoken(below)
    return command
