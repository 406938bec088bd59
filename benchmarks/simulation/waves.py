"""What must hold of rollouts: waves are opened in order and never past a halt, ends are true, and machines wait.

Kept from what operators and machines really said, and worked out here a second time.
"""

from collections.abc import Callable

import msgspec

from roosync_protocol.messages import Approval, Decision, Rollout

Faults = list[tuple[str, str]]
WELL = ("applied", "superseded")


class Waves:
    def __init__(self, led: Callable[[Rollout], Faults]) -> None:
        self._led = led
        self._accepted: dict[str, set[str]] = {}  # by operators, of each rollout
        self._round: dict[str, int] = {}
        self._open: set[tuple[str, str]] = set()  # rollout, machine whose wave was opened
        self._said: dict[tuple[str, str], set[str]] = {}  # what a machine said of its decision, ever

    def said(self, decision: Decision) -> None:
        self._said.setdefault((decision.machine, decision.id), set()).add(decision.status)

    def told(self, new: Rollout) -> Faults:
        """What would be wrong with this state if somebody believed it."""
        faults: Faults = []
        if new.agent.startswith("op-"):
            self._accepted.setdefault(new.id, set()).update(new.accepted)
            self._round[new.id] = max(new.round, self._round.get(new.id, 0))
        else:
            faults = self._led(new) + self._past_a_halt(new) + self._untrue(new)
        if new.status in ("running", "done") and not faults:
            self._open |= {(new.id, machine) for wave in new.waves[: new.wave + 1] for machine in wave}
        return faults

    def closed(self, claim: Decision) -> str | None:
        """Why what is about to be written should have waited."""
        given = [msgspec.json.decode(one.payload, type=Approval) for one in claim.approvals]
        rollout = max(given, key=lambda one: one.issued).rollout if given else ""
        if not rollout or (rollout, claim.machine) in self._open:
            return None
        return f"{claim.id} on {claim.machine}, of {rollout}"

    def _past_a_halt(self, new: Rollout) -> Faults:
        faults: Faults = []
        if not new.accepted <= self._accepted.get(new.id, set()) or new.round > self._round.get(new.id, 0):
            faults.append(("halt", f"{new.id} goes on without {sorted(new.accepted)}, in round {new.round}"))
        for wave in new.waves[: len(new.waves) if new.status == "done" else new.wave]:
            left = [m for m in wave if m not in new.accepted]
            bad = [m for m in left if m in new.results and new.results[m].outcome not in ("ok", "changed")]
            if 100 * len(bad) > new.max_fail_percentage * len(wave):
                faults.append(("halt", f"{new.id} wave {new.wave} although {bad} failed"))
            if not new.round and (awaited := [m for m in left if m not in new.results]):
                faults.append(("halt", f"{new.id} wave {new.wave} without {awaited}"))
        return faults

    def _untrue(self, new: Rollout) -> Faults:
        faults: Faults = []
        for machine, result in new.results.items():
            if result.outcome not in ("ok", "changed"):
                continue
            for id_ in new.items[machine]:
                if not self._said.get((machine, id_), set()).intersection(WELL):
                    faults.append(("end", f"{new.id}: {machine} is {result.outcome} with {id_}"))
        return faults
