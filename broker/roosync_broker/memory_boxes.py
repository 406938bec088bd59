"""Mailboxes in memory, with the rules of a durable pull consumer that mail relies on. No task, no waiting.

What is given out and not acknowledged is given out again after a while; what is acknowledged never is.
"""

from typing import Any

from msgspec import json

from roosync_broker.link import Delivered
from roosync_broker.memory_stream import SECOND, MemoryStream


class MemoryBox:
    def __init__(self, stream: MemoryStream, configuration: dict[str, Any]) -> None:
        self._stream = stream
        self._filter = str(configuration["filter_subject"])
        self._wait = int(configuration["ack_wait"]) / SECOND
        self._most = int(configuration["max_ack_pending"])
        self._done: set[int] = set()
        self._given: dict[int, float] = {}  # not acknowledged: when it was given out

    def fetch(self, limit: int, now: float) -> list[Delivered]:
        found: list[Delivered] = []
        for message in self._stream.read(self._filter, 0, now):
            sequence = message.sequence
            waits = self._given.get(sequence, now - self._wait) > now - self._wait
            if sequence in self._done or waits or len(found) >= limit or len(self._given) >= self._most:
                continue
            self._given[sequence] = now
            found.append(Delivered(message, str(sequence)))
        return found

    def acknowledge(self, receipt: str) -> None:
        self._given.pop(int(receipt), None)
        self._done.add(int(receipt))

    @property
    def floor(self) -> int:
        """The sequence up to which every letter of this box is acknowledged."""
        open_ = [m.sequence for m in self._stream.read(self._filter, 0, 0.0) if m.sequence not in self._done]
        return min(open_) - 1 if open_ else max(self._done, default=0)


class MemoryBoxes:
    """All mailboxes of a bus: (stream, owner) -> box."""

    def __init__(self) -> None:
        self.boxes: dict[tuple[str, str], MemoryBox] = {}

    def administer(self, verb: str, rest: str, data: bytes, streams: dict[str, MemoryStream]) -> dict[str, Any]:
        """The part of $JS.API.CONSUMER that `mailboxes` uses."""
        stream, _, owner = rest.partition(".")
        if verb == "NAMES":
            names = [owner for of, owner in self.boxes if of == stream]
            return {"consumers": names, "total": len(names)}
        if verb == "CREATE":
            owner = owner.partition(".")[0]
            self.boxes.setdefault((stream, owner), MemoryBox(streams[stream], json.decode(data)["config"]))
        box = self.boxes.get((stream, owner))
        if box is None:
            return {"error": {"code": 404, "err_code": 10014, "description": "consumer not found"}}
        return {"name": owner, "ack_floor": {"stream_seq": box.floor}}
