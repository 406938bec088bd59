"""What is asked and answered about rollouts: typed, and the same JSON for every face."""

from datetime import datetime

from msgspec import Struct

from roosync_agent.operations.answers import Card

State = str  # an outcome of messages.work, or AWAITED, or NOT_BEGUN
AWAITED, NOT_BEGUN = "awaited", "not_begun"


class Asked(Struct, frozen=True, kw_only=True):
    """One decision that is to be signed, as it was shown."""

    machine: str
    id: str
    seen: str  # digest of all that is decided


class SharedCard(Struct, frozen=True, kw_only=True):
    """What is the same change on each of its machines: shown once, signed for each."""

    card: Card
    decisions: list[Asked]


class Pace(Struct, frozen=True, kw_only=True):
    """How carefully: what a person chose, or the defaults (docs/rollouts.md says why these)."""

    canary: int | tuple[str, ...] = 1  # machines of the first wave: how many, or which; 0: none
    waves: tuple[str, ...] = ("25%",)  # sizes of the waves after it, counts or percents of all; the last one repeats
    pause_seconds: float = 0.0
    max_fail_percentage: float = 0.0
    timeout_minutes: float = 10.0


class RolloutPlan(Struct, frozen=True, kw_only=True):
    """What would be started: nothing is posted, and nothing signed."""

    waves: list[list[str]]
    cards: list[SharedCard]
    nothing_to_do: list[str]  # machines that were chosen, and have no such decision
    pace: Pace
    claims: list[str] = []  # as in `machines.choosing.Chosen`
    note: str = ""


class MachineRow(Struct, frozen=True, kw_only=True):
    """How one machine stands; every expected machine has a row."""

    machine: str
    wave: int  # from 1
    state: State
    reason: str = ""
    accepted: bool = False  # an operator goes on without it
    decisions: list[str] = []
    contradicted: str = ""  # what the machine itself says against the end that the leader wrote down


class NextStep(Struct, frozen=True, kw_only=True):
    """A command that a person may run next, and what it does."""

    command: str
    does: str = ""


class RolloutAnswer(Struct, frozen=True, kw_only=True):
    id: str
    purpose: str  # decisions | update
    status: str  # prepared | running | waiting | done | stopped
    waves: int
    wave: int  # the last that was opened, from 1; 0 while it is prepared
    round: int
    machines: list[MachineRow]
    counts: dict[str, int]  # machines by their state
    pace: Pace
    waiting_for: str  # what a person is asked
    next_steps: list[NextStep]  # the likeliest first
    started: datetime
    opened: datetime | None
    next_wave: datetime | None = None  # when the pause before it is over
    revision: int
    unsigned: list[str] = []  # decisions that an operator has still to sign before it can run
    hanging: list[str] = []  # decisions that it approved, and that nothing will begin any more
    not_signed: dict[str, str] = {}  # only of a command that signed: decisions that it could not sign, and why
    refused: list[str] = []  # messages about it that do not count
    note: str = ""


class RolloutListRow(Struct, frozen=True, kw_only=True):
    id: str
    purpose: str
    status: str
    wave: int
    waves: int
    counts: dict[str, int]
    started: datetime
    note: str = ""


class Resumption(Struct, frozen=True, kw_only=True):
    """What a person has to see again before a rollout goes on."""

    rollout: RolloutAnswer
    again: list[str]  # machines that are tried again
    without: list[str]  # machines without which it goes on
    cards: list[SharedCard]
