"""What can go wrong with the bus, drawn as a tree by whose fault it is and what to do next.

BusError
  SenderError           somebody else sent something that can not be used: leave it behind, tell who
    ContentError        bytes that are not what their hash says, or too many of them
  OursError             we asked for something impossible: a fault of this program or of its settings
    KeyFileError        a private key that can not be read or unlocked
      WrongPassphraseError   ... because the passphrase does not open it (a damaged box looks the same)
    ServerError         the embedded server can not start or run; the message says what a person can do
      InTheWayError     ... before a person changed something: a port, an address, a program
  StaleError            somebody advanced the record first: read it again
  RefusedError          the broker does not permit it: ask an operator, retrying is of no use
    NotAdmittedError    ... not even to connect
      KeyRefusedError   ... because it does not know this key, or no more
      CertificateError  ... by ourselves: the broker shows another certificate than the pinned one
      PlainTextError    ... by ourselves: it speaks in clear, and is on another computer
  UnavailableError      the bus is away or silent: retry later *with the same message id*
    NobodyListensError  no program has the port of a broker on this computer: waiting alone does not change that
    NoResponderError    nobody answers on that subject at this moment
    ClosedError         the link was closed by ourselves
  FullError             a bound was reached and nothing was stored: make room first
"""

from collections.abc import Collection


class BusError(Exception):
    """The root; its message is written for a person."""


class SenderError(BusError):
    pass


class ContentError(SenderError):
    pass


class OursError(BusError):
    pass


class KeyFileError(OursError):
    pass


class WrongPassphraseError(KeyFileError):
    pass


class ServerError(OursError):
    pass


class InTheWayError(ServerError):
    pass


class StaleError(BusError):
    pass


class RefusedError(BusError):
    """`subjects`: those that are not permitted, where several were asked for at once."""

    def __init__(self, message: str, subjects: Collection[str] = ()) -> None:
        super().__init__(message)
        self.subjects = frozenset(subjects)


class NotAdmittedError(RefusedError):
    pass


class KeyRefusedError(NotAdmittedError):
    pass


class CertificateError(NotAdmittedError):
    pass


class PlainTextError(NotAdmittedError):
    pass


class UnavailableError(BusError):
    pass


class NobodyListensError(UnavailableError):
    pass


class NoResponderError(UnavailableError):
    pass


class ClosedError(UnavailableError):
    pass


class FullError(BusError):
    pass
