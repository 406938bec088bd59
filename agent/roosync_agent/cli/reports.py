"""`roosync report`, and the closing report of a cycle: the founding documents' forms, in English or French."""

from collections.abc import Callable
from typing import Any

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.running import ask_machine, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import value_text
from roosync_agent.wording import heard

MET, NOT_MET = 0, 2
SAID = ("justification", "waiting_for")  # fields with a sentence of ours; the others are names and values
language_option = click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the Markdown form."
)
markdown_option = click.option(
    "--markdown", is_flag=True, help="The form of the founding protocol, to paste or commit."
)


@click.group(cls=Group)
def report() -> None:
    """Status, divergence and coordination request in the founding protocol's forms."""


@report.command("status")
@markdown_option
@language_option
@json_option
def status(markdown: bool, language: str, as_json: bool) -> None:
    """The Status Report of this machine."""
    _show(ask_machine("report_status", language=language), markdown, as_json)


@report.command("divergence")
@click.argument("id_", metavar="DECISION")
@markdown_option
@language_option
@json_option
def divergence(id_: str, markdown: bool, language: str, as_json: bool) -> None:
    """The Divergence Report of one decision."""
    _show(ask_machine("report_divergence", id_=id_, language=language), markdown, as_json)


@report.command("request")
@click.argument("id_", metavar="ID")
@markdown_option
@language_option
@json_option
def request(id_: str, markdown: bool, language: str, as_json: bool) -> None:
    """The Coordination Request behind ID: a request, or a decision that waits for somebody."""
    _show(ask_machine("report_request", id_=id_, language=language), markdown, as_json)


@click.command()
@click.argument("id_", metavar="[CYCLE]", required=False)
@markdown_option
@language_option
@json_option
def closing(id_: str | None, markdown: bool, language: str, as_json: bool) -> None:
    """The closing report: checkpoints, rollbacks, success criteria. Exit code 2: one of these is not met."""
    answer = ask_machine("cycle_report", id_=id_, language=language)
    _show(answer, markdown or not as_json, as_json)
    raise click.exceptions.Exit(MET if answer["fields"]["successful"] else NOT_MET)


def _show(answer: dict[str, Any], markdown: bool, as_json: bool) -> None:
    text: Callable[[Any], str] = _lines
    if markdown and not as_json:
        text = lambda _: answer["markdown"].rstrip()
    show(answer["fields"], as_json, text)


def _lines(fields: dict[str, Any]) -> str:
    width = max(map(len, fields))
    rows = ((name, heard(value) if name in SAID else value) for name, value in fields.items())
    return "\n".join(f"{name:<{width}}  {_plain(value)}" for name, value in rows)


def _plain(value: Any) -> str:
    return harmless(value) if isinstance(value, str) else value_text(value)
