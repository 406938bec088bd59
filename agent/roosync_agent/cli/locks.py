"""`roosync locks`: what is held, by whom, since when, and who of the holders is not there."""

from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import table_with_lines
from roosync_agent.columns import folded, width
from roosync_agent.wording import heard, mark, tr

DRIFT, NO_ANSWER = 2, 5
AGO = (  # the first whose seconds are over, else the last
    (mark("{number} d ago"), 86_400),
    (mark("{number} h ago"), 3_600),
    (mark("{number} min ago"), 60),
    (mark("{number} s ago"), 1),
)


@click.command()
@json_option
def locks(as_json: bool) -> None:
    """Leases, claims and local locks. Nothing here has to be broken by hand: each ends by itself, and says when.

    Exit code: 0 every holder is there, 2 a change of files here was interrupted, 5 a holder is not there.
    """
    answer = ask_machine("locks")
    show(answer, as_json, _text)
    raise click.exceptions.Exit(NO_ANSWER if answer["orphans"] else DRIFT if answer["unfinished"] else 0)


def _text(answer: dict[str, Any]) -> str:
    lines: list[str] = []
    leases = [(r["role"], r["owner"], _seen(r), r["token"], _age(r["age_seconds"])) for r in answer["leases"]]
    ends = [
        tr("ends at {time} (UTC) unless it is renewed; then another leads", time=_time(r["expires"]))
        for r in answer["leases"]
    ]
    lines += table_with_lines(leases, (tr("LEASE"), tr("OWNER"), tr("SEEN"), tr("TOKEN"), tr("RENEWED")), ends)
    if not leases:
        lines = [tr("No lease is held: nobody leads at this moment.")]
    claims = [
        (f"{r['kind']} {r['id']}", r["machine"], _seen(r), _age(r["age_seconds"]), r["about"][:40])
        for r in answer["claims"]
    ]
    if claims:
        ends = [tr("ends {when}", when=heard(r["ends"])) for r in answer["claims"]]
        lines += [
            "",
            *table_with_lines(claims, (tr("CLAIM"), tr("MACHINE"), tr("SEEN"), tr("TAKEN"), tr("ABOUT")), ends),
        ]
    local = [
        (r["kind"], r["holder"], "stale" if r["stale"] else "held", _age(r["age_seconds"])) for r in answer["local"]
    ]
    ends = [f"{r['path']}: {tr('ends {when}', when=heard(r['ends']))}" for r in answer["local"]]
    lines += ["", *table_with_lines(local, (tr("LOCAL LOCK"), tr("HOLDER"), tr("STATE"), tr("TOUCHED")), ends)]
    for r in answer["unfinished"]:
        told = tr(
            "! interrupted: {label} ({phase}, {since}); ends {when}",
            label=harmless(r["label"]),
            phase=r["phase"],
            since=_time(r["since"]),
            when=heard(r["ends"]),
        )
        lines += ["", *folded(told, width() or 80, 0)]
    return "\n".join([*lines, "", _next(answer)])


def _next(answer: dict[str, Any]) -> str:
    ping = tr("Next: {command}", command="roosync ping")
    if answer["orphans"]:
        return f"{tr('Not there: {names}', names=harmless(', '.join(answer['orphans'])))}\n\n{ping}"
    if answer["unfinished"]:
        return tr("Next: {command}", command="roosync up")
    if not answer["leases"]:
        still = tr("Cycles stand still until an agent that may lead takes the lease, within seconds.")
        return f"{still}\n\n{ping}"
    return tr("Every holder is there.")


def _seen(row: dict[str, Any]) -> str:
    return "present" if row["present"] else "silent"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    told, size = next((row for row in AGO if seconds >= row[1]), AGO[-1])
    return tr(told, number=f"{seconds / size:.0f}")


def _time(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "-"
