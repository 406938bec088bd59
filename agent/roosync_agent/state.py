"""The state folder of an agent: what lies where, and the few small files the agent itself keeps.

identity.json     fleet, machine, pinned root key, address and certificate of the broker
keys/             machine.nk (0600), operator.json (sealed with the passphrase)
law.json          the law as last believed: the highest revision of each kind survives a hostile broker
law_read.json     how far it was read from the bus
stopped.json      rollouts that an operator stopped
base.json         the last agreed value of each entity here, the base of three-way comparison
last_good/        the managed files as they were last believed, for a repair
journal/ snapshots/ spool/      safe apply and what still has to be said
broker/           the embedded server: configuration, JetStream, its keys
run/              control socket, process ids          exports/   views in the founding formats
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from roosync_broker.private_files import write_private
from roosync_protocol import __version__
from roosync_protocol.entity import Entities
from roosync_protocol.law import Law

T = TypeVar("T")


class StateError(RuntimeError):
    """A file of the state folder is missing, broken or not ours to write; says which and what to do."""


class HeldError(StateError):
    """Another process works on this folder now. It may be on its way out, so trying again may help."""


class Identity(msgspec.Struct, kw_only=True, frozen=True):
    fleet: str
    machine: str
    root: str  # the pinned public key of the first operator
    url: str
    certificate: str | None = None  # PEM; the only one trusted, when the listener is not loopback
    operator: str | None = None  # the operator whose sealed key lies here
    embedded: bool = False  # this machine runs the broker
    keyless: bool = False  # the broker asked nobody for a key when this machine founded or joined


class Base(msgspec.Struct, kw_only=True):
    """The last agreed state of this machine's entities, in public form."""

    joined: bool = False  # False until a first comparison with a baseline was settled
    revision: int = 0  # of the baseline it belongs to
    entities: Entities = {}
    sizes: dict[str, int] = {}  # bytes of each managed file when last believed, for the wipe guard
    believed: Entities = {}  # the last collection that the wipe guard let pass
    held: dict[str, datetime] = {}  # targets that it holds back, and since when


class LawRead(msgspec.Struct, frozen=True):
    """The last message of the law that was read: while it lies there as it was stored, all before it is known too.

    The signature alone does not say so: into a stream that was put back to a backup somebody can repeat the same
    message, and it may get the same sequence after another story. The broker stored it at another time then.
    """

    sequence: int
    signature: str
    stored: datetime | None = None  # by the clock of the broker


class _KeptLaw(Law, frozen=True, kw_only=True):
    """The law, and who kept it: an older version drops what it does not know when it writes it again."""

    by: str = ""


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    of: str  # SHA-256 of the law file that it belongs to
    by: str = ""  # the version of roosync that read it
    read: LawRead


class State:
    """Paths, and atomic reading and writing of small files (0600, in 0700 folders)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.machine_key = self.keys / "machine.nk"
        self.operator_key = self.keys / "operator.json"
        self.broker = folder / "broker"
        self.run = folder / "run"
        self.paused = folder / "paused"

    def prepare(self) -> None:
        try:
            for part in (self.folder, self.keys, self.run):
                part.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
        except OSError as error:
            raise StateError(
                f"the state folder {self.folder} can not be used: {error.strerror}. Name another with ROOSYNC_STATE."
            ) from error

    def identity(self) -> Identity | None:
        return self.read("identity.json", Identity)

    def save_identity(self, identity: Identity) -> None:
        self.write("identity.json", identity)

    def law(self) -> Law | None:
        """The law as it was believed last, partial when another version of roosync kept it."""
        kept = self.read("law.json", _KeptLaw)
        if kept is None:
            return None
        known = {name: getattr(kept, name) for name in Law.__struct_fields__}
        return Law(**known | {"partial": kept.by != __version__})

    def save_law(self, law: Law, read: LawRead | None = None) -> None:
        """`read`: how far of it was read from the bus; a part of it may have been heard beyond that."""
        known = {name: getattr(law, name) for name in Law.__struct_fields__}
        data = msgspec.json.encode(_KeptLaw(**known | {"partial": False}, by=__version__))
        self.write("law.json", msgspec.Raw(data))
        if read is not None:
            self.write("law_read.json", _Read(of=hashlib.sha256(data).hexdigest(), by=__version__, read=read))

    def law_read(self) -> LawRead | None:
        """How far the kept law was read; None when that is not known of exactly this law, by this version."""
        known = self.read("law_read.json", _Read)
        try:
            data = (self.folder / "law.json").read_bytes()
        except OSError:
            return None
        if known is None or known.by != __version__ or known.of != hashlib.sha256(data).hexdigest():
            return None
        return known.read

    def base(self) -> Base:
        return self.read("base.json", Base) or Base()

    def save_base(self, base: Base) -> None:
        self.write("base.json", base)

    def read(self, name: str, kind: type[T]) -> T | None:
        """The content of a small file, None when there is none; StateError when it can not be understood."""
        path = self.folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{path} can not be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateError(
                f"{path} is damaged ({error}). Move it away and run the command again; nothing else is touched."
            ) from error

    def write(self, name: str, value: Any) -> None:
        """All or nothing: a crash leaves the old file or the new one."""
        path = self.folder / name
        try:
            write_private(path, msgspec.json.encode(value))
        except OSError as error:
            raise StateError(f"{path} can not be written: {error.strerror}. Nothing was changed.") from error
