"""What a mode may do more: a tool group, or files that the pattern did not let it touch."""

from collections.abc import Iterator

from roosync_protocol.digest import same
from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger
from roosync_protocol.risk.rules import Risk


def in_groups(path: str, before: Value | None, after: Value | None) -> Iterator[Danger]:
    old, new = _groups(before), _groups(after)
    if old is None or new is None:
        yield Risk.HIGH, f"{path} is no list of tool groups"
        return
    for name in sorted(new.keys() - old.keys()):
        yield Risk.MEDIUM, f"the mode gains the tools {name!r}"
    for name in sorted(old.keys() - new.keys()):
        yield Risk.LOW, f"the mode loses the tools {name!r}"
    for name in sorted(old.keys() & new.keys()):
        if not same(old[name], new[name]):
            narrower = old[name] is None
            yield (Risk.LOW if narrower else Risk.MEDIUM), f"other files for the tools {name!r}: {new[name]!r}"


def _groups(value: Value | None) -> dict[str, Value] | None:
    """Group -> what restricts it, None for nothing; None when this is no list of groups."""
    found: dict[str, Value] = {}
    if value is not None and not isinstance(value, list):
        return None
    for one in value or []:
        match one:
            case str() as name:
                restricted: Value = None
            case [str() as name]:
                restricted = None
            case [str() as name, dict() as options, *_]:
                restricted = options.get("fileRegex")
            case _:
                return None
        if name in found:
            return None  # named twice: which one counts is the assistant's secret
        found[name] = restricted
    return found
