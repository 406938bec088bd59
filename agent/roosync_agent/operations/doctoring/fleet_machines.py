"""The machines: two agents in one name, versions that do not understand each other, who never reported."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.running.own_reports import TWIN
from roosync_protocol import __version__
from roosync_protocol.versions import at_least, same

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

LISTED = 5


async def check(machine: "Machine") -> Seen:
    present = await machine.present()
    names = machine.fleet.law.machines()
    findings = [*_twins(machine), *_mail(machine)]
    versions = {name: report.roosync_version for name in names if (report := machine.fleet.status(name))}
    findings += versions_differ({name: version for name, version in versions.items() if version})
    findings += _silent(machine, present)
    if present is None:
        return Seen("", findings, skipped="who is there could not be read")
    there = len(present.keys() & {*names})
    return Seen(f"{there} of {len(names)} machines are there; version {__version__}", findings)


def _twins(machine: "Machine") -> Iterator[Finding]:
    """This machine's own agent met its twin; of the others their own reports tell it."""
    told = [machine.name] if machine.presence.twin else []
    for name in machine.fleet.law.machines():
        report = machine.fleet.status(name)
        if name != machine.name and report is not None and TWIN in report.notes:
            told.append(name)
    for name in told:
        yield Finding(
            kind="two-agents",
            severity="error",
            about=name,
            says=f"two agents speak as {name} at the same time: a copied state folder, or a computer that was cloned",
            matters="both answer in one name: each undoes what the other did, and nobody knows whose files are meant",
            mend="stop the one whose folder is the copy, and take the folder away; that computer joins with a code",
            command="roosync invite",
        )


def versions_differ(versions: dict[str, str]) -> Iterator[Finding]:
    """`versions`: machine -> what it runs. A release understands the one before it (docs/compatibility.md)."""
    old = {name: version for name, version in versions.items() if not at_least(version, __version__)}
    new = {name: version for name, version in versions.items() if not at_least(__version__, version)}
    for name, version in sorted(old.items())[:LISTED]:
        far = not one_release_apart(version, __version__)
        yield Finding(
            kind="version",
            severity="warning" if far else "note",
            about=name,
            says=f"{name} runs {version}, and this machine {__version__}"
            + (": more than one release lies between" if far else ""),
            matters="it is not known whether two such versions understand each other"
            if far
            else "both work together; what is newer than that machine is not done there",
            mend="bring that machine to the same version",
            command=f"roosync update require {__version__} --on {name}",
        )
    if new:
        newest = sorted(new.items(), key=lambda one: one[1])[-1]
        far = not one_release_apart(__version__, newest[1])
        yield Finding(
            kind="version",
            severity="warning" if far else "note",
            about=newest[0],
            says=f"{newest[0]} runs {newest[1]}, which is newer than this machine's {__version__}",
            matters="what is newer than this machine is not done here; sign with the newest version there is",
            mend="bring this machine to the same version",
            command="pip install -U roosync",
        )


def one_release_apart(old: str, new: str) -> bool:
    """Is `new` of the release after that of `old`, or of the same one? A release is told by its first two numbers."""
    try:
        (major, minor), (next_major, next_minor) = (
            tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) for version in (old, new)
        )
    except ValueError:
        return same(old, new)
    return (major == next_major and abs(next_minor - minor) <= 1) or (next_major == major + 1 and next_minor == 0)


def _silent(machine: "Machine", present: object) -> Iterator[Finding]:
    """Who is off is no trouble; who was admitted and never said a word is."""
    fleet = machine.fleet
    never = [name for name in fleet.law.machines() if name != machine.name and fleet.status(name) is None]
    there = present if isinstance(present, dict) else {}
    mute = [name for name in never if name in there]
    for name in mute[:LISTED]:
        yield Finding(
            kind="mute",
            severity="warning",
            about=name,
            says=f"{name} is there, and has never reported",
            matters="whether it is in step is not known",
            mend="read what its agent says on that machine",
            command="roosync doctor",
        )
    if off := [name for name in never if name not in there]:
        yield Finding(
            kind="never-seen",
            severity="note",
            about=off[0],
            says=f"{', '.join(off[:LISTED])}{' ...' if off[LISTED:] else ''} joined and never reported",
            matters="whether it is in step is not known; if it does not come back, its membership only opens a door",
            mend="start its agent there, or end its membership",
            command=f"roosync revoke {off[0]}",
        )


def _mail(machine: "Machine") -> Iterator[Finding]:
    if trouble := machine.mail.trouble:
        yield Finding(
            kind="mail",
            severity="warning",
            about=machine.name,
            says=f"mail is not fetched: {trouble}",
            matters="letters to this machine wait on the broker, and nobody reads them",
            mend="look again in a minute; an older broker makes no mailboxes",
            command="roosync message inbox",
        )
