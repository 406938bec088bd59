"""Secrets that the agreed configuration needs, and that a machine does not have: by name, never a value."""

from typing import TYPE_CHECKING

from roosync_agent.operations import secrets_seen
from roosync_agent.operations.doctoring.findings import Finding, Seen

if TYPE_CHECKING:
    from roosync_agent.running.machine import Machine

LISTED = 5  # addresses named of each machine


async def check(machine: "Machine") -> Seen:
    if machine.looked is None:
        return Seen("", skipped="the files were not looked at yet")
    answer = await secrets_seen.of_look(machine, machine.looked)
    lacking: dict[str, list[str]] = {}
    for row in answer.rows:
        for name, presence in row.machines.items():
            if presence == "missing":
                lacking.setdefault(name, []).append(row.address)
    findings = [_lacking(name, found, here=name == machine.name) for name, found in sorted(lacking.items())]
    if answer.keyring:
        findings.append(_keyring(machine.name, answer.keyring))
    return Seen(f"{len(answer.rows)} are known by name, and none is missing", findings)


def _lacking(name: str, addresses: list[str], *, here: bool) -> Finding:
    more = f" and {len(addresses) - LISTED} more" if len(addresses) > LISTED else ""
    return Finding(
        kind="secret",
        severity="warning",
        about=name,
        says=f"{name} lacks {', '.join(addresses[:LISTED])}{more}",
        matters="what needs it can not be applied on that machine: a secret never travels",
        mend="set it here; it is asked for, and kept in this machine's keyring" if here else f"set it on {name}",
        command=f"roosync secrets set {addresses[0]}",
    )


def _keyring(name: str, told: str) -> Finding:
    return Finding(
        kind="keyring",
        severity="warning",
        about=name,
        says=f"the keyring can not be used: {told}",
        matters="secrets that are kept there are missing when something that needs them is applied",
        mend="install what is missing, or unlock the keyring of this system",
        command="roosync secrets",
    )
