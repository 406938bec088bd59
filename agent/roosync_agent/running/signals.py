"""A clean end: SIGTERM, SIGINT and (where it exists) SIGHUP set one event; work in progress is finished first."""

import asyncio
import signal


def stop_event() -> asyncio.Event:
    """Set by the first signal. A second one falls through to Python's default, so nobody is locked in."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    for name in names:
        number = getattr(signal, name)
        try:
            loop.add_signal_handler(number, _stop, event, loop, number)
        except NotImplementedError:  # Windows: handlers run in the main thread, outside the loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(event.set))
    return event


def _stop(event: asyncio.Event, loop: asyncio.AbstractEventLoop, number: int) -> None:
    event.set()
    loop.remove_signal_handler(number)
