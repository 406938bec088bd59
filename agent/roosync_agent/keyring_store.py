"""Secrets that a person keeps in the system's keyring for this machine, by their addresses.

The state folder holds references only (`keyring.json`: address -> service and user); the values are in the keyring of
the system (the `keyring` package: Keychain, Credential Locker, Secret Service). They are asked for when an entity is
about to be written whose secret this machine has nowhere else, and never sent anywhere.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from roosync_broker.private_files import read_private, write_private

SERVICE = "roosync"
FILE = "keyring.json"
LIMIT = 1024 * 1024  # bytes
EXTRA = "pip install 'roosync[keyring]'"


class KeyringError(RuntimeError):
    """The keyring can not be used; says why, and what to do. Never holds a value."""


class Reference(msgspec.Struct, frozen=True):
    service: str
    user: str


class KeyringStore:
    def __init__(self, state: Path) -> None:
        self._file = state / FILE

    def references(self) -> dict[str, Reference]:
        """By address; KeyringError when the file is broken."""
        try:
            return msgspec.json.decode(read_private(self._file, LIMIT), type=dict[str, Reference])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise KeyringError(
                f"{self._file} can not be read ({error}); remove it and set the secrets again"
            ) from error

    def stored(self, address: str) -> str | None:
        """The value for an address; None when nothing is kept for it, or the keyring does not give it."""
        try:
            reference = self.references().get(address)
            return _keyring_get(reference) if reference else None
        except KeyringError:
            return None  # the refusal names the address; `roosync secrets` says what is wrong

    def keep(self, address: str, value: str, reference: Reference | None = None) -> Reference:
        """Puts a value into the keyring, and the reference into the state folder."""
        reference = reference or Reference(SERVICE, address)
        references = self.references()
        _keyring_set(reference, value)
        self._save(references | {address: reference})
        return reference

    def refer(self, address: str, reference: Reference) -> None:
        """To something that the keyring has already. KeyringError when it has not."""
        if _keyring_get(reference) is None:
            raise KeyringError(f"the keyring has nothing for service {reference.service!r} and user {reference.user!r}")
        self._save(self.references() | {address: reference})

    def forget(self, address: str) -> bool:
        """Takes the reference away, and the value where it was put there by us. False when there was none."""
        references = self.references()
        reference = references.pop(address, None)
        if reference is None:
            return False
        if reference == Reference(SERVICE, address):
            _keyring_delete(reference)
        self._save(references)
        return True

    def has(self, address: str) -> bool:
        reference = self.references().get(address)
        return reference is not None and _keyring_get(reference) is not None

    def _save(self, references: dict[str, Reference]) -> None:
        write_private(self._file, msgspec.json.encode(references, order="sorted"))


def _keyring_get(reference: Reference) -> str | None:
    keyring = _package()
    try:
        value = keyring.get_password(reference.service, reference.user)
    except keyring.errors.KeyringError as error:
        raise KeyringError(f"the keyring of this system does not answer: {_said(error)}") from error
    return value if isinstance(value, str) else None


def _keyring_set(reference: Reference, value: str) -> None:
    keyring = _package()
    try:
        keyring.set_password(reference.service, reference.user, value)
    except keyring.errors.KeyringError as error:
        raise KeyringError(f"the keyring of this system does not take it: {_said(error)}") from error


def _keyring_delete(reference: Reference) -> None:
    keyring = _package()
    with suppress(keyring.errors.KeyringError):  # it is gone already
        keyring.delete_password(reference.service, reference.user)


def _package() -> Any:
    """The optional package; what is missing is said with the command that brings it."""
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise KeyringError(f"the system's keyring needs an optional package: {EXTRA}") from error
    return keyring


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
