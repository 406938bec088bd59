"""This machine's side: what it has, what it last agreed to, and what of it is not to be believed.

No bus here. `look` reads the files, `judge` passes the result through the wipe guard, `differences`
compares with a reference, `settle` writes down what is agreed. The base (last agreed value of each
entity) is what makes a comparison three-way; it is kept in the state folder.
"""

import os
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import replace as replace_fields
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent import targets as target_table
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.collection import Cache, Collection
from roosync_agent.collecting.last_good import LastGood
from roosync_agent.collecting.places import Layout, System, layout, system_of
from roosync_agent.collecting.reference import BASELINE, Reference
from roosync_agent.files.door import Door, RealDoor
from roosync_agent.keyring_store import KeyringStore
from roosync_agent.session import utc_now
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_agent.targets import marks
from roosync_agent.targets.base import WORKSPACE
from roosync_agent.targets.user import Own, OwnTargets
from roosync_protocol import wipe
from roosync_protocol.diff import ABSENT, RECORDED, Divergence, compare
from roosync_protocol.entity import Entities, Entity, Skipped, declared, target_of
from roosync_protocol.portable import UnknownTokenError


class Looked(Struct, frozen=True, kw_only=True):
    """One look at the files: what was collected, and the targets whose state is not believed, with the reason."""

    collection: Collection
    quarantine: Mapping[str, str]

    @property
    def trusted(self) -> frozenset[str]:
        """Targets that are here, were read whole, and are believed."""
        return self.collection.readable - self.quarantine.keys()

    @property
    def unread(self) -> dict[str, str]:
        """Targets that are here and could not be read at all, with the reason; what is quarantined says so itself."""
        skipped = self.collection.skipped_targets
        return {target: reason for target, reason in skipped.items() if target not in self.quarantine}

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Single files and things that could not be read, in targets that could."""
        gone = self.collection.skipped_targets.keys() | self.quarantine.keys()
        return tuple(one for one in self.collection.skipped if one.target not in gone)

    @property
    def entities(self) -> Entities:
        """What may be published and compared."""
        trusted = self.trusted
        return {key: e for key, e in self.collection.entities.items() if target_of(key) in trusted}


class Local:
    def __init__(self, settings: Settings, state: State, door: Door | None = None) -> None:
        self.settings = settings
        self.state = state
        self.door: Door = door or RealDoor()
        self.base = state.base()
        self.last_good = LastGood(self.door, settings.state)
        self._cache = Cache()
        self._own_targets = OwnTargets(settings.own_targets)
        self._keyring = KeyringStore(settings.state)
        self.public_names: frozenset[str] = frozenset()  # of the fleet's policy; the settings' own come on top
        self.approved: frozenset[str] = frozenset()  # keys whose removal was decided: their loss proves nothing
        self.released: set[str] = set()  # targets a person said to believe, once

    @classmethod
    def by_last_law(cls, settings: Settings) -> "Local":
        """This machine's side without a session: as the agent sees it, by the law as it was last believed."""
        local = cls(settings, state := State(settings.state))
        if (law := state.law()) is not None:
            local.public_names = frozenset(law.policy.public_names)
        return local

    def layout(self) -> Layout:
        return layout(
            self.door,
            self.settings.home,
            os.environ,
            self.system,
            spelled_home=self.settings.home_as or "",
            workspaces=self.settings.workspaces,
        )

    @property
    def system(self) -> System:
        """The system that this machine is, or plays."""
        return self.settings.os or system_of(sys.platform)  # type: ignore[return-value]

    def own_targets(self) -> Own:
        """What the person's own declarations say now, and what is wrong with them."""

        here = cache(self.layout)  # asked for when there is something to read anew

        def where(spec: target_table.TargetSpec) -> list[target_table.Target]:
            return target_table.locate(spec, here(), self.door)

        return self._own_targets.read(self.system, target_table.TABLE, where)

    def specs(self, names: tuple[str, ...] = ()) -> tuple[target_table.TargetSpec, ...]:
        """The targets that are managed here; `names` chooses among them. ValueError for an unknown name."""
        table = (*target_table.TABLE, *self.own_targets().specs)
        wanted = target_table.known(self.settings.targets, table) if self.settings.targets else ()
        managed = target_table.select(wanted, table) if wanted or not self.settings.targets else ()
        if not names:
            return managed
        chosen = {spec.name for spec in target_table.select(names, table)}
        return tuple(spec for spec in managed if spec.name in chosen)

    def look(self, names: tuple[str, ...] = ()) -> Looked:
        """Reads the managed files (unchanged ones are not read again) and passes them through the wipe guard."""
        collection = collect(
            self.door,
            self.layout(),
            self.specs(names),
            public_names=self.settings.public_names | self.public_names,
            cache=self._cache,
            stored=self._keyring.stored,
        )
        broken = tuple(Skipped(path=fault.file, reason=fault.reason) for fault in self.own_targets().faults)
        collection = replace_fields(collection, skipped=(*collection.skipped, *broken))
        return Looked(collection=collection, quarantine={} if names else self.judge(collection))

    def judge(self, collection: Collection) -> dict[str, str]:
        """The wipe guard: what this machine had, against what it has now. Only `believe` moves the measure."""
        unread, skipped = collection.unreadable, collection.skipped_targets
        left = self._unmanaged()
        believed = {key: e for key, e in self.base.believed.items() if target_of(key) not in left}
        before = {key: e for key, e in believed.items() if key not in unread and target_of(key) not in skipped}
        found = wipe.degraded(before, self.base.sizes, collection.entities, collection.sizes, approved=self.approved)
        had = {target_of(key) for key in believed}
        found |= {target: f"it can not be read: {skipped[target]}" for target in skipped if target in had}
        for released in self.released & found.keys():
            del found[released]
        return found

    def _unmanaged(self) -> set[str]:
        """Targets that something is known of, and that are not among those to be managed here any more."""
        known = {target_of(name) for name in (*self.base.believed, *self.base.sizes, *self.last_good.files)}
        managed: dict[str, bool] = {spec.name: WORKSPACE in spec.folder for spec in self.specs()}
        left = set()
        for target in known:
            name, _, place = target.partition("@")
            if name not in managed or (managed[name] and place not in self.settings.workspaces):
                left.add(target)
        return left

    def believe(self, looked: Looked) -> None:
        """From now on this is what the machine is known to have; what is quarantined or unread stays as it was known.

        A released target whose assistant is not here any more is forgotten, and so is one that is not managed any more.
        The files are kept as they are, for a repair.
        """
        trusted, unread = looked.trusted, looked.collection.unreadable
        left = set() if self.own_targets().faults else self._unmanaged()  # a declaration that broke takes nothing away
        known = trusted | (self.released - looked.collection.present) | left
        kept = {key: e for key, e in self.base.believed.items() if target_of(key) not in known or key in unread}
        sizes = {label: size for label, size in self.base.sizes.items() if target_of(label) not in known}
        believed = kept | looked.entities
        sizes |= {label: size for label, size in looked.collection.sizes.items() if target_of(label) in trusted}
        now = utc_now()
        held = {target: self.base.held.get(target, now) for target in looked.quarantine}
        self._keep(looked, frozenset(known))
        if (believed, sizes, held) != (self.base.believed, self.base.sizes, self.base.held):
            self.base = replace(self.base, believed=believed, sizes=sizes, held=held)
            self.state.save_base(self.base)
        self.released -= known
        self.approved = frozenset()

    def _keep(self, looked: Looked, known: frozenset[str]) -> None:
        """The copies that a repair puts back. Of a text that can not be read now, the copy stays as well."""
        unread = {unicodedata.normalize("NFC", key) for key in looked.collection.unreadable}
        also = {
            label
            for label in self.last_good.files
            if target_of(label) not in known or unicodedata.normalize("NFC", label) in unread
        }
        files = [file for file in looked.collection.files if file.target in looked.trusted]
        self.last_good.keep(files, frozenset(also), utc_now())

    def here(self, reference: Reference) -> Reference:
        """The reference in the form in which this machine would collect it: its own nested places named as it does."""
        places = self.layout().places
        own = {spec.name: spec.marks for spec in self.own_targets().specs}

        def form(entity: Entity) -> Entity:
            try:
                return marks.settled(own.get(declared(entity.target), marks.NONE), entity, places)
            except (UnknownTokenError, ValueError):
                return entity  # planning it says what is in the way

        return replace(reference, entities={key: form(entity) for key, entity in reference.entities.items()})

    def differences(self, looked: Looked, reference: Reference) -> list[Divergence]:
        """What differs from a reference, for the targets both sides speak of.

        An entity with a base is compared three-way; one without is judged as on a first join: never
        deleted, never overwritten by itself. Another machine is compared without a base at all.
        """
        reference = reference.for_targets(looked.trusted, looked.collection.unreadable)
        local = looked.entities
        machine = self.settings.machine or ""
        base = self.base.entities if reference.name == BASELINE else {}
        unread = looked.collection.unreadable
        based = {key for key in base if target_of(key) in looked.trusted and key not in unread}
        known = compare(
            {key: base[key] for key in based},
            {key: e for key, e in local.items() if key in based},
            {key: e for key, e in reference.entities.items() if key in based},
            removed=reference.removed & based,
            first_join=False,
            machine=machine,
        )
        fresh = compare(
            {},
            {key: e for key, e in local.items() if key not in based},
            {key: e for key, e in reference.entities.items() if key not in based},
            removed=reference.removed - based,
            first_join=True,
            machine=machine,
        )
        return sorted(known + fresh, key=lambda d: d.key)

    def record(self, divergences: list[Divergence], looked: Looked, reference: Reference) -> None:
        """Writes down what both sides agree on: converged and adopted entities become the base."""
        entities = dict(self.base.entities)
        open_keys = {d.key for d in divergences if d.verdict not in RECORDED}
        agreed = reference.for_targets(looked.trusted).entities
        entities |= {key: e for key, e in agreed.items() if key not in open_keys and key in looked.entities}
        for divergence in divergences:
            if divergence.verdict in RECORDED and divergence.local is ABSENT:
                entities.pop(divergence.key, None)
        self._save(entities, reference.revision)

    def agree(self, key: str, entity: Entity | None) -> None:
        """After an apply: this is now the last agreed value of one entity."""
        entities = dict(self.base.entities)
        if entity is None:
            entities.pop(key, None)
        else:
            entities[key] = entity
        self._save(entities, self.base.revision)

    def _save(self, entities: Entities, revision: int) -> None:
        if entities != self.base.entities or revision != self.base.revision:
            self.base = replace(self.base, entities=entities, revision=revision, joined=True)
            self.state.save_base(self.base)
