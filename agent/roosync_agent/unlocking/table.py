"""The commands that may be asked for where the key is unlocked; whatever is not in this table is refused.

Never asked for: `--yes` (the person is the point), a file (it would be read with the person's terminal as its face),
and what prints a credential. A test compares it with every command that signs.
"""

from dataclasses import dataclass

FREE = frozenset(("as_json", "no_watch"))  # parameters that say nothing about what is signed


@dataclass(frozen=True)
class Rule:
    """One command. `given`: its parameters that may be given, by the names that the command gives them."""

    path: str
    given: tuple[str, ...] = ()
    asks: bool = False  # it shows what it would sign, and asks; any other is asked for before it begins
    one_of: tuple[str, ...] = ()  # signed only with one of these
    needs: tuple[str, ...] = ()  # signed, or without standard input, only with all of these
    names: tuple[str, ...] = ()  # of these a word may be a file of names (@FILE), which is not read here
    json: bool = True
    follows: str = ""  # the command that follows what was begun: the one who asked runs it, with the id


_CHOICE = ("on", "limit", "seed")
_PACE = ("canary", "waves", "pause", "max_fail", "timeout", "note")
_LETTER = ("body", "priority", "tags", "id_", "as_operator")
_AGAIN = ("id_", "without", "skip_failed")
RULES = (
    Rule("decision approve", ("id_", "action"), asks=True),
    Rule("decision reject", ("id_", "reason")),
    Rule("decision rollback", ("id_", "wait", "exact")),
    Rule("approve", ("ids", "risk", "everything", "machine", "wait"), asks=True),
    Rule("rollout start", ("ids", "entity", "everything", "risk", *_CHOICE, *_PACE), asks=True, names=("on",),
         follows="rollout watch"),
    Rule("rollout approve", ("id_",), asks=True, follows="rollout watch"),
    Rule("rollout resume", _AGAIN, asks=True, follows="rollout watch"),
    Rule("rollout stop", ("id_", "reason")),
    Rule("update require", ("version", "tag", "commit", "splay", "replace_", *_CHOICE, *_PACE), asks=True,
         names=("on",), follows="update watch"),
    Rule("update resume", _AGAIN, asks=True, follows="update watch"),
    Rule("update withdraw", ("reason",)),
    Rule("mcp-servers share", ("name", "source", "to", "variant", "machines", "wait"), asks=True),
    Rule("mcp-servers remove", ("name", "everywhere", "assistants", "machines", "wait"), asks=True),
    Rule("baseline choose", ("field", "take", "union", "special", "omit", "suggested")),
    Rule("baseline validate", ("id_",)),
    Rule("baseline publish", ("id_", "version", "note")),
    Rule("baseline restore", ("version",)),
    Rule("policy set", ("answers", "add", "remove")),
    Rule("cycle excuse", ("machine", "id_", "reason")),
    Rule("cycle resume", ("id_",)),
    Rule("cycle abort", ("id_", "reason")),
    Rule("request done", ("id_", "note")),
    Rule("request refuse", ("id_", "note")),
    Rule("pause", ("machine", "whole_fleet"), one_of=("machine", "whole_fleet")),
    Rule("resume", ("machine", "whole_fleet")),
    Rule("label", ("words", *_CHOICE), names=("on", "words"), needs=("words",)),
    Rule("revoke", ("machine",), asks=True),
    Rule("renew"),
    Rule("invite", ("address", "machine", "minutes", "no_wait", "no_orchestrate"), json=False),
    Rule("admit", ("minutes",), json=False),
    Rule("message send", ("to", "subject", "thread", *_LETTER), names=("to",), needs=("as_operator", "body")),
    Rule("message reply", ("id_of", "subject", *_LETTER), needs=("as_operator", "body")),
    Rule("message inbox", ("box", "thread", "tag", "priority", "sender", "limit", "as_operator"),
         needs=("as_operator",)),
    Rule("message read", ("id_", "keep_unread", "as_operator"), needs=("as_operator",)),
    Rule("message archive", ("ids", "as_operator"), needs=("as_operator",)),
    Rule("message mark", ("status", "ids", "as_operator"), needs=("as_operator",)),
    Rule("message remove", ("ids", "archived", "as_operator"), needs=("as_operator",)),
)  # fmt: skip
TABLE = {rule.path: rule for rule in RULES}
