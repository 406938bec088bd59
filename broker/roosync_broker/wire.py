"""One connection to one server: nats-py, with the habits that would hurt us taken off.

A `Wire` never reconnects by itself (the link makes a new one: one mechanism for a dropped socket, a kicked
user and a changed certificate), never speaks in clear to another host unless told to, and can always be
thrown away. What was found in nats-py 2.16 stands beside the line that answers it (3-bus, "Sharp edges").
"""

import asyncio
import contextlib
import errno
import ipaddress
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.protocol.command import sub_cmd

from roosync_broker.errors import (
    BusError,
    CertificateError,
    KeyRefusedError,
    NobodyListensError,
    NotAdmittedError,
    OursError,
    PlainTextError,
    UnavailableError,
)
from roosync_broker.keys import KeyPair
from roosync_broker.tls import pinned_context

PENDING = 32 * 1024 * 1024  # bytes; the default of 2 MiB raises as soon as two large messages wait
DIAL_TIMEOUT = 8.0  # seconds for TCP, TLS and the first PONG together

ErrorCallback = Callable[[Exception], Awaitable[None]]
ClosedCallback = Callable[[], Awaitable[None]]


_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}")  # 11 random bytes in base64url, as nats-server makes it

Take = Callable[[Msg], None]


class Wire(Client):
    """One connection. Messages are handed to their takers as they arrive, in one order over all subjects."""

    plain_allowed = False
    keyless_allowed = False

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, Take] = {}

    async def listen(self, subject: str, take: Take) -> int:
        """Subscribe; `take` is called from the reading task and must not block. Returns what `unlisten` needs.

        nats-py would run a task for each subscription, and so lose the order between two of them.
        """
        self._sid += 1
        self._takers[self._sid] = take
        await self._send_command(sub_cmd(subject, "", self._sid))
        await self._flush_pending()
        return self._sid

    async def unlisten(self, sid: int) -> None:
        self._takers.pop(sid, None)
        await self._send_unsubscribe(sid)

    async def settle(self, timeout: float) -> None:
        """Returns when the server has handled everything sent so far, and its refusals have arrived here."""
        await self.flush(timeout)  # type: ignore[arg-type]

    @property
    def reading(self) -> asyncio.Task[None] | None:
        return self._reading_task

    @property
    def server_id(self) -> str:
        return str(self._server_info.get("server_id", ""))

    @property
    def keyless(self) -> bool:
        """The server asks nobody for a key: it keeps nobody from reading or posting anything."""
        return not self._server_info.get("auth_required") and "nonce" not in self._server_info

    def _connect_command(self) -> bytes:
        # nats-py uses TLS only if the server asks for it, so whoever sits between could take it off and pass
        # our signed nonce on. This is the last moment before it is signed.
        if not self._server_info.get("tls_required") and not self.plain_allowed:
            raise PlainTextError(
                "the broker does not use TLS, and it is not on this computer: nothing was sent. Turn TLS on there, "
                "or ask for plain text in so many words (plain = true in the settings)"
            )
        if self.keyless and self.keyless_allowed:
            return super()._connect_command()  # there is nothing to sign, and nothing is
        # Keys that sign messages also sign this: a broker must not be able to have a message signed as its nonce.
        if not _NONCE.fullmatch(str(self._server_info.get("nonce", ""))):
            raise NotAdmittedError(
                "the broker gives no nonce to sign, so it knows no users by key; nothing was signed. If that is meant, "
                "name it in ROOSYNC_NATS"
            )
        return super()._connect_command()

    async def _send_ping(self, future: "asyncio.Future[bool] | None" = None) -> None:
        # nats-py writes it before what still waits to be written, so a PONG would prove nothing.
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        await self._send_command(b"PING\r\n")
        await self._flush_pending()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        # Whatever is raised here would end the reading of this connection, and the bytes are a stranger's:
        # subjects and headers need not be UTF-8, and nats-py's reading of a status line raises on some.
        take = self._takers.get(sid)
        if take is None:
            return
        try:
            given = await self._process_headers(headers)
        except Exception as error:  # noqa: BLE001 (nats-py raises several kinds; the message goes on without headers)
            given = None
            await self._error_cb(error)
        try:
            names = subject.decode("utf-8", "replace"), reply.decode("utf-8", "replace")
            take(Msg(_client=self, subject=names[0], reply=names[1], data=data, headers=given, _sid=sid))
        except Exception as error:  # noqa: BLE001 (as above)
            await self._error_cb(error)


