"""The options with which a command chooses machines, the same for every command that has to do with several.

A file of names (`@FILE`) is read here, by the command and with the person's rights, and never by an agent.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from roosync_agent.unlocking import held
from roosync_agent.wording import heard, tr, trn

F = TypeVar("F", bound=Callable[..., Any])
MAX_FILE = 1024 * 1024  # bytes
_FILE = re.compile(r'(?<![^\s(])@(?:"([^"]+)"|([^\s()"]+))')
_COMMENT = re.compile(r"(^|\s)#.*")


def expanded(text: str) -> str:
    """The expression with the lines of its files in their places; click.UsageError names a file and a line."""
    if held.of_another.get() and _FILE.search(text):  # it would be read with the person's rights, `@-` from their keys
        raise click.UsageError(tr("a file of names is not read for somebody else"))
    return _FILE.sub(lambda found: f"({_of_file(found[1] or found[2])})", text)


def _of_file(name: str) -> str:
    from roosync_protocol.targeting import TargetError, parse

    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(name).expanduser().open("rb") as opened:
                data = opened.read(MAX_FILE + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(
            tr("{name} is no text in UTF-8: write one name or expression to a line", name=name)
        ) from None
    except OSError as error:
        raise click.UsageError(tr("{name} can not be read: {why}", name=name, why=error.strerror or error)) from None
    if len(data) > MAX_FILE:
        raise click.UsageError(
            tr("{name} has more than {most} bytes; give the machines a label instead", name=name, most=f"{MAX_FILE:,}")
        )
    lines = [(number, _COMMENT.sub("", line).strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise click.UsageError(tr("{name} names no machine: write one name or expression to a line", name=name))
    for number, line in lines:
        try:
            parse(line)
        except TargetError as error:
            raise click.UsageError(
                tr("{name}, line {number}: {error}", name=name, number=number, error=heard(str(error)))
            ) from None
    return " or ".join(line if len(line.split()) == 1 else f"({line})" for _, line in lines)


def _once(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> str | None:
    if len(given) > 1:
        raise click.UsageError(
            tr("--on is given twice, and could mean both or either: write one expression with `and` or `or`")
        )
    return expanded(given[0]) if given else None


on_option = click.option(
    "--on",
    multiple=True,
    metavar="EXPR",
    callback=_once,
    help="Machines: a name, lab-*, role=dev, os=linux, and or not ( ), @FILE.",
)
_LIMIT = click.option("--limit", default="", metavar="N|N%", help="Only so many of them.")
_SEED = click.option("--seed", default="", metavar="TEXT", help="Which ones --limit takes: the same for the same seed.")
_PREVIEW = click.option(
    "--preview", "--dry-run", "preview", is_flag=True, help="Tell which machines are meant, and do nothing."
)


def limit_options(command: F) -> F:
    """--limit and --seed."""
    return _LIMIT(_SEED(command))


def choosing_options(command: F) -> F:
    """--on, --limit, --seed and --preview: arguments `on`, `limit`, `seed`, `preview`."""
    return on_option(limit_options(_PREVIEW(command)))


def wanted(names: tuple[str, ...], on: str | None) -> list[str]:
    """The expressions of a command that takes them as its words, or as --on."""
    if names and on is not None:
        raise click.UsageError(tr("--on and machines beside it could mean both or either: write one expression"))
    return [on] if on is not None else [expanded(name) for name in names]


def preview(on: str | list[str] | None, limit: str, seed: str, *, as_json: bool) -> NoReturn:
    """Tells which machines are meant, and ends the command."""
    from roosync_agent.cli.machines import told

    told(on, limit, seed, as_json=as_json)
    raise click.exceptions.Exit(0)


def chosen_text(chosen: dict[str, Any]) -> str:
    """Who was chosen, in a line: how many of how many, and by which limit."""
    from roosync_agent.characters import harmless
    from roosync_agent.cli.text import listed

    names = listed(chosen["machines"], 8)
    number = len(chosen["machines"])
    if chosen["limit"]:
        told = trn(
            "{number} of {count} machine that are meant, {options}: {names}",
            "{number} of {count} machines that are meant, {options}: {names}",
            chosen["meant"],
            number=number,
            options=harmless(f"--limit {chosen['limit']} --seed {chosen['seed']}"),
            names=names,
        )
    else:
        told = tr("{number} of {all}: {names}", number=number, all=chosen["of"], names=names)
    return f"{told}\n{claims_text(chosen['claims'])}" if chosen["claims"] else told


def claims_text(claims: list[str]) -> str:
    """That machines were chosen by their own word, which a person should know before anything is signed."""
    from roosync_agent.characters import harmless

    return tr(
        "! Chosen by what machines say of themselves, and could say falsely: {claims}",
        claims=harmless(", ".join(claims)),
    )


def labels_text(labels: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(labels.items()))
