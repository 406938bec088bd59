"""What was imported, in the state folder: packages by the name that the folder gave them, a baseline to be judged.

    imports/<import>/report.json
    imports/<import>/packages/<machine>/manifest.json, contents/<sha256>     in our form: public values only
    imports/<import>/messages/<id>.json
    imports/<import>/baseline.json        for a person: nothing is law until an operator signs it

Nothing here is read by the agent's turns, published, or counted as the word of the machine that it names.
"""

import shutil
from pathlib import Path

from msgspec import Struct

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.sharing_in.packages import Foreign
from roosync_agent.state import State
from roosync_broker.private_files import read_private, write_private
from roosync_protocol import package
from roosync_protocol.entity import Entities

FOLDER, PACKAGES = "imports", "packages"


class Imported(Struct, frozen=True, kw_only=True):
    """A package as it is kept here."""

    name: str  # <import>/<machine>
    manifest: package.Manifest
    entities: Entities


def folder_of(state: State, name: str) -> Path:
    return state.folder / FOLDER / name


def begin(state: State, name: str) -> Path:
    """An empty folder for an import; the same import of before is replaced."""
    folder = folder_of(state, name)
    if folder.exists():
        shutil.rmtree(folder)
    return folder


def write_package(folder: Path, foreign: Foreign) -> None:
    built = package.build(foreign.machine, foreign.version, foreign.timestamp, list(foreign.files), foreign.description)
    into = folder / PACKAGES / foreign.machine
    write_private(into / "manifest.json", built.contents[built.manifest_hash])
    for sha, data in built.contents.items():
        if sha != built.manifest_hash:
            write_private(into / "contents" / sha, data)


def names(state: State) -> list[str]:
    """<import>/<machine> of every package, sorted."""
    found = (state.folder / FOLDER).glob(f"*/{PACKAGES}/*/manifest.json")
    return sorted(f"{one.parents[2].name}/{one.parent.name}" for one in found)


def find(state: State, name: str) -> Imported:
    """By <import>/<machine>, or by the machine alone when one import has it."""
    known = names(state)
    meant = [one for one in known if one == name] or [one for one in known if one.split("/")[1] == name]
    if len(meant) != 1:
        there = ", ".join(known) or "none: roosync import-share"
        raise RefusedRequestError(
            f"{name!r} is in more than one import; there are {there}"
            if meant
            else f"{name!r} is no imported package; there are {there}"
        )
    share, machine = meant[0].split("/")
    folder = folder_of(state, share) / PACKAGES / machine
    manifest = package.read_manifest(read_private(folder / "manifest.json", package.MAX_CONTENT), folder.name)
    entities: Entities = {}
    for file in manifest.files:
        data = read_private(folder / "contents" / file.hash, package.MAX_CONTENT)
        entities |= package.read_contents(file, data).entities
    return Imported(name=meant[0], manifest=manifest, entities=entities)
