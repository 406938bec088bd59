"""Does the broker have on its disk what it acknowledged? Its `sync_interval`, where anybody can see it.

The embedded broker's is in the configuration that we write. Of another one no member and no operator is told over the
bus: its monitoring page (`http:` in its configuration, port 8222 by custom) shows it, to whoever may open that page.
"""

import asyncio
import http.client
import json
import re
from typing import Any
from urllib.parse import urlsplit

from roosync_agent.operations.doctoring.findings import Finding, Seen
from roosync_agent.operations.doctoring.patient import Patient
from roosync_broker.probe import hello
from roosync_broker.server import EMBEDDED_NAME

MONITOR = 8222  # the port that nats-server's manual gives to its monitoring
PATIENCE = 0.7  # seconds
LIMIT = 1024 * 1024  # bytes of the page
ALWAYS = re.compile(r"^\s*sync_interval:\s*always\b", re.MULTILINE)
LOSS = "what the broker acknowledged may be gone after a power cut: an approval, a decision, a letter"


def check(patient: Patient) -> Seen:
    if patient.identity is None:
        return Seen("", skipped="there is no fleet here")
    if patient.embedded:
        return _embedded(patient)
    told: dict[str, str] = {}
    for page in [patient.monitor] if patient.monitor else [_page(url) for url in patient.urls]:
        found = sync_of(page)
        if found is None:
            continue
        told[page] = found
    if not told and _of_a_member(patient):
        return Seen("the broker is one that `roosync up` runs, which acknowledges what is on its disk")
    if not told:
        return Seen("", [_unknown(patient)])
    late = {page: seconds for page, seconds in told.items() if seconds != "always"}
    return Seen("it acknowledges what is on its disk", [_late(page, interval) for page, interval in late.items()])


def _embedded(patient: Patient) -> Seen:
    try:
        text = (patient.state.broker / "nats-server.conf").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Seen("", skipped="the embedded broker was not started yet")
    if ALWAYS.search(text):
        return Seen("the embedded broker acknowledges what is on its disk (sync_interval: always)")
    path = patient.state.broker / "nats-server.conf"
    return Seen("", [_late(str(path), "not always")])


def _of_a_member(patient: Patient) -> bool:
    """Is it the embedded broker of another machine? It says its name before anybody shows a key."""

    async def names() -> list[str]:
        return [seen.server_name for seen in await asyncio.gather(*map(hello, patient.urls))]

    fleet = patient.identity.fleet if patient.identity else ""
    found = asyncio.run(names())
    return bool(found) and all(name.startswith(f"{fleet}{EMBEDDED_NAME}") for name in found)


def _page(url: str) -> str:
    host = urlsplit(url if "://" in url else f"nats://{url}").hostname or ""
    return f"http://[{host}]:{MONITOR}" if ":" in host else f"http://{host}:{MONITOR}"


def sync_of(page: str) -> str | None:
    """ "always", or how long the broker waits, as its monitoring page says; None when there is no such page."""
    try:
        parts = urlsplit(page if "://" in page else f"http://{page}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or MONITOR, timeout=PATIENCE)
        try:
            connection.request("GET", "/varz")
            found: Any = json.loads(connection.getresponse().read(LIMIT))
        finally:
            connection.close()
        configuration = found["jetstream"]["config"]
        if configuration.get("sync_always") is True:
            return "always"
        return f"{int(configuration['sync_interval']) / 1e9:g} s"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _late(where: str, interval: str) -> Finding:
    return Finding(
        kind="sync-interval",
        severity="warning",
        about=where,
        says=f"the broker writes to its disk only now and then (sync_interval: {interval})",
        matters=LOSS,
        mend="write `sync_interval: always` into the `jetstream` block of its configuration, and start it again",
        command="roosync doctor",
    )


def _unknown(patient: Patient) -> Finding:
    return Finding(
        kind="sync-interval-unknown",
        severity="note",
        about=", ".join(patient.urls),
        says="whether the broker has on its disk what it acknowledges is not known: no monitoring page was found",
        matters=f"without `sync_interval: always` {LOSS}",
        mend="look into its configuration, or name its monitoring page",
        command="roosync doctor --monitor http://HOST:8222",
    )
