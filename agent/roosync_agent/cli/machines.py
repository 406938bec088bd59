"""`roosync machines`: who there is, by which words each can be chosen; also the preview of what others choose."""

from typing import Any

import click

from roosync_agent.characters import brief, harmless
from roosync_agent.cli.choosing import chosen_text, labels_text, limit_options, on_option, wanted
from roosync_agent.cli.running import ask_machine, json_option
from roosync_agent.cli.text import print_json, table, table_with_lines, this_one
from roosync_agent.columns import columns, folded, paint, want_colour, width
from roosync_agent.wording import heard, mark, tr

HEADS = (mark("MACHINE"), mark("SEEN"), mark("VERSION"), mark("OS"), mark("STATE"))


@click.command()
@click.argument("names", nargs=-1, metavar="[EXPR]...")
@on_option
@limit_options
@click.option("--facts", is_flag=True, help="Everything that each can be chosen by.")
@json_option
def machines(names: tuple[str, ...], on: str | None, limit: str, seed: str, facts: bool, as_json: bool) -> None:
    """The machines of the fleet, or those that EXPR means: seen, version, system, state, labels.

    What is shown here for an expression is what every other command with --on has to do with.
    """
    told(wanted(names, on), limit, seed, facts=facts, as_json=as_json)


def told(on: str | list[str] | None, limit: str, seed: str, *, facts: bool = False, as_json: bool) -> None:
    """The machines that are meant, and how many of how many they are."""
    answer = ask_machine("machines", on=on, limit=limit, seed=seed)
    if as_json:
        print_json(answer["machines"])
        return
    click.echo(_all_of(answer) if facts else _text(answer))
    if on or limit:
        click.echo(f"\n{chosen_text(answer['chosen'])}")


def _text(answer: dict[str, Any]) -> str:
    found, colour, room = answer["machines"], want_colour(), width() or 80
    rows = [
        (
            this_one(one["machine"], answer["agent"]),
            one["seen"],
            brief(one["roosync_version"] or "-"),
            brief(one["facts"].get("os", "-")),
            one["state"],
        )
        for one in found
    ]
    labels = [labels_text(one["labels"]) for one in found]
    heads = tuple(map(tr, HEADS))
    wide = table([(*row, told) for row, told in zip(rows, labels, strict=True)], (*heads, tr("LABELS")), room=0)
    reasons = {tuple(one["because"]) for one in found}
    if len(reasons) < 2 and all(columns(line) <= room for line in wide.split("\n")):
        told = [(*row, told or "-") for row, told in zip(rows, labels, strict=True)]
        return table(told, (*heads, tr("LABELS")), colour=colour)
    below = [told or "-" for told in labels]
    if len(reasons) > 1:
        below = [
            tr("{labels}  because {reasons}", labels=told, reasons="; ".join(map(heard, one["because"])))
            for told, one in zip(below, found, strict=True)
        ]
    return "\n".join(table_with_lines(rows, heads, below, colour=colour))


def _all_of(answer: dict[str, Any]) -> str:
    return "\n\n".join(_facts(one) for one in answer["machines"])


def _facts(one: dict[str, Any]) -> str:
    """One machine: what an operator signed, what it says of itself, what it has."""
    room = width() or 80
    lines = [
        (tr("labels"), labels_text(one["labels"]) or tr("none: roosync label MACHINE KEY=VALUE")),
        *one["facts"].items(),
        *((f"local.{key}", value) for key, value in one["local"].items()),
        (tr("has"), "  ".join(one["has"]) or (tr("nothing") if one["has_known"] else tr("unknown: it never said"))),
        (tr("last seen"), one["last_seen"][:19] if one["last_seen"] else tr("never")),
        (tr("waits for"), heard(one["waiting_for"])),
    ]
    told = [paint(harmless(one["machine"]), "bold", want_colour())]
    for key, value in lines:
        if value:
            first, *rest = folded(harmless(value), room - 16, 0)
            told += [f"  {harmless(key):<14}{first}", *(" " * 16 + part for part in rest)]
    return "\n".join(told)
