"""Logging: lines for a person on a terminal, one JSON object a line elsewhere. Every line is scrubbed of secrets."""

import json
import logging
import sys
from datetime import UTC, datetime

from roosync_agent.characters import harmless
from roosync_protocol.secrets import scrub


class _Scrubbed(logging.Formatter):
    """Formats, then hides what looks secret: also in tracebacks and in messages of libraries.

    What a message quotes came from others: it can neither move the cursor nor begin a line of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        record.message = harmless(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return harmless(scrub(super().format(record)), lines=True)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        if record.exc_info:
            line["error"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line)


def set_up(*, quiet: bool = False) -> None:
    handler = logging.StreamHandler(sys.stderr)
    person = sys.stderr.isatty()
    handler.setFormatter(_Scrubbed("%(asctime)s %(name)s: %(message)s", "%H:%M:%S") if person else _Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a lost TLS connection is told by us, once
    logging.getLogger("nats").setLevel(logging.ERROR)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
