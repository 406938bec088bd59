"""Names on the bus, and the JSON tree that every configuration is read into.

A name is one token of a NATS subject, so what may be a name is decided here and nowhere else.
Operators are told from machines by their first letters: the two share the place of the speaker.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta

if TYPE_CHECKING:
    Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
else:
    Value = Any  # msgspec decodes by annotations, and knows no recursive one; limits are checked by the readers

TOKEN = r"^[a-z0-9][a-z0-9-]{0,62}\Z"  # noqa: S105 - a part of a subject, no password
OPERATOR_PREFIX = "op-"

Token = Annotated[str, Meta(pattern=TOKEN)]
MACHINE = r"^(?!op-)[a-z0-9][a-z0-9-]{0,62}\Z"
MachineId = Annotated[str, Meta(pattern=MACHINE)]
# One of many: the same, checked by `require_machines` for all of them in one pass, for a pattern costs each 0.7 us.
OneMachine = Annotated[str, Meta(extra_json_schema={"pattern": MACHINE})]
OperatorId = Annotated[str, Meta(pattern=r"^op-[a-z0-9-]{1,60}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

_TOKEN = re.compile(TOKEN)
_MACHINES = re.compile(r"(?:(?!op-)[a-z0-9][a-z0-9-]{0,62}\n)*+")


def token(text: str) -> str:
    """`text` itself when it can be one token of a subject; otherwise ValueError says why not."""
    if not _TOKEN.match(text):
        raise ValueError(
            f"{text!r} can not be a name: use 1 to 63 lower-case letters, digits and dashes, "
            "starting with a letter or a digit"
        )
    return text


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of them in a line for a person, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def nearest(wanted: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, when there is something like it; else nothing."""
    import difflib

    near = difflib.get_close_matches(wanted, list(known)[:20_000], 2, 0.6)
    return f"; did you mean {', '.join(near)}?" if near else ""


def known(wanted: str, names: Sequence[str], most: int = 10) -> str:
    """What there is in place of a name that nobody knows: some names, and the nearest. For the end of a sentence."""
    return (some(names, most) or "none yet") + nearest(wanted, names)


def is_operator(name: str) -> bool:
    return name.startswith(OPERATOR_PREFIX)


def machine_id(text: str) -> str:
    """A token that may name a machine: not one of the operators' names."""
    if is_operator(token(text)):
        raise ValueError(f"{text!r} can not name a machine: names that start with 'op-' are the operators'")
    return text


def require_machines(names: Collection[str]) -> None:
    """ValueError when one of them can not name a machine."""
    lines = "".join([f"{name}\n" for name in names])
    if _MACHINES.fullmatch(lines) and lines.count("\n") == len(names):
        return
    for name in names:
        machine_id(name)


def propose(text: str) -> str:
    """The nearest token to a host or login name, as a first proposal to a person. ('My PC' -> 'my-pc')"""
    folded = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return folded or "machine"
