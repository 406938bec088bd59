"""The help of commands in the person's language: a command is translated when it is loaded, with all below it."""

from inspect import cleandoc

import click

from roosync_agent.columns import unbroken
from roosync_agent.wording import language, tr

_done: set[int] = set()


def spoken(command: click.Command) -> click.Command:
    """`command` itself, its help and that of its options said in the person's language."""
    if language() == "en" or id(command) in _done:
        return command
    _done.add(id(command))
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
