"""Which of two versions is the newer one: cycles, campaigns and reports ask it, so it is answered in one place."""


def at_least(version: str, required: str) -> bool:
    """Is `version` (two to four numbers, perhaps with a `v`) the required one, or newer? A suffix is not looked at."""
    return _numbers(version) >= _numbers(required)


def same(version: str, other: str) -> bool:
    return at_least(version, other) and at_least(other, version)


def _numbers(version: str) -> tuple[int, ...]:
    """`1.2` and `1.2.0` are the same version, so zeros at the end say nothing."""
    parts = version.removeprefix("v").split("+")[0].split("-")[0].split(".")
    numbers = [int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
