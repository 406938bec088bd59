"""What can be asked of a machine: labels, which an operator signed, and facts, which the machine says of itself.

Facts come from machines, so they are bounded, compared as text, and never taken as a reason to trust anybody. What a
machine never said is unknown, and nothing is guessed for it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from roosync_protocol.fleet import Fleet
    from roosync_protocol.overview import MachineRow

LABEL, LOCAL = "label.", "local."
MAX_FACT = 200  # characters of one that are looked at
MAX_HAS = 5_000  # names of what a machine has that are looked at
KEY = re.compile(r"[a-z][a-z0-9_.-]{0,39}")  # of a label
SEEN = {"present": "yes", "silent": "no"}  # "unknown" is no fact
ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}  # one thing, spelled as systems spell it
NO_RECIPE = "none"  # a machine that refuses every update says so beforehand

FACTS: dict[str, tuple[str, tuple[str, ...]]] = {  # what it is, and its values when there is a list of them
    "present": ("is its heartbeat on the bus at this moment?", ("yes", "no")),
    "state": (
        "as `roosync status` tells it",
        ("synced", "diverged", "conflict", "quarantined", "unknown", "no_report"),
    ),
    "version": ("of roosync, as its agent reports it", ()),
    "os": ("linux, macos, windows, freebsd ...", ()),
    "arch": ("of its processor: x86_64, aarch64 ...", ()),
    "baseline": ("the version of the baseline that it compared itself with", ()),
    "paused": ("is automatic application off there?", ("yes", "no")),
    "recipe": ("how it takes a new version of roosync; none: it refuses", ("git", "uv", "custom", NO_RECIPE)),
    "orchestrates": ("may it take the orchestrator's role?", ("yes", "no")),
}


class Candidate(Struct, frozen=True, kw_only=True):
    """A machine as it is chosen: every text in lower case, but its labels, which are shown too."""

    name: str
    labels: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}  # by their names in FACTS, and `local.NAME`; one that is not here is unknown
    has: frozenset[str] | None = None  # None: it never said what it has


def candidates(fleet: "Fleet", rows: "Iterable[MachineRow]") -> list[Candidate]:
    """The members of the fleet among the rows of an overview, in their order."""
    members = fleet.law.members
    found = []
    for row in rows:
        member = members.get(row.machine)
        if member is None or member.revoked:
            continue
        report = fleet.inventory(row.machine)
        told = report.inventory if report else {}
        found.append(
            Candidate(
                name=row.machine,
                labels=member.labels,
                facts=_facts(row, told) | {"orchestrates": _yes(member.may_orchestrate)},
                has=_has(told) if report else None,
            )
        )
    return found


def _facts(row: "MachineRow", told: Mapping[str, Any]) -> dict[str, str]:
    system, arch = _text(told.get("system")), _text(told.get("arch"))
    facts = {
        "present": SEEN.get(row.seen, ""),
        "state": row.state,
        "version": _text(row.roosync_version),
        "os": system,
        "arch": ARCHITECTURES.get(arch, arch),
        "baseline": _text(row.baseline_version),
        "paused": _yes(row.paused) if row.state != "no_report" or row.paused else "",
    }
    if (recipe := _text(told.get("update"))) in FACTS["recipe"][1]:
        facts["recipe"] = recipe
    local = told.get("labels")
    if isinstance(local, dict):
        named = [(key, value) for key, value in list(local.items())[:50] if isinstance(key, str) and KEY.fullmatch(key)]
        facts |= {f"{LOCAL}{key}": _text(value) for key, value in named}
    return {name: value for name, value in facts.items() if value}


def _has(told: Mapping[str, Any]) -> frozenset[str]:
    """Targets, assistants (with dashes for blanks), MCP servers (also without their target) and tools."""
    found: list[str] = []
    for kind in ("targets", "mcp_servers", "tools"):
        listed = told.get(kind)
        if isinstance(listed, list):
            names = [_text(name) for name in listed[:MAX_HAS]]
            found += names
            if kind == "mcp_servers":
                found += [name.partition("/")[2] for name in names]
    assistants = told.get("assistants")
    if isinstance(assistants, list):
        named = (one.get("name") for one in assistants[:MAX_HAS] if isinstance(one, dict))
        found += ["-".join(_text(name).split()) for name in named]
    return frozenset(filter(None, found))


def _text(value: object) -> str:
    return value[:MAX_FACT].lower() if isinstance(value, str) else ""


def _yes(value: bool) -> str:
    return "yes" if value else "no"
