"""How far an update of this machine is, on the disk before it is done: so after any crash it is known how to go on.

Agent and supervisor write it in turn, never at the same time: the agent up to `staged`, the supervisor from there to an
end; when it has ended the agent only notes that it told so. What is not in STEPS is not a step.
"""

import logging
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.state import State, StateError

log = logging.getLogger("roosync.updating")

JOURNAL = "update.json"
PROBE = "update.probe"  # is written to see whether there is room for the journal again
Phase = Literal["preparing", "staged", "trying", "confirmed", "returning", "returned", "return_failed", "refused"]
# phase -> what may follow it. preparing: the recipe runs beside the old version; staged: the release is whole, and the
# supervisor is asked; trying: the new version runs on trial; returning: the old one is started again.
STEPS: dict[Phase, frozenset[Phase]] = {
    "preparing": frozenset({"preparing", "staged", "returned", "refused"}),
    "staged": frozenset({"trying", "returning", "returned"}),
    "trying": frozenset({"trying", "confirmed", "returning"}),
    "returning": frozenset({"returning", "returned", "return_failed"}),
    "return_failed": frozenset(),
    "confirmed": frozenset({"returning"}),  # it was well, and did not keep running
    "returned": frozenset(),
    "refused": frozenset(),
}
ENDED = frozenset({"confirmed", "returned", "return_failed", "refused"})
HANDED_OVER = frozenset({"staged", "trying", "returning"})  # the supervisor's: the agent only watches
LOG_LINES = 50


class Release(Struct, frozen=True, kw_only=True):
    """A version that can be started."""

    version: str
    folder: str = ""  # its name in STATE/releases; "": what is installed, which is no release of ours
    start: tuple[str, ...] = ()  # the arguments that begin the program; (): this very program
    environment: dict[str, str] = {}  # added to that of the supervisor


class Journal(Struct, frozen=True, kw_only=True):
    """One try of one campaign."""

    campaign: str
    revision: int  # of the campaign, as law
    round: int = 0  # of its rollout: an operator who resumes has what failed tried again
    version: str  # that is wanted
    phase: Phase = "preparing"
    old: Release  # that ran before, and runs again when the new one does not
    new: Release | None = None
    began: datetime
    moments: dict[str, datetime] = {}  # phase -> when it was entered last
    tries: int = 0  # starts of this phase: a phase that ends the process again and again is given up
    reason: str = ""
    log: tuple[str, ...] = ()
    health_timeout: float = 60.0  # seconds; of the settings at that time, for the supervisor
    handed_over: bool = False  # its agent ended for it; without that a staged release waits, such as for its rollout
    told: bool = False  # the fleet knows how it ended

    def to(self, phase: Phase, now: datetime, *, reason: str = "", log: tuple[str, ...] = ()) -> "Journal":
        """The next step. A phase that is entered again is counted. ValueError when that is no step."""
        if phase not in STEPS[self.phase]:
            raise ValueError(f"an update can not go from {self.phase} to {phase}")
        return replace(
            self,
            phase=phase,
            moments={**self.moments, phase: now},
            tries=self.tries + 1 if phase == self.phase else 1,
            reason=reason or self.reason,
            log=(log or self.log)[-LOG_LINES:],
            told=False,
        )


def due(journal: Journal) -> bool:
    """Is the new version to be started? An agent that was killed, or switched off, before it said so did not decide."""
    return journal.phase == "staged" and journal.handed_over


def read(state: State) -> Journal | None:
    """None when there is none. One that can not be read is told, and stands in the way of every update: StateError."""
    return state.read(JOURNAL, Journal)


def read_or_none(state: State) -> Journal | None:
    """For the supervisor: a damaged journal may not keep the agent from running; the agent tells of it."""
    try:
        return read(state)
    except StateError as error:
        log.error("%s", error)  # noqa: TRY400 (a person reads it)
        return None


def write(state: State, journal: Journal) -> Journal:
    """On the disk when this returns, whole or not at all."""
    state.write(JOURNAL, journal)
    return journal
