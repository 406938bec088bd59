"""The part of a card that was gathered around the decision: who, from where, what is open, who lacks what, what hides.

An agent of the version before says none of it; then it is left out, and nothing is made up.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.card_lines import moment, said, titled
from roosync_agent.cli.changes import fitted
from roosync_agent.cli.text import value_text
from roosync_agent.columns import width
from roosync_agent.wording import mark, tr, trn

KINDS = {"program": mark("the program {name}"), "secret": mark("the secret {name}")}
MANY = 10  # machines that are named with their files


def agreed_lines(card: dict[str, Any], *, several: bool = False) -> Iterator[str]:
    """Who asks, and who signed what it asks for. `several`: the card stands for more machines than its own."""
    machine = harmless(card["machine"])
    asks = tr("each of these machines asks") if several else tr("{machine} asks", machine=machine)
    if card.get("created") and not several:
        asks = tr("{machine} asks, since {at}", machine=machine, at=moment(card["created"]))
    if agreed := card.get("agreed"):
        asks += "; " + tr(
            "baseline {version} was signed by {operator}, {at}",
            version=harmless(agreed["version"]),
            operator=harmless(agreed["signed_by"]),
            at=moment(agreed["published"]),
        )  # fmt: skip
    yield from titled(tr("Who"), asks)
    if agreed and agreed["why"]:
        yield from titled("", tr("agreed then: {why}", why=said(agreed["why"])))


def origin_lines(origins: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Whose value it is: each machine that published it, in which file, when."""
    title = tr("From")
    for one in origins[:MANY]:
        yield from titled(
            title,
            tr(
                "{machine}, in {file}, published {at}",
                machine=harmless(one["machine"]), file=harmless(one["file"]), at=moment(one["published"]),
            ),
        )  # fmt: skip
        title = ""
    if left := len(origins) - MANY:
        yield from titled("", trn("and {count} more machine", "and {count} more machines", left)) if left > 0 else ()


def unasked_lines(card: dict[str, Any]) -> Iterator[str]:
    """What is open, as it would stand; a program's own hooks are values, so each line has its mark."""
    if (found := card.get("unasked")) is None:
        return
    if not found:
        yield from titled(tr("Unasked"), tr("nothing, as far as the rules know"))
        return
    yield f"  {tr('May do without asking')}"
    for one in found:
        line = f"{harmless(one['path'])} ({said(one['why'])}): {value_text(one['what'])}"
        yield from fitted([f"{'+' if one['new'] else '='} {line}"], width(), 4)


def lacking_lines(card: dict[str, Any]) -> Iterator[str]:
    """Which machines lack a program or a secret, asked of them; who says nothing is told."""
    if not card.get("needs"):
        return
    title = tr("Lacks")
    by_machine: dict[str, list[str]] = {}
    for one in card["lacks"]:
        by_machine.setdefault(one["machine"], []).append(_named(one))
    for one in card["unsure"]:
        told = tr("not known, whether it has {what}", what=_named(one))
        by_machine.setdefault(one["machine"], []).append(told)
    for name, what in by_machine.items():
        yield from titled(title, f"! {harmless(name)}: {', '.join(what)}")
        title = ""
    for name, why in card["not_said"].items():
        yield from titled(title, "! " + tr("{machine} did not say: {why}", machine=harmless(name), why=said(why)))
        title = ""
    if title:
        nothing = trn("nothing; {count} machine was asked", "nothing; {count} machines were asked", len(card["asked"]))
        yield from titled(title, nothing if card["asked"] else tr("nobody was asked"))


def marked_lines(marks: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Which texts hold characters that nobody sees: in the value they are spelled out where they stand."""
    for one in marks:
        where = harmless(one["where"])
        if one["hidden"]:
            count = one["total"] if not one["posing"] else len(one["hidden"])
            told = trn(
                "{where} holds {count} character that nobody sees: {names}",
                "{where} holds {count} characters that nobody sees: {names}",
                count, where=where, names=_some(one["hidden"]),
            )  # fmt: skip
            yield from titled("!", told)
        if one["posing"]:
            told = tr("{where} holds letters that pass for others: {names}", where=where, names=_some(one["posing"]))
            yield from titled("!", told)


def _named(one: dict[str, Any]) -> str:
    return tr(KINDS.get(one["kind"], "{name}"), name=harmless(one["name"]))


def _some(names: Sequence[str], most: int = 6) -> str:
    more = [trn("and {count} more", "and {count} more", len(names) - most)] if len(names) > most else []
    return ", ".join([*map(harmless, names[:most]), *more])
