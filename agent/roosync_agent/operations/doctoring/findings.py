"""What a check answers: findings, each with its mend, and a line for when all is well."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
WELL, ERROR, WARNING = 0, 1, 2  # exit codes: a note is worth reading, and nothing is wrong


class Finding(Struct, frozen=True, kw_only=True):
    """`says` what is wrong; `matters`: why; `mend` in words, `command` as it is typed ("" when there is none)."""

    kind: str  # stable, for programs and for `--mend KIND`
    severity: Severity
    about: str  # a machine, a path, an address ...; "" for this machine as a whole
    says: str
    matters: str
    mend: str
    command: str = ""
    where: str = ""  # the machine or address where the command is typed; "" for here
    area: str = ""  # the name of the check; filled in by who runs it
    safe: bool = False  # `roosync doctor --mend` does it: it signs nothing and takes nothing of a person's away
    path: str = ""  # what such a mend touches


class Area(Struct, frozen=True, kw_only=True):
    """One check of the table, as it went."""

    name: str
    looks_at: str
    state: Literal["well", "note", "warning", "error", "not looked at"]
    says: str  # when it is well: what was seen; why not, when nobody looked


class Diagnosis(Struct, frozen=True, kw_only=True):
    """The worst first."""

    machine: str
    findings: list[Finding]
    areas: list[Area]
    seconds: float
    version: str
    agent: str = ""  # "resident", "none" or "silent": who looked at the fleet

    @property
    def exit_code(self) -> int:
        found = {finding.severity for finding in self.findings}
        return ERROR if "error" in found else WARNING if "warning" in found else WELL


class Seen(Struct, frozen=True):
    """The answer of one check. `fine` is said when there is no finding."""

    fine: str
    findings: Sequence[Finding] = ()
    skipped: str = ""  # why nobody looked


def worst(findings: Sequence[Finding]) -> Severity | None:
    return next((one for one in SEVERITIES if any(finding.severity == one for finding in findings)), None)
