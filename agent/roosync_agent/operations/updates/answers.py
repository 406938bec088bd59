"""What is asked and answered about campaigns: typed, and the same JSON for every face."""

from datetime import datetime

from msgspec import Struct

from roosync_agent.operations.rollouts.answers import MachineRow, NextStep, Pace, RolloutAnswer


class UpdatePlan(Struct, frozen=True, kw_only=True):
    """What would be required: nothing is signed."""

    version: str
    tag: str
    commit: str
    waves: list[list[str]]
    runs: dict[str, str]  # what each machine of the waves runs now, as it said; "" when it never did
    newer: dict[str, str]  # machines that are meant, run a newer version, and are left out: nobody is taken back
    splay_seconds: float
    pace: Pace
    without_recipe: list[str] = []  # machines of the waves that said that they have none: they would refuse
    claims: list[str] = []  # as in `machines.choosing.Chosen`
    replaces: str = ""  # the campaign in force, which this one withdraws
    note: str = ""


class UpdateRow(MachineRow, frozen=True, kw_only=True):
    phase: str = ""  # as the machine told it last of this campaign
    runs: str = ""  # its version
    before: str = ""  # that it ran when it began
    log: list[str] = []  # the last lines of its recipe, when it did not end well


class UpdateAnswer(Struct, frozen=True, kw_only=True):
    """A campaign: who is where."""

    id: str
    version: str
    tag: str
    commit: str
    withdrawn: bool
    in_force: bool  # no newer one was signed since
    signed_by: str
    signed: datetime | None
    splay_seconds: float
    machines: list[UpdateRow]
    counts: dict[str, int]  # machines by their state
    rollout: RolloutAnswer | None  # None: it was signed, and its rollout was not posted
    next_steps: list[NextStep]
    note: str = ""
