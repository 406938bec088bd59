"""Every command that signs gets the same first step: where a key is unlocked (`roosync unlock`), it is asked for there.

Which commands those are is said by the table of what may be asked for, `unlocking.table`; they get `--here` with it.
"""

import functools
from typing import Any

import click

from roosync_agent.unlocking.table import RULES
from roosync_agent.wording import mark

NOTHING_SIGNED = ("dry_run", "preview")
HERE = mark("Ask for the passphrase here, though a key is unlocked elsewhere.")


def signing(name: str, command: click.Command) -> click.Command:
    """`command`, called `name`, with what it signs made so."""
    for rule in RULES:
        first, _, second = rule.path.partition(" ")
        if first == name:
            found = command.commands[second] if second and isinstance(command, click.Group) else command
            if not any(parameter.name == "here" for parameter in found.params):
                _equip(found, always=not (rule.one_of or rule.needs))
    return command


def _equip(command: click.Command, *, always: bool) -> None:
    """`always`: it signs whatever it is given, so there has to be a key."""

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

        if always and not any(options.get(name) for name in NOTHING_SIGNED):
            _require_key()
        elsewhere(click.get_current_context())
        return work(*args, **options)

    command.callback = asked_first


def _require_key() -> None:
    """NoOperatorError where no key lies: before anything is shown, or asked. Of no fleet, the command says it."""
    from roosync_agent.connect import require_operator
    from roosync_agent.settings import load
    from roosync_agent.state import State

    state = State(load().state)
    if state.identity() is not None:
        require_operator(state)
