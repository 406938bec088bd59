"""The API profiles of Roo and Zoo Code by name, because the ids they are kept by are made by chance on each machine.

The assistants write `Math.random().toString(36).substring(2, 15)` as a profile's id (ProviderSettingsManager) and refer
to profiles by it: which one condenses, which one a mode uses, at which percentage each is condensed. Two machines with
the same ten profiles agree on no id. `Profiles` is made from one machine's document and turns its values into a form
that is the same on every machine, and back:

    named      {"profileThresholds": {"tqjm5wi8gbm": 38}}         -> {"profileThresholds": {"profile:simple": 38}}
    with_ids   the same on a machine where `simple` has another id -> {"profileThresholds": {"fn9ro4j83id": 38}}

A reference is the plain text `profile:<name>`, the same where a key names a profile and where a value does, so diff,
merge and people see one leaf. A profile's own id is left out. A *dangling* id (no profile has it) means nothing to the
assistant: in a map it is left out and put back on this machine, so nobody is asked about it; alone it stays as it
is. What is not certain (one name with two ids, one id with two names) stays as it is too.

A reference to a profile that this machine has not (its key is missing here, say) is written as it is spelled: the
assistant passes over it as over any id that it does not know, and it is said again as it was. Once the profile is here,
the old spelling counts as dangling, so the difference is seen, and the next write has the id.
"""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.digest import canonical
from roosync_protocol.names import Value
from roosync_protocol.profiles.places import (
    REFERENCE,
    Place,
    dangling_in,
    inside,
    left_out,
    mentioned,
    name_of,
    place_of,
    profiles_in,
    settings,
)

_LITERAL = "id:"  # before an id that is spelled like a reference, so that nothing is taken for what it is not
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 11  # the usual one; of 2 to 13


