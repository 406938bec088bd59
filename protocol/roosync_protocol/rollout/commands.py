"""The commands that a person goes on with: an update is a rollout too, and has commands of its own.

Whoever reads `roosync rollout stop` about an update stops its waves, and still requires the version.
"""

from typing import Literal

from roosync_protocol.messages import Rollout

Verb = Literal["show", "watch", "resume", "stop"]

OF_UPDATE: dict[Verb, str] = {  # what withdraws has no id: it means the campaign in force
    "show": "roosync update show {}",
    "watch": "roosync update watch {}",
    "resume": "roosync update resume {}",
    "stop": "roosync update withdraw",
}


def command(rollout: Rollout, verb: Verb) -> str:
    """As it is typed, of this rollout."""
    if rollout.purpose == "update":
        return OF_UPDATE[verb].format(rollout.id)
    return f"roosync rollout {verb} {rollout.id}"
