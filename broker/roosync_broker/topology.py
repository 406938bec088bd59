"""What the broker stores, as one table: streams and key-value buckets with their bounds (3-bus, "What is stored").

The subjects of the streams come from the protocol's table of kinds. `ensure` makes the server agree with the
table and may be called at any time; it never deletes. `describe` prints the table for `roosync topology`.
"""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, json
from msgspec.structs import asdict

from roosync_broker.errors import BusError, NoResponderError, OursError, UnavailableError
from roosync_broker.link import Link
from roosync_protocol.decision import RETAINED
from roosync_protocol.subjects import KINDS

MIB = 1024 * 1024
SECOND = 1_000_000_000  # nanoseconds, the server's unit
DAY = 24 * 3600.0  # seconds
API_TIMEOUT = 12.0
INFO = "roosync-info"  # what members ask about a stream, `<INFO>.<stream>`: it lies in another account than theirs
_FRACTION = re.compile(r"(\.\d{6})\d+")  # nanoseconds: Python reads microseconds
_INFO_VERB, _NOT_IN_THIS_ACCOUNT = "STREAM.INFO.", 10039
ASK_AGAIN = 3.0  # seconds: what is asked while a cluster has no leader is lost, and not answered late
PAUSE = 0.5  # seconds before that

LEASE_TTL = 15.0  # seconds after the last renewal; how long a lost leader keeps others waiting
PRESENCE_TTL = 30.0  # seconds after the last heartbeat


class Stream(Struct, frozen=True, kw_only=True):
    """One row. What a bound does when it is reached stands in `full`: "refuse" the new, or forget the "oldest"."""

    name: str
    about: str
    per_subject: int = -1  # messages kept of each subject; then the oldest of that subject goes
    mib: int = 64  # bound of the whole
    full: str = "refuse"
    seconds: float = 0  # age limit; 0: none
    dedupe: float = 3600  # seconds within which a message id is stored once
    storage: str = "file"
    compressed: bool = False
    protected: bool = False  # nobody, the keeper included, deletes or purges
    republished: bool = True


STREAMS: dict[str, Stream] = {
    row.name: row
    for row in (
        Stream(name="LAW", about="what operators signed", protected=True),
        Stream(name="WORK", about="decisions, proposals and other records", per_subject=RETAINED, mib=512),
        Stream(
            name="REPORTS",
            about="the last reports of each machine",
            per_subject=4,
            mib=512,
            dedupe=600,
            compressed=True,
        ),
        Stream(name="MAIL", about="mail, by recipient", per_subject=4, mib=256, seconds=180 * DAY, dedupe=DAY),
        Stream(
            name="AUDIT", about="what was done", per_subject=10_000, mib=512, full="oldest", dedupe=600, compressed=True
        ),
        Stream(name="ENROL", about="requests to join", per_subject=4, mib=8, seconds=3600, dedupe=600),
        Stream(name="CONTENTS", about="contents by SHA-256, in parts", per_subject=1, mib=2048, republished=False),
    )
}


CLOSED = frozenset({"MAIL", "ENROL"})  # streams that a machine may not ask about


class Bucket(Struct, frozen=True, kw_only=True):
    """A key-value bucket. A key's last token is the speaker, as everywhere; its value lives `seconds`."""

    name: str
    about: str
    seconds: float
    storage: str = "file"


BUCKETS: dict[str, Bucket] = {
    row.name: row
    for row in (
        Bucket(name="leases", about="who holds a role: <role>.<machine>", seconds=LEASE_TTL),
        # In memory: a heartbeat must not cost a write to the disk.
        Bucket(name="presence", about="who is there: <machine>", seconds=PRESENCE_TTL, storage="memory"),
    )
}


def stream_name(fleet: str, stream: str) -> str:
    return f"{fleet}-{stream}"


def bucket_stream(fleet: str, bucket: str) -> str:
    return f"KV_{fleet}-{bucket}"


def bucket_subject(fleet: str, bucket: str, *key: str) -> str:
    return ".".join((f"$KV.{fleet}-{bucket}", *key))


