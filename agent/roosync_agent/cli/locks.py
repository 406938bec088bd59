"""`roosync locks`: what is held, by whom, since when, and who of the holders is not there."""

from typing import Any

import click

from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.text import folded, harmless, table_with_lines, width

DRIFT, NO_ANSWER = 2, 5


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
    ends = [f"ends at {_time(r['expires'])} (UTC) unless it is renewed; then another leads" for r in answer["leases"]]
    lines += table_with_lines(leases, ("LEASE", "OWNER", "SEEN", "TOKEN", "RENEWED"), ends)
    if not leases:
        lines = ["No lease is held: nobody leads at this moment."]
    claims = [
        (f"{r['kind']} {r['id']}", r["machine"], _seen(r), _age(r["age_seconds"]), r["about"][:40])
        for r in answer["claims"]
    ]
    if claims:
        ends = [f"ends {r['ends']}" for r in answer["claims"]]
        lines += ["", *table_with_lines(claims, ("CLAIM", "MACHINE", "SEEN", "TAKEN", "ABOUT"), ends)]
    local = [
        (r["kind"], r["holder"], "stale" if r["stale"] else "held", _age(r["age_seconds"])) for r in answer["local"]
    ]
    ends = [f"{r['path']}: ends {r['ends']}" for r in answer["local"]]
    lines += ["", *table_with_lines(local, ("LOCAL LOCK", "HOLDER", "STATE", "TOUCHED"), ends)]
    for r in answer["unfinished"]:
        told = f"! interrupted: {harmless(r['label'])} ({r['phase']}, {_time(r['since'])}); ends {r['ends']}"
        lines += ["", *folded(told, width() or 80, 0)]
    return "\n".join([*lines, "", _next(answer)])


def _next(answer: dict[str, Any]) -> str:
    if answer["orphans"]:
        return f"Not there: {harmless(', '.join(answer['orphans']))}\n\nNext: roosync ping"
    if answer["unfinished"]:
        return "Next: roosync up"
    if not answer["leases"]:
        return "Cycles stand still until an agent that may lead takes the lease, within seconds.\n\nNext: roosync ping"
    return "Every holder is there."


def _seen(row: dict[str, Any]) -> str:
    return "present" if row["present"] else "silent"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _time(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "-"
