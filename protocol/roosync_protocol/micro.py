"""What an agent says of itself to anybody who asks for services of NATS, such as `nats micro ls`. ADR-32 of NATS.

    $SRV.<PING|INFO|STATS>[.<service>[.<id>]]     the service is the fleet's, an instance is a machine

It names the endpoint, the version and how often it was asked; it proves nothing, and nothing here is believed by a
machine: who is there is what a signed `ping` tells.
"""

import re
from datetime import datetime
from typing import Any

from msgspec import Struct, json

from roosync_protocol import ping
from roosync_protocol.subjects import Subjects

VERBS = ("PING", "INFO", "STATS")
ROOT = "$SRV"
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")  # the protocol takes semantic versions only


class Served(Struct):
    """What an endpoint did since the agent started."""

    started: datetime  # UTC
    requests: int = 0
    errors: int = 0
    last_error: str = ""
    nanoseconds: int = 0

    def count(self, nanoseconds: int, error: str = "") -> None:
        self.requests += 1
        self.nanoseconds += nanoseconds
        if error:
            self.errors, self.last_error = self.errors + 1, error


class Service(Struct, frozen=True, kw_only=True):
    """The instance of one machine."""

    fleet: str
    machine: str
    version: str
    served: Served

    def answer(self, verb: str) -> bytes:
        """The answer to one of VERBS; ValueError on another."""
        given = _VERSION.match(self.version)
        said: dict[str, Any] = {
            "name": service(self.fleet),
            "id": self.machine,
            "version": given.group() if given else "0.0.0",
            "metadata": {"fleet": self.fleet, "machine": self.machine, "roosync": self.version},
        }
        endpoint = {
            "name": ping.VERB,
            "subject": Subjects(self.fleet).call(self.machine, ping.VERB, "*"),
            "queue_group": "",  # a call names its machine, so there is nobody to share it with
        }
        match verb:
            case "PING":
                kind = "ping"
            case "INFO":
                kind = "info"
                said |= {"description": "roosync agent", "endpoints": [endpoint | {"metadata": {}}]}
            case "STATS":
                kind, done = "stats", self.served
                counts = {
                    "num_requests": done.requests,
                    "num_errors": done.errors,
                    "last_error": done.last_error,
                    "processing_time": done.nanoseconds,
                    "average_processing_time": done.nanoseconds // done.requests if done.requests else 0,
                    "data": None,  # nothing of our own; some readers insist that it is there
                }
                started = f"{done.started:%Y-%m-%dT%H:%M:%S.%f}Z"  # with a fraction: some readers insist on one
                said |= {"started": started, "endpoints": [endpoint | counts]}
            case _:
                raise ValueError(f"{verb!r} is nothing that a service is asked")
        return json.encode({"type": f"io.nats.micro.v1.{kind}_response", **said})


def service(fleet: str) -> str:
    return f"roosync-{fleet}"


def answered(fleet: str, machine: str) -> list[str]:
    """The subjects on which a machine is asked: everybody, every machine of the fleet, this one."""
    name = service(fleet)
    return [f"{ROOT}.{verb}{about}" for verb in VERBS for about in ("", f".{name}", f".{name}.{machine}")]


def asked(fleet: str) -> list[str]:
    """The subjects on which one may ask."""
    return answered(fleet, "*")


def verb_of(subject: str) -> str:
    return subject.split(".")[1]
