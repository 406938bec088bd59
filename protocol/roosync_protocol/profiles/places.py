"""Where the ids of profiles stand in the settings of Roo and Zoo Code, as data; and the walks over a document by it."""

from collections.abc import Iterator, Mapping
from enum import Enum, auto

from roosync_protocol.names import Value

REFERENCE = "profile:"


class Place(Enum):
    """How ids of profiles stand in a setting."""

    SECTION = auto()  # a map of settings, each a place of its own
    PROFILES = auto()  # name -> profile, with its id inside
    PROFILE = auto()
    LISTED = auto()  # a list of maps with id and name
    KEYS = auto()  # id -> anything
    VALUES = auto()  # anything -> id
    IDS = auto()  # a list of ids
    ID = auto()


PLACES: dict[str, Place] = {  # Roo Code: global-settings.ts, ProviderSettingsManager.ts
    "providerProfiles": Place.SECTION,
    "globalSettings": Place.SECTION,
    "settings": Place.SECTION,
    "apiConfigs": Place.PROFILES,
    "listApiConfigMeta": Place.LISTED,
    "profileThresholds": Place.KEYS,
    "pinnedApiConfigs": Place.KEYS,
    "modeApiConfigs": Place.VALUES,
    "cloudProfileIds": Place.IDS,
}
_ONE_ID = "ApiConfigId"  # condensingApiConfigId, enhancementApiConfigId, and those to come


def place_of(key: str) -> tuple[str, Place | None]:
    """(path, place) of a setting by its name, with or without its section."""
    path, place = "", Place.SECTION
    rest = key
    while rest:
        # The name of a profile or a mode may hold dots: it is the rest, whole.
        head, _, rest = rest.partition(".") if place is Place.SECTION else (rest, "", "")
        path, inner = inside(path, place, head)
        if inner is None:
            return path, None
        place = inner
    return path, place


def inside(path: str, place: Place, key: str) -> tuple[str, Place | None]:
    """(path, place) of a member; the path of a profile is its name."""
    if place is Place.PROFILES:
        return key, Place.PROFILE
    if place is Place.VALUES:
        return "", Place.ID
    whole = f"{path}.{key}" if path else key
    return whole, PLACES.get(key, Place.ID if key.endswith(_ONE_ID) else None) if place is Place.SECTION else None


def name_of(entry: Value) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def settings(path: str, value: Value) -> Iterator[tuple[str, Place, Value]]:
    """Every setting of a document that has to do with profiles."""
    if isinstance(value, dict):
        for key, inner in value.items():
            whole, place = inside(path, Place.SECTION, key)
            if place is Place.SECTION:
                yield from settings(whole, inner)
            elif place is not None:
                yield whole, place, inner


def profiles_in(document: Value) -> Iterator[tuple[str, str]]:
    """(name, id) of every profile the document speaks of; "" where it has no id."""
    for _, place, value in settings("", document):
        entries: list[tuple[str, Value]] = []
        if place is Place.PROFILES and isinstance(value, dict):
            entries = list(value.items())
        elif place is Place.LISTED and isinstance(value, list):
            entries = [(name_of(entry), entry) for entry in value]
        for name, entry in entries:
            if name and isinstance(entry, dict):
                its_id = entry.get("id")
                yield name, its_id if isinstance(its_id, str) else ""


def dangling_in(document: Value, names: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, dict[str, Value]]:
    left = {path: left_out(place, value, names, ids) for path, place, value in settings("", document)}
    return {path: entries for path, entries in left.items() if entries}


def left_out(place: Place, value: Value, names: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, Value]:
    """The entries of a map that speak of no profile. "" says none on purpose; where no profile is known, all may be."""

    def dangles(its_id: str) -> bool:
        elsewhere = its_id.startswith(REFERENCE) and not ids.get(its_id.removeprefix(REFERENCE))
        return its_id != "" and its_id not in names and not elsewhere

    if not names or not isinstance(value, dict):
        return {}
    if place is Place.KEYS:
        return {key: inner for key, inner in value.items() if dangles(key)}
    if place is Place.VALUES:
        return {key: inner for key, inner in value.items() if isinstance(inner, str) and dangles(inner)}
    return {}


def mentioned(place: Place, value: Value) -> Iterator[str]:
    """The ids a setting refers to, also those that no profile has."""
    match place, value:
        case Place.KEYS, dict():
            yield from value
        case Place.VALUES, dict():
            yield from mentioned(Place.IDS, list(value.values()))
        case Place.IDS, list():
            yield from (inner for inner in value if isinstance(inner, str))
        case Place.ID, str():
            yield value
