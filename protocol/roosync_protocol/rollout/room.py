"""Every state of a rollout is one message, and names all its machines: how many fit, and how much is said of each.

What is too large is refused before anything is signed. Else the record of a rollout could grow, end by end, until
nobody can move it any more, and the machines of its later waves would wait for ever.
"""

from msgspec import json

from roosync_protocol.messages import MAX_MESSAGE, Rollout, encode

REASONS = 200_000  # bytes for all the reasons together
SPARE = 20_000  # bytes for all else that a state may come to say
RESULT = 60  # bytes for one machine's result, beside its name and its reason
LONGEST = 500  # characters of one reason
WIDEST = 6  # bytes of one character, as JSON may write it


def reason_room(rollout: Rollout) -> int:
    """How many bytes the reason of one machine may take, so that there is room for everybody's."""
    return min(LONGEST * WIDEST, REASONS // max(1, sum(map(len, rollout.waves))))


def fitted(reason: str, rollout: Rollout) -> str:
    """As much of a reason as there is room for; a reason comes from a machine, so its bytes count as they are sent."""
    room, kept = reason_room(rollout), reason[:LONGEST]
    if len(kept) * WIDEST <= room:
        return kept
    while (over := len(json.encode(kept)) - 2 - room) > 0:  # 2: the quotes
        kept = kept[: -max(1, over // WIDEST)]
    return kept


def require_room(rollout: Rollout) -> None:
    """ValueError when the last state of this rollout could be larger than a message may be."""
    machines = [machine for wave in rollout.waves for machine in wave]
    ends = sum(2 * len(machine) + RESULT for machine in machines)  # a result, and perhaps among the accepted
    reasons = len(machines) * reason_room(rollout)
    if len(encode(rollout)) + ends + reasons + SPARE > MAX_MESSAGE:
        raise ValueError(
            f"{len(machines)} machines are too many for one rollout: its record would not fit in a message of "
            f"{MAX_MESSAGE // 1024} KiB; take a part of them first, for example with --limit 3000"
        )
