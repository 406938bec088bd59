"""Every string of a value with its place in words, and the text that a public value stands for."""

from collections.abc import Iterator

from roosync_protocol.names import Value


def places(value: Value | None, place: str = "") -> Iterator[tuple[str, str]]:
    """(place, string) of every string in the value, names included: "env.PATH", "args[2]", "a name in env"."""
    match value:
        case str():
            yield place, value
        case list():
            for at, inner in enumerate(value):
                yield from places(inner, f"{place}[{at}]")
        case dict():
            for name, inner in value.items():
                yield (f"a name in {place}" if place else "a name"), name
                yield from places(inner, f"{place}.{name}" if place else name)


def strings(value: Value | None) -> Iterator[str]:
    """Every string in the value, names included."""
    return (text for _, text in places(value))


def flat(value: Value) -> str:
    """A string in public form as one text."""
    match value:
        case {"$secret": str()}:
            return "[secret]"
        case {"$parts": list() as parts}:
            return "".join(flat(part) for part in parts)
        case str():
            return value
    return str(value)
