"""What the operator made law: by revision, what each machine should have; and that it is what was answered.

Kept from the contents that the operator put and the law that was stored, and worked out here a second time.
"""

from collections.abc import Callable, Iterable

from roosync_protocol.baseline import Commons, MalformedContent, Overlay, decode_commons, decode_overlay
from roosync_protocol.digest import digest, digest_bytes
from roosync_protocol.entity import Entities
from roosync_protocol.messages import Baseline, Decision


class Agreed:
    def __init__(self, machines: Iterable[str], fail: Callable[[str, str], None]) -> None:
        self._machines = tuple(machines)
        self._fail = fail
        self._contents: dict[str, tuple[Commons, Overlay]] = {}
        self._shown: dict[tuple[str, str], set[str | None]] = {}  # values that a machine said it has
        self._laws: list[tuple[Commons, dict[str, Overlay]]] = []

    @property
    def revision(self) -> int:
        return len(self._laws)

    def put(self, data: bytes) -> None:
        """A content of the operator; read in both ways, and the law says which it is."""
        try:
            self._contents[digest_bytes(data)] = decode_commons(data), decode_overlay(data)
        except MalformedContent:
            return  # a report about a proposal

    def said(self, decision: Decision) -> None:
        self._shown.setdefault((decision.machine, decision.entity), set()).add(decision.local.digest)

    def enacted(self, law: Baseline) -> None:
        overlays = {machine: self._contents[sha][1] for machine, sha in law.overlays.items()}
        before = {machine: self.of(machine) for machine in self._machines}
        self._laws.append((self._contents[law.commons][0], overlays))
        action, _, rest = law.note.partition(" of ")
        if action in ("override_remote", "keep_special"):
            entity, machine = rest.split(" by ")
            self._answered(action, entity, machine, before)

    def of(self, machine: str, revision: int | None = None) -> Entities:
        """What it should have by this revision, or by the last one."""
        if not self._laws:
            return {}
        commons, overlays = self._laws[-1 if revision is None else revision - 1]
        own = overlays.get(machine, Overlay())
        kept = {key: one for key, one in commons.entities.items() if key not in own.excluded | own.removed}
        return {**kept, **own.entities}

    def removed(self, machine: str) -> frozenset[str]:
        commons, overlays = self._laws[-1]
        own = overlays.get(machine, Overlay())
        return ((commons.removed - own.excluded) | own.removed) - own.entities.keys()

    def _answered(self, action: str, entity: str, machine: str, before: dict[str, Entities]) -> None:
        """One machine's value became the agreed one, or its own: nothing else changed, for nobody."""
        for name, old in before.items():
            now = self.of(name)
            changed = {key for key in old.keys() | now.keys() if old.get(key) != now.get(key)}
            if not changed <= ({entity} if action == "override_remote" or name == machine else set()):
                self._fail("law", f"{action} of {entity} by {machine} changed {sorted(changed)} of {name}")
        value = self.of(machine).get(entity)
        if (digest(value.value) if value else None) not in self._shown.get((machine, entity), set()):
            self._fail("law", f"{action} of {entity} is nothing that {machine} has had")
