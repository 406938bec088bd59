"""A person is led to the right commands: `roosync rollout stop` of an update would go on requiring its version."""

from datetime import UTC, datetime

import pytest

from roosync_protocol.messages import Rollout
from roosync_protocol.rollout import gate
from roosync_protocol.rollout.commands import command

NOW = datetime(2026, 11, 21, tzinfo=UTC)
COMMANDS = {  # purpose, verb -> what is typed
    "show decisions": ("decisions", "show", "roosync rollout show r-1"),
    "stop decisions": ("decisions", "stop", "roosync rollout stop r-1"),
    "show an update": ("update", "show", "roosync update show r-1"),
    "watch an update": ("update", "watch", "roosync update watch r-1"),
    "resume an update": ("update", "resume", "roosync update resume r-1"),
    "stop an update": ("update", "stop", "roosync update withdraw"),
}


def rollout(purpose: str, status: str = "waiting") -> Rollout:
    return Rollout(
        agent="a", timestamp=NOW, id="r-1", revision=1, operation_id="o-1", purpose=purpose, status=status,
        waves=(("a",),), timeout_minutes=5, started=NOW, opened=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(("purpose", "verb", "typed"), COMMANDS.values(), ids=COMMANDS)
def test_a_rollout_has_the_commands_of_its_purpose(purpose, verb, typed):
    assert command(rollout(purpose), verb) == typed


def test_a_machine_that_waits_for_a_halted_update_names_the_command_about_updates():
    assert "`roosync update show r-1`" in gate.opens(rollout("update"), "a")
