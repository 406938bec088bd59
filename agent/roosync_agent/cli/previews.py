"""`--dry-run`: what a command would sign or do, as text, and the option itself.

The same page stands before "Run it, and sign" where a key is unlocked (`unlocking.keeping`). What would execute is
shown whole, as on the card of a decision, and a value has its marks, so that it poses as no other line.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.card_facts_text import lacking_lines, marked_lines
from roosync_agent.cli.card_lines import PLACE, said, titled, within
from roosync_agent.cli.card_text import card_text, executing_lines
from roosync_agent.cli.changes import block, changes_text, fitted, told
from roosync_agent.cli.running import ask_machine, show
from roosync_agent.cli.text import TONES, next_line
from roosync_agent.columns import paint, want_colour, width
from roosync_agent.unlocking import held
from roosync_agent.wording import mark, tr, trn

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what it would do; sign, post and write nothing.")
HOW = {
    "new": mark("new"),
    "changed": mark("changed"),
    "removed": mark("taken away from the machines"),
    "left out": mark("in the baseline no more; who has it keeps it"),
}
MANY = 20  # machines that are named in a row


def previewed(deed: str, given: dict[str, Any], as_json: bool) -> NoReturn:
    """Shows what `deed` would sign, and ends the command; nothing is signed."""
    tell(ask_machine("preview", deed=deed, given=given), as_json)


def told_here(deed: str, what: str, facts: dict[str, str], then: list[str], as_json: bool) -> NoReturn:
    """The same of what needs no signature and no agent: it is said here."""
    rows = [{"title": title, "lines": [line]} for title, line in facts.items() if line]
    tell({"deed": deed, "what": what, "signs": False, "facts": rows, "then": then}, as_json)


def tell(preview: dict[str, Any], as_json: bool) -> NoReturn:
    show(preview, as_json, lambda found: preview_text(found, following=held.key is None))  # else it is asked below
    raise click.exceptions.Exit(0)


def preview_text(preview: dict[str, Any], *, following: bool = True) -> str:
    """`following`: what to do next comes last; left out where the question is asked right below."""
    head = tr("Would sign: {what}", what=said(preview["what"]))
    if not preview.get("signs", True):
        head = tr("Would do: {what}", what=said(preview["what"]))
    lines = within(head, PLACE)
    for fact in preview.get("facts", ()):
        title = said(fact["title"])
        for line in fact["lines"]:
            lines += titled(title, said(line))
            title = ""
    lines += _law(preview)
    if preview.get("text"):
        lines += ["", *fitted(block("|", tr("Text"), preview["text"]), width(), 2)]
    if preview.get("card"):
        lines += ["", card_text(preview["card"], following=False)]
    for file in preview.get("files", ()):
        lines += ["", *fitted(map(harmless, file["diff"].rstrip("\n").split("\n")), width(), 2)]
    if preview.get("values") is not None:
        lines += ["", *_values(preview["values"])]
    lines += _then(preview)
    return "\n".join([*lines, *(["", next_line(tr("the same without --dry-run"))] if following else [])])


def _law(preview: dict[str, Any]) -> Iterator[str]:
    """What stands in it before and after; and the questions that would be answered."""
    if preview.get("before"):
        yield f"  {tr('Changes')}"
        yield from fitted(changes_text(preview["before"]), width(), 4)
    if preview.get("questions"):
        from roosync_agent.cli.questions import question_lines

        for question in preview["questions"]:
            yield ""
            yield from question_lines(question)


def _then(preview: dict[str, Any]) -> Iterator[str]:
    title = tr("Then")
    if preview.get("then"):
        yield ""
    for line in preview.get("then", ()):
        yield from titled(title, said(line))
        title = ""


def _values(values: list[dict[str, Any]]) -> Iterator[str]:
    if not values:
        yield tr("No value of the baseline in force becomes another.")
        return
    yield trn(
        "{count} value is other than in the baseline in force:",
        "{count} values are other than in the baseline in force:",
        len(values),
    )
    for one in values:
        yield ""
        yield from value_lines(one)


def value_lines(one: dict[str, Any]) -> Iterator[str]:
    """One value: what it is, how dangerous, all that executes, and what each machine would do."""
    whose = tr("for {machine} alone", machine=harmless(one["machine"])) if one["machine"] else tr("for every machine")
    yield from within(f"{harmless(one['entity'])}   {tr(HOW[one['how']])}   {whose}", PLACE)
    yield from titled(tr("Risk"), paint(one["risk"], TONES.get(one["risk"], "good"), want_colour()))
    for reason in one["reasons"]:
        yield from titled("", f"- {said(reason)}", further=2)
    yield from marked_lines(one["marks"])
    changed = told(one["changes"], one["kind"])
    yield f"  {tr('Changes')}"
    yield from fitted(changed.lines, width(), 4)
    if one["comments"]:
        yield from fitted(block("+", tr("comment above it"), "\n".join(one["comments"])), width(), 4)
    if not one["wanted_absent"]:
        yield from executing_lines(one, changed)
        yield from titled(tr("Already on"), _names(one["runs_on"]) or tr("no machine"))
        yield from lacking_lines(one)
    yield from titled(tr("By itself"), _names(one["by_itself"]) or tr("on no machine"))
    yield from titled(tr("Asked about"), _names(one["asks"]) or tr("no machine"))
    if one["silent"]:
        yield from titled(tr("Not known"), _names(one["silent"]))


def _names(machines: list[str]) -> str:
    left = len(machines) - MANY
    more = [trn("and {count} more", "and {count} more", left)] if left > 0 else []
    return ", ".join([*map(harmless, machines[:MANY]), *more])
