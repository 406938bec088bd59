"""The assistants of this machine: found, managed, readable; and the programs that their MCP servers start."""

from collections.abc import Callable, Iterator

from roosync_agent.collecting.collection import Collection
from roosync_agent.collecting.local import Local
from roosync_agent.operations.coordination.lacking import missing
from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_agent.operations.targets_list import TargetRow, TargetsAnswer, rows_of
from roosync_agent.running.where import SettingsError

OF_STATE: dict[str, tuple[str, Callable[[TargetRow], str], str, str, str]] = {
    # state of a target -> severity, what is said, why it matters, mend, command
    "not read": (
        "warning",
        lambda row: f"{row.target} is here and can not be read: {row.note}",
        "whether it is in step is not known, and nothing is applied to it",
        "mend the file, or put back what was last believed of it",
        "roosync explain {target}",
    ),
    "quarantined": (
        "error",
        lambda row: f"{row.target} is quarantined here: {row.note}",
        "nothing of it is published or applied, so that an emptied file does not empty the others",
        "look at it, then put it back, or believe it",
        "roosync quarantine show",
    ),
    "left out": (
        "note",
        lambda row: f"{row.target} is here and not managed: {row.note}",
        "it is not kept in step",
        "add it to `targets` in the settings file, or take that line away for all",
        "roosync targets",
    ),
}

INSTALLS = {"uv": "pip install uv", "uvx": "pip install uv"}  # where one command is right on every system


def check(patient: Patient) -> Seen:
    if patient.settings_trouble:
        return Seen("", skipped="the settings file can not be read")
    try:
        local = Local.by_last_law(patient.settings)
        looked = local.look()
    except (SettingsError, ValueError) as error:
        return Seen("", skipped=str(error))
    answer = rows_of(local, looked)
    managed = sorted({row.assistant for row in answer.targets if row.managed and row.things})
    findings = [*_none(patient, answer), *_targets(answer), *_single(answer)]
    findings += programs(looked.collection)
    return Seen(f"{', '.join(managed)}: {sum(row.things for row in answer.targets if row.managed)} things", findings)


def _none(patient: Patient, answer: TargetsAnswer) -> Iterator[Finding]:
    if not any(row.found for row in answer.targets):
        yield Finding(
            kind="no-assistant",
            severity="warning",
            about=str(patient.settings.home),
            says=f"no assistant that roosync knows was found in {patient.settings.home}",
            matters="there is nothing to keep in step here",
            mend="if they are in another home, name it with ROOSYNC_HOME; other files can be targets of your own",
            command="roosync targets --all",
        )


def _targets(answer: TargetsAnswer) -> Iterator[Finding]:
    for row in answer.targets:
        if row.state not in OF_STATE:
            continue
        severity, says, matters, mend, command = OF_STATE[row.state]
        yield Finding(
            kind=f"target-{row.state.replace(' ', '-')}",
            severity=severity,  # type: ignore[arg-type]
            about=row.target,
            says=says(row),
            matters=matters,
            mend=mend,
            command=command.format(target=row.target),
        )
    for file, reason in answer.broken.items():
        yield Finding(
            kind="own-target",
            severity="error",
            about=file,
            says=f"{file} declares no target: {reason}",
            matters="what it would declare is not kept in step",
            mend="correct it: docs/own-targets.md says what may stand in it",
            command="roosync targets",
        )


def _single(answer: TargetsAnswer) -> Iterator[Finding]:
    for row in answer.targets:
        if row.managed and row.not_read:
            yield Finding(
                kind="not-read",
                severity="note",
                about=row.target,
                says=f"of {row.target}, {row.not_read} things or files can not be read",
                matters="whether they are in step is not known",
                mend="see which ones, and why",
                command=f"roosync explain {row.target}",
            )


def programs(collection: Collection) -> Iterator[Finding]:
    """What is started here and is not there, as far as the PATH of this process shows. What is off needs none."""
    lacking: dict[str, list[str]] = {}
    for entity in collection.entities.values():
        off = isinstance(entity.value, dict) and entity.value.get("disabled") is True
        lacks, _ = ([], []) if off else missing(collection, entity, by_path=True)
        for need in lacks:
            if need.kind == "program":
                lacking.setdefault(need.name, []).append(entity.key)
    for program, keys in sorted(lacking.items()):
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        yield Finding(
            kind="program",
            severity="warning",
            about=program,
            says=f"{program} is not on the path here, and {keys[0]}{more} is started with it",
            matters="the assistant can not start that server on this machine",
            mend="install it; or, if an assistant finds it on a path of its own, leave it",
            command=INSTALLS.get(program, ""),
        )
