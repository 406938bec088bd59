"""How dangerous is a change? A configuration is a list of commands to run on somebody's machine."""

from enum import IntEnum

from msgspec import Struct

from roosync_protocol.digest import digest, same
from roosync_protocol.entity import Kind
from roosync_protocol.names import Value


class Risk(IntEnum):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Assessment(Struct, frozen=True):
    risk: Risk
    reasons: tuple[str, ...] = ()


def assess(key: str, kind: Kind, before: Value | None, after: Value | None) -> Assessment:
    if same(before, after):
        return Assessment(Risk.NONE)
    if kind in (Kind.MODE, Kind.TEXT):
        return Assessment(Risk.MEDIUM, ("instructions change",))
    return Assessment(Risk.HIGH, ("what executes changes",))


def surface(kind: Kind, value: Value | None) -> Value:
    return value


def surface_digest(kind: Kind, value: Value | None) -> str:
    return digest(surface(kind, value))
