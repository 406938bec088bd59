"""One connection to one server: nats-py, with the habits that would hurt us taken off.

A `Wire` never reconnects by itself (the link makes a new one: one mechanism for a dropped socket, a kicked
user and a changed certificate), never speaks in clear to another host unless told to, and can always be
thrown away. What was found in nats-py 2.16 stands beside the line that answers it (3-bus, "Sharp edges").
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from nats import errors as nats_errors
from nats.aio.client import Client

from roosync_broker.errors import BusError, OursError, RefusedError, UnavailableError
from roosync_broker.keys import KeyPair
from roosync_broker.tls import pinned_context

PENDING = 32 * 1024 * 1024  # bytes; the default of 2 MiB raises as soon as two large messages wait
DIAL_TIMEOUT = 8.0  # seconds for TCP, TLS and the first PONG together

ErrorCallback = Callable[[Exception], Awaitable[None]]
ClosedCallback = Callable[[], Awaitable[None]]


class Wire(Client):
    """A client that refuses to sign in over plain text when the other side is another host."""

    plain_allowed = False

    def _connect_command(self) -> bytes:
        # nats-py uses TLS only if the server asks for it, so whoever sits between could take it off and pass
        # our signed nonce on. This is the last moment before it is signed.
        if not self._server_info.get("tls_required") and not self.plain_allowed:
            raise RefusedError(
                "the broker does not use TLS, and it is not on this computer: nothing was sent. Turn TLS on there, "
                "or ask for plain text in so many words (plain = true in the settings)"
            )
        return super()._connect_command()


async def dial(
    url: str,
    keys: KeyPair,
    *,
    name: str,
    inbox_prefix: str,
    certificate: str | None,
    plain: bool,
    on_error: ErrorCallback,
    on_closed: ClosedCallback,
) -> Wire:
    """A connected wire. RefusedError when the server does not take the key, UnavailableError when it is away."""
    problems: list[Exception] = []
    connected = False

    async def errors(error: Exception) -> None:  # without one, nats-py logs a traceback for each attempt
        if connected:
            await on_error(error)
        else:
            problems.append(error)

    wire = Wire()
    wire.plain_allowed = plain or is_loopback(url)
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
                inbox_prefix=inbox_prefix,
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
    """End a connection for good, whatever its state: close() alone can wait for ever on a dead socket."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(2):
            await wire.close()
    for task in (wire._reading_task, wire._flusher_task, wire._ping_interval_task):
        if task is not None and task is not asyncio.current_task():
            task.cancel()
    writer = getattr(wire._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def is_refusal(error: Exception) -> bool:
    return "authorization violation" in str(error).lower() or "authentication" in str(error).lower()


def _why(url: str, problems: list[Exception]) -> BusError:
    """The clearest of what went wrong on the way, in words for a person."""
    import ssl

    for error in problems:
        if isinstance(error, BusError):
            return error
        if is_refusal(error):
            return RefusedError(
                f"the broker at {url} does not accept this key: it is not admitted yet, or it was revoked; "
                "an operator can see it with 'roosync status'"
            )
        if isinstance(error, ssl.SSLError):
            return RefusedError(
                f"the broker at {url} shows another certificate than the one pinned when this machine joined; "
                "nothing was sent. If the fleet's broker was really made anew, join again with a new code"
            )
        if isinstance(error, nats_errors.Error) and "invalid" in str(error):
            return OursError(f"{url!r} is no address of a broker (nats://host:port)")
    told = next((str(error) for error in problems if str(error) and not isinstance(error, TimeoutError)), "no answer")
    return UnavailableError(f"the broker at {url} does not answer ({told}); start it, or check the address")