async def dial(
    url: str,
    keys: KeyPair,
    *,
    name: str,
    certificate: str | None,
    plain: bool,
    keyless: bool = False,
    on_error: ErrorCallback,
    on_closed: ClosedCallback,
) -> Wire:
    """A connected wire. NotAdmittedError when the server does not take the key, UnavailableError when it is away."""
    problems: list[Exception] = []
    connected = False

    async def errors(error: Exception) -> None:  # without one, nats-py logs a traceback for each attempt
        if connected:
            await on_error(error)
        else:
            problems.append(error)

    wire = Wire()
    wire.plain_allowed = plain or is_loopback(url)
    wire.keyless_allowed = keyless
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            await wire.connect(
                servers=[url],
                name=name,
                error_cb=errors,
                closed_cb=on_closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # or it would try for ever inside connect()
                reconnect_time_wait=0,
                connect_timeout=5,
                ping_interval=3600,  # the link asks itself, and does not wait for ever for a dead socket
                nkeys_seed_str=keys.seed,
                tls=pinned_context(certificate) if certificate else None,
                pending_size=PENDING,
            )
    except BaseException as error:
        await discard(wire)
        if isinstance(error, Exception):
            raise _why(url, [*problems, error]) from None
        raise
    connected = True
    # nats-py does not tell its stream protocol about TLS, and asyncio would warn at each end of a connection.
    protocol = getattr(getattr(wire._transport, "_io_writer", None), "_protocol", None)
    if protocol is not None and wire._server_info.get("tls_required"):
        protocol._over_ssl = True
    return wire


async def discard(wire: Wire) -> None:
    """End a connection for good, whatever its state: close() alone can wait for ever on a dead socket.

    What was not settled before is lost.
    """
    writer = getattr(wire._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
    if wire.reading is not None:  # or there is nothing to close, and a failed handshake would be waited for
        with contextlib.suppress(Exception):
            async with asyncio.timeout(2):
                await wire.close()
    for task in (wire._reading_task, wire._flusher_task, wire._ping_interval_task):
        if task is not None and task is not asyncio.current_task():
            task.cancel()


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def is_refusal(error: Exception) -> bool:
    return "authorization violation" in str(error).lower() or "authentication" in str(error).lower()


def _nobody_listens(error: Exception) -> bool:
    """Refused by the system, at every address that the name has (asyncio tells several in one text)."""
    refused = str(error).count(f"[Errno {errno.ECONNREFUSED}]")
    return isinstance(error, ConnectionRefusedError) or (
        isinstance(error, OSError) and 0 < refused == str(error).count("[Errno ")
    )


def _why(url: str, problems: list[Exception]) -> BusError:
    """The clearest of what went wrong on the way, in words for a person."""
    import ssl

    for error in problems:
        if isinstance(error, BusError):
            return error
        if is_refusal(error):
            return KeyRefusedError(
                f"the broker at {url} does not accept this key: it is not admitted yet, or it was revoked; "
                "an operator can see it with 'roosync status'"
            )
        if isinstance(error, ssl.SSLError):
            return CertificateError(
                f"the broker at {url} shows another certificate than the one pinned when this machine joined; "
                "nothing was sent. If the fleet's broker was really made anew, join again with a new code"
            )
        if isinstance(error, nats_errors.Error) and "invalid" in str(error):
            return OursError(f"{url!r} is no address of a broker (nats://host:port)")
    if is_loopback(url) and any(map(_nobody_listens, problems)):
        return NobodyListensError(
            f"no broker runs at {url} (connection refused): start it with `roosync up` on the machine that runs it, or "
            "check the address"
        )
    told = next((str(error) for error in problems if str(error) and not isinstance(error, TimeoutError)), "no answer")
    return UnavailableError(
        f"the broker at {url} does not answer ({told}): start it there with `roosync up`, or check the address"
    )
