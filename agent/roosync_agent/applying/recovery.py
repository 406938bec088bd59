"""At the start of an agent: finish or undo what a crash interrupted, before anything is looked at."""

import logging
from typing import TYPE_CHECKING

from roosync_agent.applying.apply import recover
from roosync_protocol.secrets import scrub

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

log = logging.getLogger("roosync.recovery")


def recover_at_start(machine: "Machine") -> None:
    """Rolls the journal forward or back (4-configuration, "Safe apply"); a third state of a file is left and told."""
    for line in recover(machine.state.folder, machine.local.door, now=machine.session.now()):
        log.warning("recovered: %s", scrub(line))
        machine.note(line)