def configurations(
    fleet: str, replicas: int = 1, *, lease_ttl: float = LEASE_TTL, presence_ttl: float = PRESENCE_TTL
) -> dict[str, dict[str, Any]]:
    """Name on the server -> JetStream configuration (durations in nanoseconds), for every stream that has a kind."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(kind.stream for kind in KINDS):
        row = STREAMS[name]
        found[stream_name(fleet, name)] = _stream(fleet, row, replicas)
    ttl = {"leases": lease_ttl, "presence": presence_ttl}
    for bucket in BUCKETS.values():
        found[bucket_stream(fleet, bucket.name)] = _bucket(fleet, bucket, ttl[bucket.name], replicas)
    return found


def _stream(fleet: str, row: Stream, replicas: int) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "name": stream_name(fleet, row.name),
        "description": row.about,
        "subjects": [f"post.{fleet}.{kind.name}.>" for kind in KINDS if kind.stream == row.name],
        "retention": "limits",
        "storage": row.storage,
        "discard": "new" if row.full == "refuse" else "old",
        "max_msgs_per_subject": row.per_subject,
        "max_bytes": row.mib * MIB,
        "max_age": int(row.seconds * SECOND),
        "duplicate_window": int(row.dedupe * SECOND),
        "compression": "s2" if row.compressed else "none",
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": row.protected,
        "deny_purge": row.protected,
    }
    if row.republished:
        configuration["republish"] = {"src": f"post.{fleet}.>", "dest": f"roosync.{fleet}.>"}
    return configuration


def _bucket(fleet: str, row: Bucket, ttl: float, replicas: int) -> dict[str, Any]:
    return {
        "name": bucket_stream(fleet, row.name),
        "description": row.about,
        "subjects": [bucket_subject(fleet, row.name, ">")],
        "retention": "limits",
        "storage": row.storage,
        "discard": "new",
        "max_msgs_per_subject": 1,
        "max_bytes": 16 * MIB,
        "max_age": int(ttl * SECOND),
        "duplicate_window": int(min(ttl, 120) * SECOND),
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
        "allow_rollup_hdrs": True,
    }


class ApiError(Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""

    @property
    def not_now(self) -> bool:
        """Nobody leads the cluster, or too few of its nodes are there (10005)."""
        return self.code == 503 or self.err_code == 10005


class _State(Struct, frozen=True):
    num_subjects: int = 0
    bytes: int = 0
    last_seq: int = 0


class _Info(Struct):
    created: str = ""
    ts: str = ""  # the server's clock when it answered (since nats-server 2.10)
    state: _State = _State()
    config: dict[str, Any] = {}
    error: ApiError | None = None


async def ensure(link: Link, fleet: str, replicas: int = 1, **ttls: float) -> list[str]:
    """Make the server's streams what the table says; needs the keeper's rights. Returns what was changed, in words."""
    changed = []
    for name, wanted in configurations(fleet, replicas, **ttls).items():
        info = await _api(link, f"STREAM.INFO.{name}", {})
        if info.error is not None and info.error.err_code != 10059:  # stream not found
            raise _failure(name, info.error)
        wanted["subjects"] += _of_a_newer_version(fleet, wanted["subjects"], info.config.get("subjects"))
        if info.error is not None:
            verb = "CREATE"
        elif any(info.config.get(key, _DEFAULTS.get(key)) != value for key, value in wanted.items()):
            verb = "UPDATE"
        else:
            continue
        told = await _api(link, f"STREAM.{verb}.{name}", wanted)
        if told.error is not None:
            raise _failure(name, told.error)
        changed.append(f"{'made' if verb == 'CREATE' else 'changed'} {name}")
    return changed


def _of_a_newer_version(fleet: str, known: list[str], there: Any) -> list[str]:
    """Kinds that another keeper of this cluster stores, and this one does not know: it takes nothing away from it."""
    found = there if isinstance(there, list) else []
    return [one for one in found if one not in known and str(one).startswith(f"post.{fleet}.")]


async def incarnation(link: Link, stream: str) -> str:
    """When the stream was made, as the server tells it: sequences compare only within one incarnation (3-bus)."""
    return (await standing(link, stream))[0]


async def standing(link: Link, stream: str) -> tuple[str, int]:
    """When the stream was made, and its newest sequence: a lower one than was seen is that of a backup.

    Who puts the server's files back puts back with them when the stream was made, so that alone does not show it.
    """
    info = await _api(link, f"STREAM.INFO.{stream}", {})
    if info.error is not None and info.error.not_now:
        raise _failure(stream, info.error)
    if info.error is not None:
        raise UnavailableError(f"the broker has no stream {stream} yet: {info.error.description}")
    return info.created, info.state.last_seq


async def lifetime(link: Link, fleet: str, bucket: str) -> float:
    """Seconds after which the server forgets a value of this bucket: what it does counts, not what our table says."""
    info = await _api(link, f"STREAM.INFO.{bucket_stream(fleet, bucket)}", {})
    seconds = info.config.get("max_age")
    if info.error is not None or not isinstance(seconds, int) or seconds <= 0:
        raise UnavailableError(f"the broker has no bucket {bucket} of {fleet} yet")
    return seconds / SECOND


async def clock(link: Link, fleet: str) -> datetime | None:
    """What time it is by the broker's clock, as it answered just now; None when it does not tell."""
    info = await _api(link, f"STREAM.INFO.{stream_name(fleet, 'LAW')}", {})
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", info.ts))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