class Profiles(Struct, frozen=True, kw_only=True):
    """Which profile has which id on one machine. Made by `of`."""

    ids: Mapping[str, str]  # name -> id; "" for a profile that is here and has none
    names: Mapping[str, str]  # id -> name
    taken: frozenset[str] = frozenset()  # every id in the document, so that a new one is none of them
    dangling: Mapping[str, Mapping[str, Value]] = {}  # path of a setting -> what `named` leaves out of it
    coming: frozenset[str] = frozenset()  # profiles that are written together with what refers to them
    salt: str = ""

    @classmethod
    def of(cls, document: Value, salt: str = "", coming: Iterable[str] = ()) -> "Profiles":
        """From a settings export, an auto-import file, or the captured state (`settings`); {} for a new machine.

        `salt` makes the ids of new profiles this machine's own: give what is the same in every run, as its name.
        `coming` are the names of profiles that the same write adds, so that what refers to them has their new ids.
        """
        names_of: dict[str, set[str]] = {}
        ids_of: dict[str, set[str]] = {}
        for name, its_id in profiles_in(document):
            ids_of.setdefault(name, set()).add(its_id)
            names_of.setdefault(its_id, set()).add(name)
        nowhere = names_of.pop("", set())
        names = {its_id: min(found) for its_id, found in names_of.items() if len(found) == 1}
        names = {its_id: name for its_id, name in names.items() if len(ids_of[name]) == 1}
        ids = {name: its_id for its_id, name in names.items()} | dict.fromkeys(nowhere, "")
        left = dangling_in(document, names, ids)
        taken = frozenset(i for _, place, value in settings("", document) for i in mentioned(place, value))
        return cls(
            ids=ids,
            names=names,
            taken=taken | names_of.keys(),
            dangling=left,
            coming=frozenset(coming) - ids.keys(),
            salt=salt,
        )

    def named(self, key: str, value: Value) -> Value:
        """The value of a setting with names instead of ids. `key` is its name, with or without the section it stands in
        (`profileThresholds`, `globalSettings.profileThresholds`, `apiConfigs.<name>`); "" for a whole document."""
        return self._named(*place_of(key), value)

    def with_ids(self, key: str, value: Value) -> Value:
        """The inverse of `named`: the value as this machine writes it. A profile that is new here gets a new id."""
        path, place = place_of(key)
        if place is not Place.SECTION:
            return self._with_ids(path, place, value)
        coming = {name for name, its_id in profiles_in(value) if not its_id} - self.ids.keys()
        return replace(self, coming=self.coming | coming)._with_ids(path, place, value)

    def id_of(self, name: str) -> str:
        """The id of a profile on this machine, or the one it gets here: always the same for one name and salt."""
        return self.ids.get(name) or _new_id(name, self.salt, self.taken)

    def _named(self, path: str, place: Place | None, value: Value) -> Value:
        match place, value:
            case Place.SECTION | Place.PROFILES, dict():
                return {key: self._named(*inside(path, place, key), inner) for key, inner in value.items()}
            case Place.PROFILE, dict() if value.get("id") and value["id"] == self.ids.get(path):
                return {key: inner for key, inner in value.items() if key != "id"}
            case Place.LISTED, list():
                return [self._named(name_of(entry), Place.PROFILE, entry) for entry in value]
            case Place.KEYS, dict():
                left = left_out(place, value, self.names, self.ids)
                return {self._reference(key): inner for key, inner in value.items() if key not in left}
            case Place.VALUES, dict():
                left = left_out(place, value, self.names, self.ids)
                return {key: self._named("", Place.ID, inner) for key, inner in value.items() if key not in left}
            case Place.IDS, list():
                return [self._named("", Place.ID, inner) for inner in value]
            case Place.ID, str():
                return self._reference(value)
        return value

    def _with_ids(self, path: str, place: Place | None, value: Value) -> Value:
        match place, value:
            case Place.SECTION | Place.PROFILES, dict():
                return {key: self._with_ids(*inside(path, place, key), inner) for key, inner in value.items()}
            case Place.PROFILE, dict() if path and "id" not in value and self.ids.get(path) != "":
                return value | {"id": self.id_of(path)}
            case Place.LISTED, list():
                return [self._with_ids(name_of(entry), Place.PROFILE, entry) for entry in value]
            case Place.KEYS, dict():
                return self._own(path) | {self._id(key): inner for key, inner in value.items()}
            case Place.VALUES, dict():
                return self._own(path) | {key: self._with_ids("", Place.ID, inner) for key, inner in value.items()}
            case Place.IDS, list():
                return [self._with_ids("", Place.ID, inner) for inner in value]
            case Place.ID, str():
                return self._id(value)
        return value

    def _reference(self, its_id: str) -> str:
        if its_id in self.names:
            return REFERENCE + self.names[its_id]
        plain = not its_id.startswith((REFERENCE, _LITERAL)) or self._elsewhere(its_id)
        return its_id if plain else _LITERAL + its_id

    def _id(self, reference: str) -> str:
        if self._elsewhere(reference):
            return reference
        if reference.startswith(REFERENCE):
            return self.id_of(reference.removeprefix(REFERENCE))
        return reference.removeprefix(_LITERAL)

    def _elsewhere(self, reference: str) -> bool:
        """Does it name a profile that is not here?"""
        name = reference.removeprefix(REFERENCE)
        return reference.startswith(REFERENCE) and not self.ids.get(name) and name not in self.coming

    def _own(self, path: str) -> dict[str, Value]:
        """What was left out of the setting here; a path without its section means the section that has it."""
        found = self.dangling.get(path)
        if found is None:
            found = next((left for whole, left in self.dangling.items() if whole.endswith(f".{path}")), {})
        return dict(found)


def _new_id(name: str, salt: str, taken: frozenset[str]) -> str:
    for attempt in count():
        number = int.from_bytes(hashlib.sha256(canonical([name, salt, attempt])).digest())
        digits = "".join(_DIGITS[number // 36**place % 36] for place in range(_ID_LENGTH))
        if digits not in taken:
            return digits
    raise AssertionError("there are more ids than a document can hold")


class ProfileForm:
    """The form (see `forms`) of a file with Roo's settings: every id by the name of its profile."""

    def __init__(self) -> None:
        self._known: tuple[Value, Profiles] = (None, Profiles.of({}))

    def common(self, name: str, value: Value, whole: Value) -> Value:
        return self._of(whole).named(name, value)

    def spelled(self, name: str, value: Value, now: Value | None, whole: Value) -> Value:
        return self._of(whole).with_ids(name, value)

    def _of(self, whole: Value) -> Profiles:
        """Worked out once for a document: each of its settings asks."""
        document, profiles = self._known
        if document is not whole:
            profiles = Profiles.of(whole)
            self._known = (whole, profiles)
        return profiles
