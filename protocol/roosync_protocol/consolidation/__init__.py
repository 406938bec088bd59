"""From the packages of several machines to one golden baseline, and to the questions worth asking.

Nobody outranks anybody: what is equal on a majority is common, what differs only in paths and hosts is
special to each machine, and everything else is a question with a suggestion, never an answer. A machine
that broke has no vote: its emptiness is not seventy deletions. The same packages in any order give the
same bytes, so two orchestrators open one proposal; what a person answered, or what an earlier baseline
keeps as special, is not asked again. For each entity, among the machines that have its target:

    a person's choice is known ........................... that choice
    an earlier baseline took it away ..................... stays away
    only an earlier baseline has it ...................... stays; pending everywhere
    one value, on a majority, or on one of two ........... common; pending where it is missing (of two: unless critical)
    the same, with a path of one machine, on half or less  special to those who have it
    one value, on fewer .................................. question: keep it special?
    several values, only paths and hosts differ .......... special; what a majority has is common
    several values, made by the assistant itself ......... the same
    several values that fit together (`together`) ........ common: what each has
    several values, whichever is taken at low risk ....... common: the majority's, else the newest; no question
    several values ....................................... question, with a suggestion and who has what, leaf by leaf

Once a baseline has a value for it, nothing is put together or settled against that: who differs from the baseline has
drifted, and takes or proposes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, json

from roosync_protocol import special
from roosync_protocol.baseline import Commons, Overlay
from roosync_protocol.consolidation import votes
from roosync_protocol.consolidation.arbitration import Arbitration, question
from roosync_protocol.consolidation.no_question import COPIED, legitimate, settled, stands
from roosync_protocol.consolidation.provenance import LeafSource, Provenance, Source, leaf_sources
from roosync_protocol.consolidation.together import Candidate, together
from roosync_protocol.consolidation.votes import Collected, Excluded, Group, NotEnoughError
from roosync_protocol.diff import equal
from roosync_protocol.digest import canonical
from roosync_protocol.entity import Entities, Entity, target_of
from roosync_protocol.messages import Choice
from roosync_protocol.placing import NOWHERE, Placing, gathered
from roosync_protocol.risk import Risk, assess

__all__ = [
    "Arbitration",
    "Candidate",
    "Choice",
    "Collected",
    "Consolidation",
    "Excluded",
    "LeafSource",
    "NotEnoughError",
    "Provenance",
    "consolidate",
]

Previous: TypeAlias = tuple[Commons, Mapping[str, Overlay]]


class Consolidation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    commons: Entities
    overlays: dict[str, Entities]  # by machine
    without: dict[str, frozenset[str]]  # by machine: keys it goes without, or that are left alone on it
    removed: frozenset[str]
    arbitrations: tuple[Arbitration, ...]  # by key
    provenance: dict[str, Provenance]
    missing: dict[str, tuple[str, ...]]  # common keys -> machines that do not have them yet
    excluded: tuple[Excluded, ...]  # machines without a vote on a target, with the reason
    machines: tuple[str, ...]
    placing: Placing = NOWHERE  # of the commons
    given_up: dict[str, frozenset[str]] = {}  # by machine: what only it has to give up, as in the baseline before

    def baseline(self) -> tuple[Commons, dict[str, Overlay]]:
        """The contents to publish. Entities under an open question are in neither."""
        overlays = {
            machine: Overlay(
                entities=self.overlays.get(machine, {}),
                excluded=self.without.get(machine, frozenset()),
                removed=self.given_up.get(machine, frozenset()),
            )
            for machine in sorted(self.overlays.keys() | self.without.keys() | self.given_up.keys())
        }  # fmt: skip
        return Commons(entities=self.commons, removed=self.removed, placing=self.placing), overlays

    def report(self) -> bytes:
        """The whole as canonical bytes: what a proposal names by hash, and what another orchestrator compares."""
        return canonical(json.decode(json.Encoder(order="deterministic").encode(self)))


def consolidate(
    packages: Iterable[Collected], choices: Mapping[str, Choice], *, previous: Previous | None = None
) -> Consolidation:
    """The proposal that follows from the latest package of each machine and the choices made so far.

    `previous` are the contents of the baseline in force: what it keeps as special, leaves alone or took
    away stays so, and machines and targets that no package speaks of keep what they have. NotEnoughError
    when fewer than two machines have a vote.
    """
    latest = votes.latest(packages)
    excluded = votes.excluded(latest)
    work = _Work(latest, excluded, previous)
    if len(work.machines) < 2:
        raise NotEnoughError(tuple(p.machine for p in latest), excluded)
    for key in work.every_key():
        work.decide(key, choices.get(key))
    return work.result(tuple(p.machine for p in latest), excluded)


class _Work:
    """The proposal while it grows, one entity after the other."""

    def __init__(self, packages: list[Collected], excluded: Sequence[Excluded], previous: Previous | None) -> None:
        self.old, self.old_overlays = previous or (Commons(), {})
        self.time = {p.machine: p.collected_at for p in packages}
        self.voters, self.held = votes.by_key(packages, excluded)
        self.placings = {p.machine: p.placing.only(self._heard(p)) for p in packages}
        self.machines = {machine for voters in self.voters.values() for machine in voters}
        self.commons: Entities = {}
        self.overlays: dict[str, Entities] = {}
        self.without: dict[str, set[str]] = {}
        self.removed = set(self.old.removed)
        self.arbitrations: list[Arbitration] = []
        self.provenance: dict[str, Provenance] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        self._carry_overlays()

    def _heard(self, package: Collected) -> set[str]:
        """The entities in which the machine has a say."""
        return {key for key in package.entities if package.machine in self.held.get(key, ())}

    def every_key(self) -> list[str]:
        return sorted(self.held.keys() | self.old.entities.keys())

    def decide(self, key: str, choice: Choice | None) -> None:
        voters, held = self._unsettled(key)
        if not self.voters.get(target_of(key)):
            self.commons[key] = self.old.entities[key]
            self.provenance[key] = Provenance(source="kept", machines=(), of=0, why="no package has this target")
        elif not held:
            self._nobody(key, voters)
        elif choice is not None and self._choose(key, choice, voters, held):
            pass
        elif key in self.old.removed:
            self.provenance[key] = Provenance(source="removed", machines=tuple(held), of=len(voters))
        else:
            groups = votes.groups(held, self.time)
            if why := legitimate(voters, groups, self._profiles_in_use(key)):
                self._special(key, voters, groups, why, keep_absence=why == COPIED)
            elif len(groups) == 1 and (len(held) >= votes.quorum(len(voters)) or _of_two(voters, groups[0].entity)):
                self._common(key, voters, groups[0], "common")
            elif stands(key, voters, groups, in_force := self.old.entities.get(key)) and in_force is not None:
                self._common(key, voters, self._as_group(groups, in_force), "settled", "as in the baseline in force")
            elif found := settled(key, voters, groups, self.old.entities.get(key)):
                self._common(key, voters, self._as_group(groups, found[0]), "settled", found[1])
            else:
                self._ask(key, voters, groups)

    def result(self, machines: tuple[str, ...], excluded: tuple[Excluded, ...]) -> Consolidation:
        return Consolidation(
            commons=self.commons,
            overlays={machine: self.overlays[machine] for machine in sorted(self.overlays)},
            without={machine: frozenset(self.without[machine]) for machine in sorted(self.without)},
            removed=frozenset(self.removed - self.commons.keys()),
            arbitrations=tuple(self.arbitrations),
            provenance=self.provenance,
            missing=self.missing,
            given_up={m: overlay.removed for m, overlay in sorted(self.old_overlays.items()) if overlay.removed},
            excluded=excluded,
            machines=machines,
            placing=gathered(self.placings, self._sources(), self.old.placing),
        )

    def _sources(self) -> dict[str, tuple[str, ...] | None]:
        """For each common entity the machines that have its value and a comment on it; None: no package has it."""
        return {
            key: tuple(m for m, one in held.items() if key in self.placings[m].comments and equal(one, entity))
            if (held := self.held.get(key))
            else None
            for key, entity in self.commons.items()
        }

    def _carry_overlays(self) -> None:
        """What the baseline in force says about machines and targets that no package speaks of."""
        for machine, overlay in self.old_overlays.items():
            for key, entity in overlay.entities.items():
                if machine not in self.voters.get(target_of(key), ()):
                    self._keep(machine, entity)
            for key in overlay.excluded:
                if machine not in self.voters.get(target_of(key), ()):
                    self.without.setdefault(machine, set()).add(key)

    def _unsettled(self, key: str) -> tuple[list[str], dict[str, Entity]]:
        """Who votes on it: everybody with the target, but for those to whom it is special already."""
        voters, held = self.voters.get(target_of(key), []), self.held.get(key, {})
        if not self.old_overlays:
            return voters, held
        free = []
        for machine in voters:
            overlay = self.old_overlays.get(machine, Overlay())
            if key in overlay.entities and machine in held:
                self._keep(machine, held[machine])
            elif key in overlay.excluded:
                self.without.setdefault(machine, set()).add(key)
            else:
                free.append(machine)
        if len(free) < len(voters):
            why = "as in the baseline before"
            self.provenance[key] = Provenance(
                source="special", machines=tuple(m for m in voters if m not in free), of=len(voters), why=why
            )
        return free, {machine: held[machine] for machine in free if machine in held}

    def _nobody(self, key: str, voters: list[str]) -> None:
        """It is in the baseline in force and nobody has it: not applied yet, or deleted, which is decided elsewhere."""
        if key in self.old.entities:
            self.commons[key] = self.old.entities[key]
            if voters:  # otherwise it is special to all that were seen
                self.missing[key] = tuple(voters)
                why = "it is in the baseline in force, and no machine has it"
                self.provenance[key] = Provenance(source="kept", machines=(), of=len(voters), why=why)

    def _choose(self, key: str, choice: Choice, voters: list[str], held: dict[str, Entity]) -> bool:
        """Does what a person chose; False when the choice can not be followed, so that it is asked again."""
        groups = votes.groups(held, self.time)
        if choice.take == "omit":
            for machine in held:
                self.without.setdefault(machine, set()).add(key)
            self.provenance[key] = Provenance(source="omitted", machines=tuple(held), of=len(voters), why="chosen")
        elif choice.take == "special":
            if len(groups) == 1 and len(held) == len(voters):  # one value everywhere, and still nobody else's
                self._own(key, voters, sorted(held))
            else:
                self._special(key, voters, groups, "chosen", keep_absence=True)
        elif choice.take == "union":
            made = together(key, groups)
            self._common(
                key, voters, self._as_group(groups, made.entity), "chosen", "chosen: what each has, put together"
            )
        elif choice.machine not in voters:
            return False
        elif choice.machine in held:
            group = next(g for g in groups if choice.machine in g.machines)
            self._common(key, voters, group, "chosen", f"the value of {choice.machine} was chosen")
        else:
            self.removed.add(key)
            self.provenance[key] = Provenance(
                source="removed", machines=tuple(held), of=len(voters), why=f"chosen: {choice.machine} does not have it"
            )
        return True

    def _profiles_in_use(self, key: str) -> Mapping[str, Entity]:
        return self.held.get(f"{target_of(key)}/{special.PROFILE_IN_USE}", {})

    def _as_group(self, groups: Sequence[Group], entity: Entity) -> Group:
        """Whoever has this value already."""
        machines = tuple(sorted(m for g in groups if equal(g.entity, entity) for m in g.machines))
        return Group(entity=entity, machines=machines, newest=max(group.newest for group in groups))

    def _common(self, key: str, voters: list[str], group: Group, source: Source, why: str = "") -> None:
        self.commons[key] = group.entity
        self.removed.discard(key)
        if not why and key in self.old.entities and not equal(group.entity, self.old.entities[key]):
            why = "the baseline in force has another value"
        leaves = leaf_sources(group.entity, self.held[key]) if source == "settled" or not group.machines else ()
        self.provenance[key] = Provenance(
            source=source, machines=group.machines, of=len(voters), why=why, leaves=leaves
        )
        held = self.held[key]
        if len(held) < len(self.voters[target_of(key)]) and (missing := tuple(m for m in voters if m not in held)):
            self.missing[key] = missing

    def _special(
        self, key: str, voters: list[str], groups: list[Group], why: str, *, keep_absence: bool = False
    ) -> None:
        """Each keeps its own. What a majority has is common all the same, so that a newcomer gets it."""
        if len(groups) > 1 and len(groups[0].machines) >= votes.quorum(len(voters)):
            self._common(key, voters, groups[0], "common", why)
            groups = groups[1:]
        elif keep_absence and len(groups[0].machines) >= votes.quorum(len(voters)):
            self._common(key, voters, groups[0], "chosen", why)
            groups = []
        mine = sorted(machine for group in groups for machine in group.machines)
        for machine in mine:
            self._keep(machine, self.held[key][machine])
        if keep_absence and key in self.commons:
            for machine in self.missing.pop(key, ()):
                self.without.setdefault(machine, set()).add(key)
        if key not in self.commons:
            self.provenance[key] = Provenance(source="special", machines=tuple(mine), of=len(voters), why=why)

    def _own(self, key: str, voters: list[str], machines: list[str]) -> None:
        for machine in machines:
            self._keep(machine, self.held[key][machine])
        self.provenance[key] = Provenance(source="special", machines=tuple(machines), of=len(voters), why="chosen")

    def _keep(self, machine: str, entity: Entity) -> None:
        self.overlays.setdefault(machine, {})[entity.key] = entity

    def _ask(self, key: str, voters: list[str], groups: list[Group]) -> None:
        absent = tuple(machine for machine in voters if machine not in self.held[key])
        self.arbitrations.append(question(key, groups, absent, self.time))
        self.provenance[key] = Provenance(source="question", machines=tuple(sorted(self.held[key])), of=len(voters))


def _of_two(voters: Sequence[str], entity: Entity) -> bool:
    """Does what one machine of two has go to the other without a question? Not what is critical to have."""
    return len(voters) == 2 and assess(entity.key, entity.kind, None, entity.value).risk < Risk.CRITICAL
