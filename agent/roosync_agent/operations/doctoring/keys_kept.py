"""The keys of this machine: there, whole, the ones that the fleet knows, and the operator's under a passphrase."""

from collections.abc import Iterator
from pathlib import Path

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_broker import keys
from roosync_broker.errors import KeyFileError
from roosync_broker.keys import KeyPair


def check(patient: Patient) -> Seen:
    if patient.identity is None:
        return Seen("", skipped="there is no fleet here")
    findings = [*_machine(patient), *_operator(patient)]
    operator = patient.identity.operator
    whose = f"the machine's and {operator}'s" if operator else "the machine's; the operator's lies elsewhere"
    return Seen(whose, findings)


def _machine(patient: Patient) -> Iterator[Finding]:
    path = patient.state.machine_key
    try:
        public = KeyPair.from_seed(keys.load(path)).public
    except KeyFileError as error:
        yield Finding(
            kind="machine-key",
            severity="error",
            about=str(path),
            says=f"this machine's key can not be used: {error}",
            matters="without it the broker lets nobody in as this machine; nobody can make the same key again",
            mend="bring it back from a backup of this computer; else join again: an operator makes a code",
            command="roosync join CODE",
        )
        return
    known = patient.law.members.get(patient.identity.machine) if patient.law and patient.identity else None
    if known is not None and not known.revoked and known.key != public:
        yield Finding(
            kind="machine-key",
            severity="error",
            about=str(path),
            says=f"the key in {path} is not the one that the fleet knows of {known.machine}",
            matters="the broker refuses it, and what it signs does not count: was the folder copied, or put back?",
            mend="bring back the key that belongs to this folder, or join again with a new code",
            command="roosync join CODE",
        )


def _operator(patient: Patient) -> Iterator[Finding]:
    identity, path = patient.identity, patient.state.operator_key
    if identity is None or identity.operator is None:
        return
    if not path.exists():
        yield Finding(
            kind="operator-key-absent",
            severity="error",
            about=identity.operator,
            says=f"this machine belongs to {identity.operator}, and {path} is not there",
            matters="nothing can be approved, published or renewed from here; a second operator's key can, elsewhere",
            mend="bring the file back from a backup",
        )
        return
    try:
        text = keys.load(path)
    except KeyFileError as error:
        yield _unusable(path, f"the operator's key can not be read: {error}")
        return
    if keys.sealed_public(text) is not None:
        return
    try:
        KeyPair.from_seed(text)
    except KeyFileError as error:
        yield _unusable(path, f"the operator's key is damaged: {error}")
        return
    yield Finding(
        kind="unprotected",
        severity="warning",
        about=identity.operator,
        says=f"the operator's key in {path} has no passphrase",
        matters="every program of this account, an assistant's too, can approve with it what runs on every machine",
        mend="seal it with a passphrase",
        command="roosync doctor --mend unprotected",
    )


def _unusable(path: Path, says: str) -> Finding:
    return Finding(
        kind="operator-key",
        severity="error",
        about=str(path),
        says=says,
        matters="nothing can be approved, published or renewed from here",
        mend="bring the file back from a backup",
    )
