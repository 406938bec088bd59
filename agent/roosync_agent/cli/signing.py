"""Every command that signs gets the same first step: where a key is unlocked (`roosync unlock`), it is asked for there.

Which commands those are is said by the table of what may be asked for, `unlocking.table`; they get `--here` with it.
"""

import functools
from typing import Any

import click

from roosync_agent.unlocking.table import RULES
from roosync_agent.wording import mark

HERE = mark("Ask for the passphrase here, though a key is unlocked elsewhere.")


def signing(name: str, command: click.Command) -> click.Command:
    """`command`, called `name`, with what it signs made so."""
    for rule in RULES:
        first, _, second = rule.path.partition(" ")
        if first == name:
            found = command.commands[second] if second and isinstance(command, click.Group) else command
            if not any(parameter.name == "here" for parameter in found.params):
                _equip(found)
    return command


def _equip(command: click.Command) -> None:
    def here(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
        from roosync_agent.cli.unlock import HERE as HERE_

        if given:
            context.meta[HERE_] = True

    command.params.append(click.Option(["--here"], is_flag=True, expose_value=False, callback=here, help=HERE))
    work = command.callback
    assert work is not None

    @functools.wraps(work)
    def asked_first(*args: Any, **options: Any) -> Any:
        from roosync_agent.cli.unlock import elsewhere

        elsewhere(click.get_current_context())
        return work(*args, **options)

    command.callback = asked_first
