"""What a command finds when it runs inside `roosync unlock`: the key that is held there, and who wants to know its end.

Every command that signs goes through `cli.running.signed`, and every answer through `cli.running.show`; these two look
here. In any other process the key is None and nobody listens. Imports next to nothing: all commands pass through it.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roosync_broker.keys import KeyPair

key: "KeyPair | None" = None
# Are the words somebody else's? Then no file that they name is opened, neither to understand them nor to run them.
of_another: ContextVar[bool] = ContextVar("of_another", default=False)
# Digest of what was shown before a command that has no question of its own (`operations.previewing`): nothing else is
# signed. None outside of such a command.
shown: str | None = None
listeners: list[Callable[[dict[str, Any]], None]] = []


def tell(end: dict[str, Any]) -> None:
    """{"value": an answer, as --json would print it} or {"error": {"kind", "message"}}."""
    for listener in listeners:
        listener(end)
