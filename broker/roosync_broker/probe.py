"""One look at a broker's address, stage by stage: is anything there, is it a broker, whose, does it take our key?

A link tries until it succeeds and tells the last trouble; who asks what is wrong wants to know how far it got. Nothing
is posted or followed, and nobody else notices.
"""

import asyncio
import socket
import time
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import DecodeError, Struct, json
from msgspec.structs import replace

from roosync_broker.errors import (
    BusError,
    CertificateError,
    KeyRefusedError,
    NotAdmittedError,
    OursError,
    PlainTextError,
)
from roosync_broker.keys import KeyPair
from roosync_broker.wire import dial, discard

TCP, HELLO = 2.0, 2.0  # seconds for a connection, and then for the first line of the server
LINE = 64 * 1024  # bytes of that line

Stage: TypeAlias = Literal[
    "well",  # connected, with our key
    "address",  # no address that can be used
    "name",  # its name is not known here
    "refused",  # its system is there, and nothing listens on the port
    "silent",  # no answer at all: it is off, elsewhere, or a firewall drops us
    "mute",  # something listens and says nothing, and a NATS server speaks first
    "foreign",  # something listens that is no NATS server
    "plain",  # it speaks in clear to another computer
    "certificate",
    "key",
    "keyless",  # it knows no users by key
    "lost",  # it was there, and went away meanwhile
]


class Glimpse(Struct, frozen=True, kw_only=True):
    url: str
    stage: Stage
    says: str = ""  # in words for a person, when it is not well
    server_name: str = ""
    version: str = ""  # of nats-server
    tls: bool = False
    keyless: bool = False
    milliseconds: float = 0.0


async def hello(url: str) -> Glimpse:
    """What the server at `url` says of itself before anybody shows a key; the stage is "well" when it is one."""
    try:
        host, port = _place(url)
    except ValueError as error:
        return Glimpse(url=url, stage="address", says=str(error))
    stage, says, info = await _hello(host, port)
    return Glimpse(
        url=url,
        stage=stage,
        says=says,
        server_name=str(info.get("server_name", "")),
        version=str(info.get("version", "")),
        tls=info.get("tls_required") is True,
    )


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    if not parts.hostname:
        raise ValueError("it names no host")
    return parts.hostname, parts.port or 4222


async def glimpse(
    url: str, keys: KeyPair, *, name: str, certificate: str | None, plain: bool = False, keyless: bool = False
) -> Glimpse:
    """How far this member gets at `url` (nats://host:port). Never raises for what the other side does."""
    began = time.perf_counter()
    seen = await hello(url)
    if seen.stage == "well":
        stage, says, asks_nobody = await _admission(url, keys, name, certificate, plain, keyless)
        seen = replace(seen, stage=stage, says=says, keyless=asks_nobody)
    return replace(seen, milliseconds=round((time.perf_counter() - began) * 1000, 1))


async def _hello(host: str, port: int) -> tuple[Stage, str, dict[str, Any]]:
    """The line with which every NATS server begins, in clear also where TLS follows."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(TCP):
            reader, writer = await asyncio.open_connection(host, port, limit=LINE)
        async with asyncio.timeout(HELLO):
            line = await reader.readline()
    except socket.gaierror as error:
        return "name", error.strerror or str(error), {}
    except ConnectionRefusedError as error:
        return "refused", error.strerror or "connection refused", {}
    except ValueError:  # a line that does not end
        return "foreign", "what listens there does not speak as a NATS server", {}
    except TimeoutError:
        if writer is None:
            return "silent", f"no answer within {TCP:g} s", {}
        return "mute", f"what listens there says nothing within {HELLO:g} s; a NATS server speaks first", {}
    except OSError as error:
        return ("refused" if "refused" in str(error).lower() else "silent"), error.strerror or str(error), {}
    finally:
        if writer is not None:
            writer.transport.abort()
    try:
        info = json.decode(line.removeprefix(b"INFO "), type=dict[str, Any]) if line.startswith(b"INFO ") else None
    except (DecodeError, UnicodeDecodeError, RecursionError):
        info = None
    if info is None:
        return "foreign", "what listens there does not speak as a NATS server", {}
    return "well", "", info


async def _admission(
    url: str, keys: KeyPair, name: str, certificate: str | None, plain: bool, keyless: bool
) -> tuple[Stage, str, bool]:
    """Does it let this member in? The same way that a link takes."""

    async def nothing(_: Exception | None = None) -> None:
        return None

    try:
        wire = await dial(
            url, keys, name=name, certificate=certificate, plain=plain, keyless=keyless, on_error=nothing,
            on_closed=nothing,
        )  # fmt: skip
    except BusError as error:
        return _stage(error), str(error), False
    asks_nobody = wire.keyless
    await discard(wire)
    return "well", "", asks_nobody


_STAGES: tuple[tuple[type[BusError], Stage], ...] = (
    (KeyRefusedError, "key"),
    (CertificateError, "certificate"),
    (PlainTextError, "plain"),
    (NotAdmittedError, "keyless"),
    (OursError, "address"),
    (BusError, "lost"),
)


def _stage(error: BusError) -> Stage:
    return next(stage for kind, stage in _STAGES if isinstance(error, kind))
