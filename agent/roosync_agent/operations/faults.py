"""Whose fault an error is, in one table: the faces turn it into a message, an exit code, a JSON error.

request    the person asked for something that can not be       key     a key, a passphrase, a permission
bus        the broker is away, or refuses                       state   our own folder is broken
package    somebody published what can not be believed          settings
missing    no fault at all: something has to come first, and is not there yet
"""

import errno

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


NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def words_of(error: BaseException) -> str:
    """What a person is told of it: of what the system says, which file, and what to do next."""
    if not isinstance(error, OSError) or not str(error).startswith("[Errno"):
        return str(error)
    if error.errno in NO_ROOM:
        where = f"there is no room to write {error.filename}" if error.filename else "there is no room on the disk"
        return f"{where}: {error.strerror}; make room and try again, `roosync doctor` names the disk"
    what = f"{error.filename} can not be used" if error.filename else "a file can not be used"
    return f"{what}: {error.strerror}; `roosync doctor` looks at the folders of roosync"


def fault_of(error: BaseException) -> str | None:
    """The kind of an error that a person can do something about; None when it is a fault of this program."""
    return next((kind for type_, kind in FAULTS if isinstance(error, type_)), None)
