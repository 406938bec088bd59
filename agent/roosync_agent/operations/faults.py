"""Whose fault an error is, in one table: the faces turn it into a message, an exit code, a JSON error.

request    the person asked for something that can not be       key     a key, a passphrase, a permission
bus        the broker is away, or refuses                       state   our own folder is broken
package    somebody published what can not be believed          settings
missing    no fault at all: something has to come first, and is not there yet
"""

from roosync_agent.collecting.reference import NothingToCompareError
from roosync_agent.connect import NoFleetError, NoOperatorError
from roosync_agent.keyring_store import KeyringError
from roosync_agent.operations.membership.lawmaking import NotYetError, RefusedRequestError
from roosync_agent.settings import SettingsError
from roosync_agent.state import HeldError, StateError
from roosync_broker.errors import BusError, InTheWayError, KeyFileError, RefusedError, SenderError
from roosync_protocol.baseline import MalformedContent
from roosync_protocol.package import HostilePackageError

FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (KeyFileError, "key"),
    (NoOperatorError, "key"),
    (RefusedError, "key"),
    (SenderError, "package"),
    (HostilePackageError, "package"),
    (MalformedContent, "package"),
    (BusError, "bus"),
    (NoFleetError, "request"),
    (NotYetError, "missing"),
    (RefusedRequestError, "request"),
    (NothingToCompareError, "missing"),
    (SettingsError, "settings"),
    (StateError, "state"),
    (KeyringError, "state"),
    (ValueError, "request"),
    (OSError, "state"),
)


# Trying again without a person does not help. (`HeldError` is the exception: who holds a folder may be ending.)
HOPELESS = (KeyFileError, InTheWayError, SettingsError, NoFleetError, StateError)


def hopeless(error: BaseException) -> bool:
    """Has a person to change something before this can work?"""
    return isinstance(error, HOPELESS) and not isinstance(error, HeldError)


def fault_of(error: BaseException) -> str | None:
    """The kind of an error that a person can do something about; None when it is a fault of this program."""
    return next((kind for type_, kind in FAULTS if isinstance(error, type_)), None)
