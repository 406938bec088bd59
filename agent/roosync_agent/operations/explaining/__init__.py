"""`roosync explain PATH`: where a value comes from, and why. A file, a thing in it, a field of that; here or elsewhere.

Without a fleet, or while the broker is away, what this machine knows by itself is told all the same.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from roosync_agent.collecting.local import Local, Looked
from roosync_agent.collecting.reference import NothingToCompareError
from roosync_agent.operations.baseline.baselines import history
from roosync_agent.operations.explaining import origins
from roosync_agent.operations.explaining.answers import Explained
from roosync_agent.operations.explaining.entity import Fleetwide, explained, of_another
from roosync_agent.operations.explaining.files import explained_files, explained_target, paths_meant, why_not
from roosync_agent.running.machine import Machine
from roosync_agent.session import utc_now
from roosync_agent.settings import Settings
from roosync_agent.targets import TABLE, TargetSpec
from roosync_broker.errors import BusError
from roosync_protocol.entity import Entity, declared, target_of
from roosync_protocol.names import some
from roosync_protocol.package import HostilePackageError

LOOKALIKES = 5


async def explain(machine: Machine, what: str, field: str = "", path: str = "") -> Explained:
    """`path`: the absolute path that `what` means in the folder of whoever asks, when it may be a file."""
    machine.local.public_names = frozenset(machine.fleet.law.policy.public_names)
    looked = await asyncio.to_thread(machine.local.look)
    return await _Question(machine.local, looked, machine).answer(what, field, path)


async def explain_alone(settings: Settings, why: str, what: str, field: str = "", path: str = "") -> Explained:
    """What this machine knows by itself; `why` nothing can be said of the fleet."""
    local = Local.by_last_law(settings)
    return await _Question(local, local.look(), None, why).answer(what, field, path)


class _Question:
    def __init__(self, local: Local, looked: Looked, machine: Machine | None, why: str = "") -> None:
        self.local, self.looked, self.machine, self.why = local, looked, machine, why
        self.name = machine.name if machine else local.settings.machine or "this machine"

    async def answer(self, what: str, field: str, path: str) -> Explained:
        other, _, rest = what.partition(":")
        if self.machine and other in self.machine.fleet.law.machines() and rest and other != self.name:
            return await self._of_another(what, other, rest, field)
        what = rest if rest and other == self.name else what
        wide = await self._wide(self.name)
        key, inner = self._key(what, wide)
        if not key:
            keys = [one for one in self.looked.collection.entities if target_of(one) == what]
            states = {one: explained(self.local, self.looked, one, wide).state for one in keys}
            if files := explained_target(self.local, self.looked, what, states):
                return Explained(asked=what, kind="file", files=files, not_known=self.why)
        if not key and (paths := paths_meant(self.local, what, path)):
            states = {k: explained(self.local, self.looked, k, wide).state for k in self._keys_in(paths)}
            if files := explained_files(self.local, self.looked, paths, states):
                return Explained(asked=what, kind="file", files=files, not_known=self.why)
        if not key:
            return self._unknown(what, path, wide)
        wide = await self._with_origin(wide, key)
        entity = explained(self.local, self.looked, key, wide, field or inner)
        return self._fielded(what, field or inner, Explained(
            asked=what, kind="entity", entity=entity, not_known=self.why
        ))  # fmt: skip

    # -- what the fleet says

    async def _wide(self, name: str) -> Fleetwide:
        """The baseline for one machine; what is in the way is kept in `why`."""
        empty = Fleetwide(machine=name, now=self._now())
        if self.machine is None:
            return empty
        fleet, library = self.machine.fleet, self.machine.library
        empty = replace(empty, fleet=fleet)
        try:
            self.machine.session.require_bus()  # a person who asks does not want to wait for what does not come
            reference = await library.of_baseline(name)
        except (NothingToCompareError, HostilePackageError, BusError, ValueError) as error:
            self.why = str(error)
            return empty
        if name == self.name:
            reference = self.local.here(reference)
        return replace(empty, law=fleet.law.baseline, reference=reference)

    async def _with_origin(self, wide: Fleetwide, key: str) -> Fleetwide:
        if self.machine is None or wide.law is None:
            return wide
        library, session = self.machine.library, self.machine.session
        try:
            source, _ = origins.place(key, *await library.parts(wide.law, wide.machine))
            laws = await history(session)
            changes = await origins.changes_of(library, laws, key, wide.machine)
        except (BusError, ValueError) as error:
            self.why = str(error)
            return wide
        law = next((law for law in laws if changes and law.version == changes[0].version), wide.law)
        told = await origins.provenance_of(library, law, key)
        return replace(wide, source=source, history=changes, provenance=told)

    async def _of_another(self, what: str, name: str, rest: str, field: str) -> Explained:
        assert self.machine is not None
        wide = await self._wide(name)
        try:
            published = (await self.machine.library.package(name)).entities
        except (NothingToCompareError, HostilePackageError, BusError) as error:
            published, self.why = {}, str(error)
        known = {**published, **(wide.reference.entities if wide.reference else {})}
        key, inner = _resolved(rest, known)
        if not key:
            near = [f"{name}:{one}" for one in _near(rest, known)]
            return Explained(
                asked=what, kind="unknown", reason=f"{name} has published no such thing", nearest=near,
                not_known=self.why,
            )  # fmt: skip
        wide = await self._with_origin(wide, key)
        entity = of_another(key, published.get(key), wide, field or inner)
        answer = Explained(asked=what, kind="entity", entity=entity, not_known=self.why)
        return self._fielded(what, field or inner, answer)

    # -- what a person means

    def _key(self, what: str, wide: Fleetwide) -> tuple[str, str]:
        return _resolved(what, self._known(wide))

    def _known(self, wide: Fleetwide) -> dict[str, Entity | None]:
        found: dict[str, Entity | None] = {**self.looked.collection.entities}
        found |= dict.fromkeys(self.looked.collection.unreadable)
        found |= dict.fromkeys(self.local.base.believed)
        found |= dict.fromkeys(wide.reference.entities if wide.reference else ())
        found |= dict.fromkeys(wide.reference.removed if wide.reference else ())
        return found

    def _specs(self) -> dict[str, TargetSpec]:
        return {spec.name: spec for spec in (*TABLE, *self.local.own_targets().specs)}

    def _keys_in(self, paths: list[Path]) -> list[str]:
        return [key for file in self.looked.collection.files if file.path in paths for key in file.keys]

    def _unknown(self, what: str, path: str, wide: Fleetwide) -> Explained:
        other, _, thing = what.partition(":")
        if self.machine and not path and "/" not in other and declared(thing.partition("/")[0]) in self._specs():
            machines = list(self.machine.fleet.law.machines())
            meant = get_close_matches(other, machines, LOOKALIKES, 0.6)
            reason = f"{other!r} is no machine of this fleet; its machines are {some(machines, 10)}"
            return Explained(
                asked=what, kind="unknown", reason=reason, nearest=[f"{one}:{thing}" for one in meant],
                not_known=self.why,
            )  # fmt: skip
        target, _, name = what.partition("/")
        near = _near(what, self._known(wide))
        own = self.local.own_targets()
        bare = declared(target)
        if bare in self._specs():
            owned = "there is no such thing here, and none in the baseline"
            other = f"{name!r} is not among what {target} manages" if name else "say which thing of it"
            is_named = owned if name and self._specs()[bare].owns(name) else other
            mine = [key for key in self._known(wide) if target_of(key) == target]
            reason, near = f"{is_named}: `roosync targets {target}`", near or sorted(mine)[:LOOKALIKES]
        elif bare in own.elsewhere:
            reason = f"{bare} is your own target, and names no file for this system"
        elif "/" in what and "." in target and not path and not what.startswith(("/", "~", "$", ".")):
            reason = f"no target {target} is known to this machine"
            reason += "".join(f"; {fault}" for fault in own.faults)
        elif paths := paths_meant(self.local, what, path):
            reason, files = why_not(self.local, paths)
            near = [*dict.fromkeys([*files, *near])][:LOOKALIKES]
        else:
            reason = "no file and no thing of this name is known here"
        return Explained(asked=what, kind="unknown", reason=reason, nearest=near, not_known=self.why)

    def _fielded(self, what: str, field: str, answer: Explained) -> Explained:
        if not field or answer.entity is None or answer.entity.leaves:
            return answer
        return Explained(
            asked=what,
            kind="unknown",
            reason=f"{answer.entity.key} has no field {field!r}, here or in the baseline",
            nearest=[answer.entity.key],
            not_known=self.why,
        )

    def _now(self) -> datetime:
        return self.machine.session.now() if self.machine else utc_now()


def _resolved(asked: str, known: Mapping[str, Entity | None]) -> tuple[str, str]:
    """The key that is asked about, and the field of it: the longest key that the question begins with."""
    if asked in known:
        return asked, ""
    begun = [key for key in known if asked.startswith((f"{key}/", f"{key}."))]
    if begun:
        key = max(begun, key=len)
        return key, asked[len(key) + 1 :]
    named = [key for key in known if key.split("/", 1)[1] == asked]
    return (named[0], "") if len(named) == 1 else ("", "")


def _near(asked: str, known: Mapping[str, Entity | None]) -> list[str]:
    """Keys of the same name, then those that look alike, then those with it in their name."""
    last = asked.rsplit("/", 1)[-1].casefold()
    names = {key: key.split("/", 1)[1].casefold() for key in sorted(known)}
    alike = get_close_matches(last, set(names.values()), LOOKALIKES, 0.7) if "/" not in asked else []
    found = [key for key, name in names.items() if last and name == last]
    found += get_close_matches(asked, known, LOOKALIKES, 0.6) + [key for key, name in names.items() if name in alike]
    found += [key for key, name in names.items() if last and last in name]
    return [*dict.fromkeys(found)][:LOOKALIKES]
