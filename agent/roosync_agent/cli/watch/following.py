"""What the agent knows of the fleet, read again when it says that something changed. A thread, for it only waits.

Nothing is asked of the broker in between: `wait_change` is answered by the agent when a fact came. Only that a machine
fell silent makes no sound, so what was seen is read again after `QUIET` at the latest.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from roosync_agent.running.control import HangsError, NobodyThereError, ask
from roosync_agent.wording import tr
from roosync_protocol.risk_names import danger

QUIET = 15.0  # seconds; half of the time after which a machine that does not beat is silent
AGAIN = (0.2, 0.5, 1.0, 2.0)  # seconds until an agent that is gone is looked for again; the last one for ever
REST = 2.0  # times as long as a reading took: of ten thousand decisions it is work for the agent
OF_DECISIONS = frozenset({"decision", "law", "rollout", "here"})  # kinds of changes after which they may be others


class AnswerError(Exception):
    """The agent answered that it can not."""


@dataclass(frozen=True)
class Seen:
    """The fleet as it was last seen, in the answers of the verbs; `trouble` says why that may be old."""

    overview: dict[str, Any] = field(default_factory=dict)
    decisions: tuple[dict[str, Any], ...] = ()  # that wait or are under way: the most dangerous first
    cycles: tuple[dict[str, Any], ...] = ()
    trouble: str = ""
    away: bool = False  # the broker does not answer
    codes: tuple[int, ...] = ()
    at: datetime | None = None


def read(state: Path, before: Seen, *, decisions: bool = True) -> Seen:
    """Everything that is shown. NobodyThereError, TimeoutError, AnswerError. `decisions`: as `before` without it."""
    status, away = _asked(state, "status")
    listed = before.decisions
    if decisions or before.overview.get("pending_decisions") != status["overview"]["pending_decisions"]:
        listed = tuple(sorted(_asked(state, "decisions")[0]["decisions"], key=_urgent))
    cycles = tuple(_asked(state, "cycle_show", id_=one["id"])[0] for one in status["overview"].get("cycles", ()))
    return Seen(status["overview"], listed, cycles, "", away, tuple(status["exit_codes"]), datetime.now().astimezone())


def _urgent(decision: dict[str, Any]) -> tuple[bool, int, str, str]:
    """What waits for a person before what is under way; then by risk."""
    waits = decision["status"] == "pending" or decision["failed"]
    risk = decision["risk"]
    return (not waits, -danger(risk), decision["entity"], decision["machine"])


def _asked(state: Path, verb: str, timeout: float = 60.0, **args: Any) -> tuple[Any, bool]:
    answer = ask(state, verb, args, timeout=timeout)
    if "result" not in answer:
        raise AnswerError(str(answer.get("error", {}).get("message", "")))
    return answer["result"], bool(answer.get("away"))


class Following(threading.Thread):
    """Tells what is seen at every change, from its own thread, until the process ends."""

    def __init__(self, state: Path, tell: Callable[[Seen], None], seen: Seen) -> None:
        super().__init__(daemon=True, name="following")
        self._state, self._tell, self._seen = state, tell, seen
        self._mark = ""
        self._failed = 0

    def run(self) -> None:
        while True:
            try:
                self._once()
                self._failed = 0
            except HangsError as error:
                self._trouble(str(error))
            except NobodyThereError:
                self._trouble(tr("The agent of this machine ended; waiting for it. `roosync up` starts it."))
            except (OSError, ValueError, KeyError, TypeError, AnswerError) as error:
                self._trouble(str(error) or type(error).__name__)

    def _once(self) -> None:
        change, _ = _asked(self._state, "wait_change", QUIET + 60.0, since=self._mark, wait=QUIET)
        self._mark = change["mark"]
        kinds, all_of_it = set(change["kinds"]), change["everything"] or not self._seen.overview
        began = time.monotonic()
        self._seen = read(self._state, self._seen, decisions=all_of_it or bool(kinds & OF_DECISIONS))
        self._tell(self._seen)
        time.sleep(min(QUIET, REST * (time.monotonic() - began)))

    def _trouble(self, reason: str) -> None:
        self._mark = ""
        if reason != self._seen.trouble:
            self._seen = replace(self._seen, trouble=reason)
            self._tell(self._seen)
        time.sleep(AGAIN[min(self._failed, len(AGAIN) - 1)])
        self._failed += 1
