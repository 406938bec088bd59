"""Mail between machines, operators and assistants: what a letter may hold, and whom it is for (5-protocols, "Mail").

letter        the letter itself, in the field names of RooSync 2, with its limits
addressing    which members a person means by a name, a pattern, `all`
attachments   what a file may be called, and how large it may be
"""

from roosync_protocol.mail.addressing import NoRecipientError, recipients
from roosync_protocol.mail.attachments import MAX_FILE, MAX_FILES, attachment_fault
from roosync_protocol.mail.letter import (
    MAX_BODY,
    PRIORITIES,
    Attachment,
    Letter,
    LetterError,
    Priority,
    answering,
    opened,
    packed,
    written,
)

__all__ = [
    "MAX_BODY",
    "MAX_FILE",
    "MAX_FILES",
    "PRIORITIES",
    "Attachment",
    "Letter",
    "LetterError",
    "NoRecipientError",
    "Priority",
    "answering",
    "attachment_fault",
    "opened",
    "packed",
    "recipients",
    "written",
]
