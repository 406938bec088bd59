"""Ways onto the bus: as this machine, or as the operator whose key lies here.

The law a machine believed last is where it starts from, so an older one that a broker offers is refused.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from roosync_agent.collecting.places import public_line
from roosync_agent.running.control import resident
from roosync_agent.session import Session
from roosync_agent.settings import Settings
from roosync_agent.state import Identity, State, StateError
from roosync_agent.wording import tr
from roosync_broker import keys
from roosync_broker.errors import KeyFileError, WrongPassphraseError
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, verify
from roosync_broker.spool import Spool
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.subjects import Subjects

log = logging.getLogger("roosync.connect")

AskPassphrase = Callable[[str], str]
TRIES = 3  # passphrases a person may type before the command ends


class NoFleetError(Exception):
    """This state folder belongs to no fleet yet."""


class NoOperatorError(Exception):
    """The command must be signed, and no operator's key lies here."""


def identity_of(state: State) -> Identity:
    identity = state.identity()
    if identity is None:
        raise NoFleetError(
            f"there is no fleet in {state.folder}: `roosync init` creates one, `roosync join CODE` joins one"
        )
    return identity


def url_of(settings: Settings, identity: Identity) -> str:
    """The broker's address; of the one on this machine as it listens now, for `up --port` may have moved it."""
    from roosync_broker.server import remembered_url

    if settings.nats is None and identity.embedded:
        return remembered_url(State(settings.state).broker) or identity.url
    return settings.nats or identity.url


def broker_at(settings: Settings, identity: Identity, law: Law | None) -> str:
    """The machine where the fleet's one broker runs, or else the host of its address; "" for this machine."""
    if identity.embedded and settings.nats is None:
        return ""
    urls = url_of(settings, identity).split(",")
    founder = law.founder if law is not None and settings.nats is None and len(urls) == 1 else ""
    return founder or urlsplit(urls[0].strip()).hostname or ""


async def as_machine(settings: Settings, state: State, *, timeout: float | None = 5.0) -> Session:
    """This machine's session, its view still empty. RefusedError, UnavailableError say why there is none.

    `timeout` None goes on trying for ever in the background, as a resident agent does. A broker of this computer that
    nobody runs is told at once; it is waited for only where an agent runs, because then it may be starting too.
    """
    identity = identity_of(state)
    pair = KeyPair.from_seed(keys.load(state.machine_key))
    return await _session(settings, state, identity, pair, identity.machine, timeout)


async def as_operator(
    settings: Settings, state: State, ask: AskPassphrase, *, held: KeyPair | None = None, timeout: float = 5.0
) -> Session:
    """The operator's session, after the passphrase was given; with the key that `held` has, nobody is asked for it."""
    identity, name = identity_of(state), require_operator(state)
    pair = unlock(settings, state, ask) if held is None else _still_ours(state, held)
    session = await _session(settings, state, identity, pair, name, timeout)
    session.public = lambda text: public_line(text, state.folder, settings.home)
    await session.telling.catch_up()  # what an earlier command could not tell; the resident agent does its own
    return session


def require_operator(state: State) -> str:
    """The name of the operator whose key lies here; NoOperatorError when none does."""
    operator = identity_of(state).operator
    if operator is None or not state.operator_key.exists():
        raise NoOperatorError(
            "this has to be signed, and no operator's key lies on this machine: run it where `roosync init` was run"
        )
    return operator


def asks_passphrase(settings: Settings, state: State) -> bool:
    """Will `as_operator` ask the person at the terminal? NoOperatorError when there is no key to ask about."""
    require_operator(state)
    return settings.passphrase_file is None and keys.sealed_public(keys.load(state.operator_key)) is not None


def unlock(settings: Settings, state: State, ask: AskPassphrase) -> KeyPair:
    """The operator's key pair. WrongPassphraseError after TRIES at a terminal, at once when it comes from a file."""
    text = keys.load(state.operator_key)
    if keys.sealed_public(text) is None:
        return KeyPair.from_seed(text)
    if (path := settings.passphrase_file) is not None:
        try:
            return KeyPair.from_seed(keys.unseal(text, read_passphrase(path)))
        except WrongPassphraseError as error:
            raise WrongPassphraseError(f"{error}: it is the first line of {path}; put the right one there") from None
    prompt = tr("Passphrase of the operator's key:") + " "
    for _ in range(TRIES):
        try:
            return KeyPair.from_seed(keys.unseal(text, ask(prompt)))
        except WrongPassphraseError:
            prompt = tr("It does not open the key. Once more:") + " "
    raise WrongPassphraseError(
        f"none of the {TRIES} passphrases opens {state.operator_key}, or that file is damaged; nothing was signed. "
        "Run the command again with the one chosen at `roosync init`: nobody can recover it"
    )


def _still_ours(state: State, held: KeyPair) -> KeyPair:
    """The key that was unlocked earlier, if it is the one that lies here now."""
    text = keys.load(state.operator_key)
    if (keys.sealed_public(text) or KeyPair.from_seed(text).public) != held.public:
        raise KeyFileError(
            f"{state.operator_key} holds another key than the one that was unlocked, and nothing was signed: "
            "end `roosync unlock` and start it again"
        )
    return held


def read_passphrase(path: Path) -> str:
    """The first line of a file that only its owner can read."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise KeyFileError(
                f"{path} can be read by others: `chmod 600 {path}`, and change the passphrase if it leaked"
            )
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"the passphrase file {path} can not be read: {error}") from error
    if not lines or not lines[0]:
        raise KeyFileError(f"the passphrase file {path} is empty")
    return lines[0]


def ask_on_terminal(prompt: str) -> str:
    """From the person at the terminal; KeyFileError when nobody is there to ask."""
    import getpass

    if not sys.stdin.isatty():
        raise KeyFileError(
            "the operator's key is locked and there is no terminal to ask on: name a file in ROOSYNC_PASSPHRASE_FILE"
        )
    try:
        with _interrupted_at_once():
            return getpass.getpass(prompt)
    except EOFError:
        raise KeyFileError("no passphrase was given, so nothing was signed") from None


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Ctrl-C ends a read of the terminal: asyncio would only note it, and go on reading until it is pressed again."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):  # ignored, or not Python's
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _session(
    settings: Settings, state: State, identity: Identity, pair: KeyPair, name: str, timeout: float | None
) -> Session:
    law = state.law() or Law(fleet=identity.fleet, root=identity.root)
    if law.root != identity.root or law.fleet != identity.fleet:
        raise StateError(
            f"{state.folder / 'law.json'} is of another fleet; move it away, it is read again from the bus"
        )
    link = await connect(
        lambda: url_of(settings, identity),
        pair,
        name=name,
        certificate=identity.certificate,
        plain=settings.plain,
        keyless=identity.keyless,
        timeout=timeout,
        patient=resident(settings.state),
    )
    spool = Spool(state.folder / "spool" / name, report=log.warning)
    session = Session(link, Subjects(identity.fleet), pair, name, Fleet(law, verify), spool)
    session.law_read = state.law_read()
    return session
