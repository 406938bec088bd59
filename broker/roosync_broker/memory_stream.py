"""One stream in memory, with the rules of JetStream that the product relies on. No task, no waiting.

The twin is a product of its own: simulations of thousands of nights run on it. What it does is pinned by the
contract tests, which run against a real server too.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from roosync_broker.errors import FullError, OursError, StaleError
from roosync_broker.link import MESSAGE_ID, SERVERS_HEADERS, Expect, Receipt, Stored
from roosync_broker.permissions import matches

SECOND = 1_000_000_000  # nanoseconds


class MemoryStream:
    """`configuration` is the server's (`topology.configurations`); what does not concern the twin is ignored."""

    def __init__(self, configuration: Mapping[str, Any], created: float) -> None:
        self.created = datetime.fromtimestamp(created, UTC)
        self.messages: OrderedDict[int, Stored] = OrderedDict()  # by sequence, oldest first
        self.last_sequence = 0
        self._subjects: dict[str, list[int]] = {}  # sequences, ascending
        self._bytes = 0
        self._ids: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.configure(configuration)

    def configure(self, configuration: Mapping[str, Any]) -> None:
        self.configuration = dict(configuration)
        self.name = str(configuration["name"])
        self.subjects: list[str] = list(configuration["subjects"])
        self._per_subject = int(configuration.get("max_msgs_per_subject", -1))
        self._max_bytes = int(configuration.get("max_bytes", -1))
        self._max_age = int(configuration.get("max_age", 0)) / SECOND
        self._window = int(configuration.get("duplicate_window", 120 * SECOND)) / SECOND
        self._refuses = configuration.get("discard") == "new"
        self.republished = "republish" in configuration

    def takes(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.subjects)

    def store(
        self, subject: str, data: bytes, headers: Mapping[str, str], expect: Expect | None, now: float
    ) -> tuple[Receipt, Stored | None]:
        """The receipt, and the message unless it was a duplicate. StaleError, FullError, OursError."""
        self.expire(now)
        known = self._ids.get(headers.get(MESSAGE_ID, ""))
        if expect is not None:
            self._compare(subject, expect)
        if known is not None:
            return Receipt(known[0], duplicate=True), None
        self._make_room(subject, len(subject) + len(data))
        self.last_sequence += 1
        message = Stored(
            subject=subject,
            sequence=self.last_sequence,
            data=data,
            headers={name: value for name, value in headers.items() if name not in SERVERS_HEADERS},
            time=datetime.fromtimestamp(now, UTC),
            stream=self.name,
        )
        self.messages[message.sequence] = message
        self._subjects.setdefault(subject, []).append(message.sequence)
        self._bytes += len(subject) + len(data)
        if identity := headers.get(MESSAGE_ID):
            self._ids[identity] = (message.sequence, now)
        while 0 < self._per_subject < len(self._subjects[subject]):
            self._drop(self._subjects[subject][0])
        return Receipt(message.sequence), message

    def read(self, pattern: str, after: int, now: float) -> Iterator[Stored]:
        self.expire(now)
        for sequence, message in list(self.messages.items()):
            if sequence > after and matches(pattern, message.subject):
                yield message

    def last(self, patterns: list[str], now: float) -> list[Stored]:
        self.expire(now)
        found: set[int] = set()
        for pattern in patterns:
            if "*" in pattern or ">" in pattern:
                found |= {ids[-1] for subject, ids in self._subjects.items() if matches(pattern, subject)}
            elif pattern in self._subjects:
                found.add(self._subjects[pattern][-1])
        return [self.messages[sequence] for sequence in sorted(found)]

    def count(self, now: float) -> int:
        """Of its subjects."""
        self.expire(now)
        return len(self._subjects)

    def expire(self, now: float) -> None:
        while self._max_age and self.messages:
            first = next(iter(self.messages.values()))
            if first.time is None or first.time.timestamp() > now - self._max_age:
                break
            self._drop(first.sequence)
        while self._ids and next(iter(self._ids.values()))[1] <= now - self._window:
            self._ids.popitem(last=False)

    def _compare(self, subject: str, expect: Expect) -> None:
        pattern = expect.subject or subject
        last = max((ids[-1] for name, ids in self._subjects.items() if matches(pattern, name)), default=0)
        if last != expect.sequence:
            raise StaleError(f"{subject!r} was advanced by somebody else first (last sequence: {last}); read it again")

    def _make_room(self, subject: str, size: int) -> None:
        limit = int(self.configuration.get("max_msg_size", -1))
        if 0 < limit < size:
            raise OursError(f"{subject!r}: {size} bytes are more than the stream takes")
        while 0 < self._max_bytes < self._bytes + size:
            if self._refuses or not self.messages:
                raise FullError(f"the broker can not store {subject!r}: maximum bytes exceeded")
            self._drop(next(iter(self.messages)))

    def _drop(self, sequence: int) -> None:
        message = self.messages.pop(sequence)
        self._bytes -= len(message.subject) + len(message.data)
        ids = self._subjects[message.subject]
        ids.remove(sequence)
        if not ids:
            del self._subjects[message.subject]
