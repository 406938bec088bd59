"""The commands that may be asked for where the key is unlocked, as one table; whatever is not in it is refused.

A request is only words. They are parsed by the commands themselves, looked up here, and made anew out of what was
parsed, so that what is shown is what runs. Never asked for: `--yes` (the person is the point), a file (it would be
read with the person's terminal as its face), and what prints a credential.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from roosync_agent.cli.text import shell_word

MOST_WORDS = 200
MOST_CHARS = 100_000  # of all of them: the text of a letter is one
FREE = frozenset(("as_json", "no_watch"))  # parameters that say nothing about what is signed
_HELP = re.compile(r"--help|--version|-[a-z]*h[a-z]*")
_FILE = re.compile(r"(?<![^\s(])@")


class NotAskedForError(ValueError):
    """These words can not be asked for; says why."""


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


@dataclass(frozen=True)
class Asked:
    """A command that may be asked for: as a person would type it, and the words that run."""

    rule: Rule
    words: tuple[str, ...]
    as_json: bool = False
    watch: bool = False  # who asked wants to follow what it began

    @property
    def command(self) -> str:
        """Harmless to print: no word of it moves the cursor, or poses as another."""
        return " ".join(("roosync", *map(shell_word, self.words)))


def read(words: Sequence[str]) -> Asked:
    """What the words mean; NotAskedForError when that may not be asked for. Nothing is run, read or printed."""
    if not words or len(words) > MOST_WORDS or sum(map(len, words)) > MOST_CHARS:
        raise NotAskedForError("no words, or too many")
    from roosync_agent.cli.app import ALIASES

    words = [*ALIASES.get(words[0], words[0]).split(" "), *words[1:]]
    rule = TABLE.get(words[0]) or TABLE.get(" ".join(words[:2]))
    if rule is None:
        raise NotAskedForError(f"`roosync {shell_word(words[0])}` is none of the commands that may be asked for")
    if any(_HELP.fullmatch(word) for word in words):
        raise NotAskedForError("help is not asked for there")
    if rule.names and any(_FILE.search(word) for word in words):
        raise NotAskedForError("a file of names is not read there")
    try:
        found = of_context(_parsed(words))
    except click.ClickException as error:
        raise NotAskedForError(error.format_message()) from None
    except (click.exceptions.Exit, click.Abort):
        raise NotAskedForError("they mean no signing command") from None
    if found is None:
        raise NotAskedForError("that command signs nothing")
    return found


def of_context(context: click.Context) -> Asked | None:
    """A command that was parsed; None when it signs nothing as it was given. NotAskedForError as `read`."""
    rule = TABLE.get(_path(context))
    if rule is None:
        raise NotAskedForError(f"`{_path(context)}` is none of the commands that may be asked for")
    given = {p.name: p for p in context.command.params if p.name and _given(context, p.name) and p.name != "here"}
    if not_allowed := [name for name in given if name not in rule.given and name not in FREE]:
        named = ", ".join(given[name].opts[0] for name in not_allowed)
        raise NotAskedForError(f"{named} is not asked for there")
    if any(_FILE.search(word) for name in rule.names for word in _texts(context.params.get(name))):
        raise NotAskedForError("a file of names is not read there")
    if context.params.get("as_json") and not rule.json:
        raise NotAskedForError("--json of it is not asked for there")
    if rule.one_of and not any(name in given for name in rule.one_of):
        return None
    if not all(given_of(context, name) for name in rule.needs):
        return None
    if rule.path == "label" and not given_of(context, "on") and len(context.params["words"]) < 2:
        return None  # it lists
    return Asked(
        rule=rule,
        words=(*rule.path.split(" "), *(["--no-watch"] if rule.follows else []), *_words(given, context.params)),
        as_json=bool(context.params.get("as_json")),
        watch=bool(rule.follows) and not context.params.get("no_watch"),
    )


def given_of(context: click.Context, name: str) -> Any:
    return context.params.get(name) if _given(context, name) else None


def _texts(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, tuple | list) else [value])] if value is not None else []


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _path(context: click.Context) -> str:
    """`decision approve`: the names that the commands have themselves, not those that they were called by."""
    names: list[str] = []
    at: click.Context | None = context
    while at is not None and at.parent is not None:
        names.insert(0, at.info_name or "")
        at = at.parent
    from roosync_agent.cli.app import ALIASES

    return " ".join([ALIASES.get(names[0], names[0]), *names[1:]]) if names else ""


def _parsed(words: Sequence[str]) -> click.Context:
    from roosync_agent.cli.app import roosync

    context = roosync.make_context("roosync", list(words))
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        if command is None:
            raise click.UsageError(f"there is no command {name!r}")
        context = command.make_context(name, rest, parent=context)
    return context


def _words(given: Mapping[str, click.Parameter], params: Mapping[str, Any]) -> list[str]:
    """The words that say the same again: options by their long names first, then what stands alone."""
    options: list[str] = []
    alone: list[str] = []
    for name, parameter in given.items():
        values = _texts(params[name])
        if not isinstance(parameter, click.Option):
            alone += values
        elif name in FREE:
            continue
        elif parameter.is_flag:
            options += [max(parameter.opts, key=len)]
        else:
            for one in values:
                long = max(parameter.opts, key=len)
                options += [f"{long}={one}"] if one.startswith("-") else [long, one]
    return [*options, *(["--"] if any(word.startswith("-") for word in alone) else []), *alone]
