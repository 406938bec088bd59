"""Three home folders for the demonstration and for tests: ours, made up, and as untidy as real ones.

    alpha   Ana, Linux     YAML with comments, secrets in env, headers, arguments and URLs
    beta    Ben, Windows   CRLF everywhere, a byte order mark, `cmd /c npx`, back-slashes
    gamma   Chloe, macOS   tabs, modes still written as JSON, a server unlike the others', a file that is broken

In `samples/` no file has the name a tool looks for, or whoever opens this repository would be given them as
instructions, and a global .gitignore would drop them: `dot-x` becomes `.x`, and a last `.sample` is taken off.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from roosync_agent.files.door import Door, RealDoor

# What a machine is told about itself, because here one system plays three: Settings.os and Settings.home_as.
MACHINES: dict[str, dict[str, str]] = {
    "alpha": {"os": "posix", "home_as": "/home/ana"},
    "beta": {"os": "windows", "home_as": "C:\\Users\\ben"},
    "gamma": {"os": "macos", "home_as": "/Users/chloe"},
}

# Every secret in the samples. None of them is one; none may be found in anything that left its machine.
PLANTED: tuple[str, ...] = (
    "ghp_FAKEalpha0aB1cD2eF3gH4iJ5kL6mN7oP8qR9s",
    "FAKEalpha-pg-7Qx2LmZ9",
    "FAKEalpha9d2c4b6a8f0e1d3c5b7a",
    "FAKEalphaQ1W2E3R4T5Y6U7",
    "FAKEalpha.eyJzdWIiOiJhbmEifQ.c2lnLWFscGhh",
    "FAKEalpha-btq-5f4e3d2c1b0a9988",
    "ghp_FAKEalpha1Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1",
    "FAKEalpha-tk-0123456789abcdef",
    "sk-ant-FAKEalpha-api03-Lk3Jh5Gf7Ds9",
    "ghp_FAKEbeta00zY1xW2vU3tS4rQ5pO6nM7lK8jI9h",
    "FAKEbeta-pg-3Rt8VnK1",
    "FAKEbeta1a3c5e7092b4d6f8a0c2e4",
    "FAKEbetaA1S2D3F4G5H6J7",
    "FAKEbeta.eyJzdWIiOiJiZW4ifQ.c2lnLWJldGE",
    "FAKEbeta-btq-8899a0b1c2d3e4f5",
    "ghp_FAKEbeta01Aa2Bb3Cc4Dd5Ee6Ff7Gg8Hh9Ii",
    "FAKEbeta-tk-fedcba9876543210",
    "FAKEbeta-oauth-Zx8Cv6Bn4Mm2",
    "ghp_FAKEgamma0mN1bV2cX3zL4kJ5hG6fD7sA8pO9i",
    "FAKEgamma-pg-6Wd4HsJ5",
    "FAKEgammae4c2a0f8d6b4290e7c5",
    "FAKEgammaZ1X2C3V4B5N6M7",
    "FAKEgamma.eyJzdWIiOiJjaGxvZSJ9.c2lnLWdhbW1h",
    "ghp_FAKEgamma1Qq2Ww3Ee4Rr5Tt6Yy7Uu8Ii9Oo",
    "FAKEgamma-tk-13579bdf02468ace",
)


def lay(name: str, home: Path, door: Door | None = None) -> dict[str, str]:
    """Copies the sample `name` into `home`, byte for byte, and returns its machine's settings (os, home_as).

    `home` must be empty or missing: this writes the files by which assistants are configured, and never over
    somebody's own. ValueError otherwise, or for a name that is no sample.
    """
    door = door or RealDoor()
    if name not in MACHINES:
        raise ValueError(f"{name!r} is no sample; there are {', '.join(MACHINES)}")
    if door.names(home):
        raise ValueError(f"{home} is not empty: samples are laid into an empty folder only")
    for parts, data in contents(name):
        path = home.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        door.write(path, data, mode=0o600 if path.suffix == ".json" else 0o644)
    return dict(MACHINES[name])


def contents(name: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """The files of a sample, by their parts below the home folder, in one order everywhere."""
    yield from _walk(files("roosync_agent.demo") / "samples" / name, ())


def _walk(folder: Traversable, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        below = (*parts, _laid(entry.name))
        if entry.is_dir():
            yield from _walk(entry, below)
        else:
            yield below, entry.read_bytes()


def _laid(name: str) -> str:
    name = name.removesuffix(".sample")
    return "." + name.removeprefix("dot-") if name.startswith("dot-") else name
