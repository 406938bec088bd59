"""Words that ask for a signature: what they mean, and whether that may be asked for where the key is unlocked.

A request is only words. They are parsed by the commands themselves, looked up in the table, and made anew out of what
was parsed, so that what is shown is what runs. Nothing is run, read or printed for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from roosync_agent.characters import shell_word
from roosync_agent.unlocking import held
from roosync_agent.unlocking.table import FREE, TABLE, Rule

MOST_WORDS = 200
MOST_CHARS = 100_000  # of all of them: the text of a letter is one
_HELP = re.compile(r"--help|--version|-[a-z]*h[a-z]*")
_FILE = re.compile(r"(?<![^\s(])@")


class NotAskedForError(ValueError):
    """These words can not be asked for; says why."""


@dataclass(frozen=True)
class CommandLine:
    """The command line, given by itself: what reads words, and what runs those in `sys.argv`."""

    group: click.Group
    aliases: Mapping[str, str]  # another name -> the words that it stands for
    run: Callable[[], int]  # the exit code; every error is told by then


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


def read(words: Sequence[str], line: CommandLine) -> Asked:
    """What the words mean; NotAskedForError when that may not be asked for. Nothing is run, read or printed."""
    if not words or len(words) > MOST_WORDS or sum(map(len, words)) > MOST_CHARS:
        raise NotAskedForError("no words, or too many")
    words = [*line.aliases.get(words[0], words[0]).split(" "), *words[1:]]
    rule = TABLE.get(words[0]) or TABLE.get(" ".join(words[:2]))
    if rule is None:
        raise NotAskedForError(f"`roosync {shell_word(words[0])}` is none of the commands that may be asked for")
    if any(_HELP.fullmatch(word) for word in words):
        raise NotAskedForError("help is not asked for there")
    if rule.names and any(_FILE.search(word) for word in words):
        raise NotAskedForError("a file of names is not read there")
    others = held.of_another.set(True)
    try:
        found = of_context(_parsed(words, line.group), line.aliases)
    except click.ClickException as error:
        raise NotAskedForError(error.format_message()) from None
    except (click.exceptions.Exit, click.Abort):
        raise NotAskedForError("they mean no signing command") from None
    finally:
        held.of_another.reset(others)
    if found is None:
        raise NotAskedForError("that command signs nothing")
    return found


def of_context(context: click.Context, aliases: Mapping[str, str]) -> Asked | None:
    """A command that was parsed; None when it signs nothing as it was given. NotAskedForError as `read`."""
    path = _path(context, aliases)
    rule = TABLE.get(path)
    if rule is None:
        raise NotAskedForError(f"`{path}` is none of the commands that may be asked for")
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


def _path(context: click.Context, aliases: Mapping[str, str]) -> str:
    """`decision approve`: the names that the commands have themselves, not those that they were called by."""
    names: list[str] = []
    at: click.Context | None = context
    while at is not None and at.parent is not None:
        names.insert(0, at.info_name or "")
        at = at.parent
    return " ".join([aliases.get(names[0], names[0]), *names[1:]]) if names else ""


def _parsed(words: Sequence[str], group: click.Group) -> click.Context:
    context = group.make_context("roosync", list(words))
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
