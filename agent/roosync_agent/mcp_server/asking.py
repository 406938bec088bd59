"""What has to be signed: a tool prepares it, and a person confirms it where their key is unlocked.

No tool signs, says yes in a person's place, or names a passphrase. What it can do is to put the words of a command to
`roosync unlock`, which shows its own card and asks. A tool that is called again looks at what is there first
(level, not edge): what was signed meanwhile is told as done, and nothing is asked twice.
"""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from msgspec import Struct

from roosync_agent.characters import shell_word
from roosync_agent.mcp_server.desk import Desk, ToolFault
from roosync_agent.running.reaching import Withdrawal
from roosync_agent.unlocking.asking import Answer, ask_to_sign

SAID = 2_000  # characters of what the command said
Outcome = Literal["done", "declined", "needs_person", "waiting", "failed", "busy", "prepared"]
OUTCOMES: dict[str, Outcome] = {
    "done": "done",
    "declined": "declined",
    "failed": "failed",
    "nobody": "needs_person",
    "busy": "busy",
    "waiting": "waiting",
}
NEXT: dict[Outcome, str] = {
    "declined": "the person said no: do not ask again for the same; tell them what you know, and let them choose",
    "needs_person": "tell the person: run `roosync unlock` in a terminal and answer there (then call this tool again), "
    "or run `command` there",
    "waiting": "the question stays where the key is unlocked; call this tool again to see what became of it",
    "failed": "read `says`; roosync_get_status tells how things stand",
    "busy": "too many questions wait for the person already; call again when they are answered",
    "prepared": "with wait_seconds above 0 the person is asked",
}


class Signing(Struct, frozen=True, kw_only=True):
    """What became of something that a person signs."""

    outcome: Outcome
    command: str  # what a person would run
    says: str = ""
    state: str = ""  # of the record, as it stands now
    about: dict[str, Any] = {}  # what is signed: the card, the plan


def command_of(desk: Desk, words: Sequence[str]) -> str:
    """As a person types it, in whatever terminal: harmless, quoted, for this state folder."""
    from roosync_agent.running.where import state_folder

    typed = " ".join(["roosync", *map(shell_word, words)])
    state = desk.office.settings().state
    if os.name == "nt" or state == state_folder({}):
        return typed
    return f"ROOSYNC_STATE={shell_word(state)} {typed}"


def unasked(desk: Desk, outcome: Outcome, words: Sequence[str], says: str, state: str = "") -> Signing:
    """An answer for which nobody is asked: it is done already, or only a person can begin it."""
    return Signing(outcome=outcome, command=command_of(desk, words), says=says, state=state)


async def ask_person(
    desk: Desk, words: Sequence[str], wait: float, *, state: str = "", about: dict[str, Any] | None = None
) -> Signing:
    """Puts `words` to the person whose key is unlocked, and waits `wait` seconds for the answer; 0 only prepares."""
    shown: dict[str, Any] = {"command": command_of(desk, words), "state": state, "about": about or {}}
    if not wait:
        desk.next.append(NEXT["prepared"])
        return Signing(outcome="prepared", says="nothing was asked", **shown)
    folder = desk.office.settings().state
    withdrawal = Withdrawal()
    work = partial(ask_to_sign, folder, words, asker=desk.asker, wait=wait, opened=withdrawal.hold)
    says = f"the person is asked where the key is unlocked: {shown['command']}"
    answer: Answer = await desk.patiently(work, withdrawal.withdraw, says, person=True)
    if answer.outcome == "refused":
        raise ToolFault("request", f"this is not asked for: {answer.says}", f"a person runs it: {shown['command']}")
    outcome = OUTCOMES[answer.outcome]
    desk.next.append(NEXT.get(outcome, ""))
    return Signing(outcome=outcome, says=answer.says[-SAID:], **shown)
