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
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from roosync_protocol.digest import canonical
from roosync_protocol.names import Value

REFERENCE = "profile:"
_LITERAL = "id:"  # before an id that is spelled like a reference, so that nothing is taken for what it is not
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 11  # the usual one; of 2 to 13


class Form(Enum):
    SECTION = auto()  # a map of settings, each with a form of its own
    PROFILES = auto()  # name -> profile, with its id inside
    PROFILE = auto()
    LISTED = auto()  # a list of maps with id and name
    KEYS = auto()  # id -> anything
    VALUES = auto()  # anything -> id
    IDS = auto()  # a list of ids
    ID = auto()


FORMS: dict[str, Form] = {  # Roo Code: global-settings.ts, ProviderSettingsManager.ts
    "providerProfiles": Form.SECTION,
    "globalSettings": Form.SECTION,
    "settings": Form.SECTION,
    "apiConfigs": Form.PROFILES,
    "listApiConfigMeta": Form.LISTED,
    "profileThresholds": Form.KEYS,
    "pinnedApiConfigs": Form.KEYS,
    "modeApiConfigs": Form.VALUES,
    "cloudProfileIds": Form.IDS,
}
_ONE_ID = "ApiConfigId"  # condensingApiConfigId, enhancementApiConfigId, and those to come


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
        for name, its_id in _pairs(document):
            ids_of.setdefault(name, set()).add(its_id)
            names_of.setdefault(its_id, set()).add(name)
        nowhere = names_of.pop("", set())
        names = {its_id: min(found) for its_id, found in names_of.items() if len(found) == 1}
        names = {its_id: name for its_id, name in names.items() if len(ids_of[name]) == 1}
        ids = {name: its_id for its_id, name in names.items()} | dict.fromkeys(nowhere, "")
        left = _dangling(document, names, ids)
        taken = frozenset(i for _, form, value in _settings("", document) for i in _mentioned(form, value))
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
        return self._named(*_form(key), value)

    def with_ids(self, key: str, value: Value) -> Value:
        """The inverse of `named`: the value as this machine writes it. A profile that is new here gets a new id."""
        path, form = _form(key)
        if form is not Form.SECTION:
            return self._with_ids(path, form, value)
        coming = {name for name, its_id in _pairs(value) if not its_id} - self.ids.keys()
        return replace(self, coming=self.coming | coming)._with_ids(path, form, value)

    def id_of(self, name: str) -> str:
        """The id of a profile on this machine, or the one it gets here: always the same for one name and salt."""
        return self.ids.get(name) or _new_id(name, self.salt, self.taken)

    def _named(self, path: str, form: Form | None, value: Value) -> Value:
        match form, value:
            case Form.SECTION | Form.PROFILES, dict():
                return {key: self._named(*_inside(path, form, key), inner) for key, inner in value.items()}
            case Form.PROFILE, dict() if value.get("id") and value["id"] == self.ids.get(path):
                return {key: inner for key, inner in value.items() if key != "id"}
            case Form.LISTED, list():
                return [self._named(_name_of(entry), Form.PROFILE, entry) for entry in value]
            case Form.KEYS, dict():
                left = _left_out(form, value, self.names, self.ids)
                return {self._reference(key): inner for key, inner in value.items() if key not in left}
            case Form.VALUES, dict():
                left = _left_out(form, value, self.names, self.ids)
                return {key: self._named("", Form.ID, inner) for key, inner in value.items() if key not in left}
            case Form.IDS, list():
                return [self._named("", Form.ID, inner) for inner in value]
            case Form.ID, str():
                return self._reference(value)
        return value

    def _with_ids(self, path: str, form: Form | None, value: Value) -> Value:
        match form, value:
            case Form.SECTION | Form.PROFILES, dict():
                return {key: self._with_ids(*_inside(path, form, key), inner) for key, inner in value.items()}
            case Form.PROFILE, dict() if path and "id" not in value and self.ids.get(path) != "":
                return value | {"id": self.id_of(path)}
            case Form.LISTED, list():
                return [self._with_ids(_name_of(entry), Form.PROFILE, entry) for entry in value]
            case Form.KEYS, dict():
                return self._own(path) | {self._id(key): inner for key, inner in value.items()}
            case Form.VALUES, dict():
                return self._own(path) | {key: self._with_ids("", Form.ID, inner) for key, inner in value.items()}
            case Form.IDS, list():
                return [self._with_ids("", Form.ID, inner) for inner in value]
            case Form.ID, str():
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


def _form(key: str) -> tuple[str, Form | None]:
    path, form = "", Form.SECTION
    rest = key
    while rest:
        # The name of a profile or a mode may hold dots: it is the rest, whole.
        head, _, rest = rest.partition(".") if form is Form.SECTION else (rest, "", "")
        path, inner = _inside(path, form, head)
        if inner is None:
            return path, None
        form = inner
    return path, form


def _inside(path: str, form: Form, key: str) -> tuple[str, Form | None]:
    """(path, form) of a member; the path of a profile is its name."""
    if form is Form.PROFILES:
        return key, Form.PROFILE
    if form is Form.VALUES:
        return "", Form.ID
    whole = f"{path}.{key}" if path else key
    return whole, FORMS.get(key, Form.ID if key.endswith(_ONE_ID) else None) if form is Form.SECTION else None


def _name_of(entry: Value) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def _settings(path: str, value: Value) -> Iterator[tuple[str, Form, Value]]:
    """Every setting of a document that has to do with profiles."""
    if isinstance(value, dict):
        for key, inner in value.items():
            whole, form = _inside(path, Form.SECTION, key)
            if form is Form.SECTION:
                yield from _settings(whole, inner)
            elif form is not None:
                yield whole, form, inner


def _pairs(document: Value) -> Iterator[tuple[str, str]]:
    """(name, id) of every profile the document speaks of; "" where it has no id."""
    for _, form, value in _settings("", document):
        entries: list[tuple[str, Value]] = []
        if form is Form.PROFILES and isinstance(value, dict):
            entries = list(value.items())
        elif form is Form.LISTED and isinstance(value, list):
            entries = [(_name_of(entry), entry) for entry in value]
        for name, entry in entries:
            if name and isinstance(entry, dict):
                its_id = entry.get("id")
                yield name, its_id if isinstance(its_id, str) else ""


def _dangling(document: Value, names: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, dict[str, Value]]:
    left = {path: _left_out(form, value, names, ids) for path, form, value in _settings("", document)}
    return {path: entries for path, entries in left.items() if entries}


def _left_out(form: Form, value: Value, names: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, Value]:
    """The entries of a map that speak of no profile. "" says none on purpose; where no profile is known, all may be."""

    def dangles(its_id: str) -> bool:
        elsewhere = its_id.startswith(REFERENCE) and not ids.get(its_id.removeprefix(REFERENCE))
        return its_id != "" and its_id not in names and not elsewhere

    if not names or not isinstance(value, dict):
        return {}
    if form is Form.KEYS:
        return {key: inner for key, inner in value.items() if dangles(key)}
    if form is Form.VALUES:
        return {key: inner for key, inner in value.items() if isinstance(inner, str) and dangles(inner)}
    return {}


def _mentioned(form: Form, value: Value) -> Iterator[str]:
    """The ids a setting refers to, also those that no profile has."""
    match form, value:
        case Form.KEYS, dict():
            yield from value
        case Form.VALUES, dict():
            yield from _mentioned(Form.IDS, list(value.values()))
        case Form.IDS, list():
            yield from (inner for inner in value if isinstance(inner, str))
        case Form.ID, str():
            yield value


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