async def usage(link: Link, fleet: str) -> dict[str, tuple[int, int]]:
    """Bytes that each stream of the table holds, and its bound; without those that are CLOSED."""

    async def one(name: str) -> tuple[str, tuple[int, int]] | None:
        info = await _api(link, f"STREAM.INFO.{stream_name(fleet, name)}", {})
        bound = info.config.get("max_bytes")
        known = info.error is None and isinstance(bound, int) and bound > 0
        return (name, (info.state.bytes, bound)) if known and isinstance(bound, int) else None

    found = await asyncio.gather(
        *(one(name) for name in dict.fromkeys(kind.stream for kind in KINDS) if name not in CLOSED)
    )
    return dict(row for row in found if row is not None)


async def keys(link: Link, fleet: str, bucket: str) -> int:
    """How many keys this bucket has, in one answer however many they are; what was given back counts until it ends."""
    info = await _api(link, f"STREAM.INFO.{bucket_stream(fleet, bucket)}", {})
    if info.error is not None:
        raise UnavailableError(f"the broker has no bucket {bucket} of {fleet} yet")
    return info.state.num_subjects


# The server leaves out of its answers what is false, zero or "none".
_DEFAULTS: dict[str, Any] = {"max_age": 0, "compression": "none", "deny_delete": False, "deny_purge": False}


async def _api(link: Link, verb: str, body: dict[str, Any]) -> _Info:
    """A question alone is asked again while a cluster has no leader; what changes something is waited for."""
    asks, loop = verb.startswith("STREAM.INFO."), asyncio.get_running_loop()
    until = loop.time() + API_TIMEOUT - ASK_AGAIN
    while True:
        again = asks and loop.time() < until
        try:
            info = await _asked(link, verb, body, ASK_AGAIN if asks else API_TIMEOUT)
        except UnavailableError as error:  # a server without JetStream says at once that nobody answers
            if not again or not link.connected or isinstance(error, NoResponderError):
                raise
        else:
            if not again or info.error is None or not info.error.not_now:
                return info
        await asyncio.sleep(PAUSE)


async def _asked(link: Link, verb: str, body: dict[str, Any], timeout: float) -> _Info:
    found = _read(await link.request(f"$JS.API.{verb}", json.encode(body) if body else b"", timeout), verb)
    if verb.startswith(_INFO_VERB) and found.error is not None and found.error.err_code == _NOT_IN_THIS_ACCOUNT:
        return _read(await link.request(f"{INFO}.{verb.removeprefix(_INFO_VERB)}", b"", timeout), verb)
    return found


def _read(data: bytes, verb: str) -> _Info:
    try:
        return json.decode(data, type=_Info)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(f"the broker answered {verb} with something that is not JetStream") from error


def _failure(name: str, error: ApiError) -> BusError:
    if error.not_now:
        return UnavailableError(
            f"the broker can not look after stream {name} at this moment ({error.description}): "
            "do more than half of the cluster's nodes run?"
        )
    return OursError(
        f"the broker does not make stream {name} as it should be: {error.description} ({error.err_code}); "
        "if it is an external broker, compare its limits with 'roosync topology'"
    )


def describe(fleet: str) -> list[dict[str, Any]]:
    """The table with the fleet's names, for people and for --json: one dictionary a row."""
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(kind.stream for kind in KINDS):
        row = STREAMS[name]
        kinds = [kind.name for kind in KINDS if kind.stream == name]
        rows.append({**asdict(row), "name": stream_name(fleet, name), "kinds": kinds})
    rows += [
        {**asdict(bucket), "name": bucket_stream(fleet, bucket.name), "kinds": [], "per_subject": 1}
        for bucket in BUCKETS.values()
    ]
    return rows
