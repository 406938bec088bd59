"""What a person calls the states of a rollout, and of an update on a machine: the same words on every face.

The record says `waiting` where it waits for a person, and a machine says it where it waits for its wave; a person is
told that the one halted, and that the other waits. It needs nothing, so that a command that only shows is quick.
"""

STATUSES = {"waiting": "halted"}  # of a rollout; the others are called as they are
PHASES = {"waiting": "waits", "updating": "is updating"}  # of an update, those that are no end


def called(status: str) -> str:
    """The state of a rollout, as it goes after "it is"."""
    return STATUSES.get(status, status)
