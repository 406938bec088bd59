"""At which address others reach our broker; `invite` turns it to TLS when that is not this computer alone."""

import asyncio
import socket

from msgspec import Struct

from roosync_agent.connect import identity_of
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker.tls import fingerprint_of
from roosync_broker.wire import is_loopback


class Where(Struct, frozen=True, kw_only=True):
    url: str
    fingerprint: str | None  # SHA-256 of the certificate to pin; None where the listener is loopback
    notes: list[str]


async def address_for_others(settings: Settings, state: State, address: str | None) -> Where:
    """Where a joining machine finds the broker. Off loopback the broker listens with TLS from now on."""
    identity = identity_of(state)
    if settings.nats or not identity.embedded:
        url = settings.nats or identity.url
        here = all(map(is_loopback, url.split(",")))  # without TLS then, so there is nothing to pin
        fingerprint = fingerprint_of(identity.certificate) if identity.certificate and not here else None
        return Where(url=url, fingerprint=fingerprint, notes=[])
    host = address or _primary_address()
    if host is None:
        told = await _listen(state, None)
        note = "this machine has no network address now: the code works on this computer only (--address names one)"
        return Where(url=f"nats://127.0.0.1:{told['port']}", fingerprint=None, notes=[note])
    host = host.strip("[]")
    bracketed = f"[{host}]" if ":" in host else host
    if is_loopback(f"nats://{bracketed}"):
        told = await _listen(state, None)
        if told["tls"]:
            return Where(url=f"nats://{bracketed}:{told['port']}", fingerprint=str(told["fingerprint"]), notes=[])
        return Where(url=f"nats://{bracketed}:{told['port']}", fingerprint=None, notes=[])
    told = await _listen(state, "::" if ":" in host else "0.0.0.0")  # noqa: S104 (with TLS, and keys only)
    return Where(url=f"nats://{bracketed}:{told['port']}", fingerprint=str(told["fingerprint"]), notes=[])


async def _listen(state: State, listen: str | None) -> dict[str, object]:
    try:
        answer = await asyncio.to_thread(ask, state.broker, "listen", {"listen": listen or ""}, 60.0)
    except NobodyThereError as error:
        raise RefusedRequestError("the broker of this machine does not run; start it with `roosync up`") from error
    if "error" in answer:
        raise RefusedRequestError(str(answer["error"]["message"]))
    result: dict[str, object] = answer["result"]
    return result


def _primary_address() -> str | None:
    """The address this machine uses towards others; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation range, RFC 5737
            host = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if host.startswith("127.") else host
