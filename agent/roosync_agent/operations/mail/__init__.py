"""Letters between machines, operators and assistants: send, look, read, reply, archive. The same for every face.

A machine sends and reads with its own key; what is addressed to an operator is read where the operator's key is.
"""

from roosync_agent.operations.mail.answers import InboxAnswer, MessageAnswer, SentAnswer
from roosync_agent.operations.mail.reading import inbox, mark, read, remove
from roosync_agent.operations.mail.sending import reply, send

__all__ = ["InboxAnswer", "MessageAnswer", "SentAnswer", "inbox", "mark", "read", "remove", "reply", "send"]
