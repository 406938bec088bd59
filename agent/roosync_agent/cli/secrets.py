"""`roosync secrets`: names and presence by machine; and what this machine keeps in the system's keyring."""

from typing import Any

import click

from roosync_agent.cli.running import CommandError, ask_machine, json_option, show
from roosync_agent.cli.text import harmless, many, shell_word, table, want_colour

WORDS = {"set": "set", "missing": "MISSING", "keyring": "keyring"}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def secrets(ctx: click.Context, as_json: bool) -> None:
    """The secrets that the configuration needs, by name, and which machine has them. Never a value.

    Exit code 2 when a machine lacks one, 5 when one is not known.
    """
    if ctx.invoked_subcommand is not None:
        return
    answer = ask_machine("secrets")
    show(answer, as_json, _text)
    if any("missing" in row["machines"].values() for row in answer["rows"]):
        raise click.exceptions.Exit(2)
    raise click.exceptions.Exit(5 if answer["unknown"] else 0)


@secrets.command("set")
@click.argument("address")
@click.option("--keyring", "reference", metavar="SERVICE/USER", help="Refer to what the keyring has already.")
@json_option
def set_(address: str, reference: str | None, as_json: bool) -> None:
    """Keep the secret of ADDRESS in this machine's keyring. Asks for the value, or reads it from standard input.

    It is put into the file when something is applied here that needs it and the file does not have it.
    """
    from roosync_agent.keyring_store import KeyringStore, Reference
    from roosync_agent.settings import load

    _require_address(address)
    store = KeyringStore(load().state)
    if reference:
        service, slash, user = reference.partition("/")
        if not (service and slash and user):
            raise CommandError("request", "--keyring wants SERVICE/USER, as the keyring calls it")
        kept = Reference(service, user)
        store.refer(address, kept)
    else:
        kept = store.keep(address, _asked(address))
    done = {"address": address, "service": kept.service, "user": kept.user}
    show(
        done,
        as_json,
        lambda _: (
            f"Kept for {harmless(address)}.\n\nNext: roosync apply    (what was refused for want of it is asked"
            " again: roosync decisions)"
        ),
    )


@secrets.command("forget")
@click.argument("address")
@json_option
def forget(address: str, as_json: bool) -> None:
    """Take the secret of ADDRESS out of this machine's keyring. What stands in files stays there."""
    from roosync_agent.keyring_store import KeyringStore
    from roosync_agent.settings import load

    if not KeyringStore(load().state).forget(address):
        raise CommandError("request", f"nothing is kept for {address!r}; `roosync secrets` lists the addresses")
    show({"forgotten": address}, as_json, lambda _: f"Forgotten: {harmless(address)}.\n\nNext: roosync secrets")


def _require_address(address: str) -> None:
    target, slash, rest = address.partition("/")
    if not (slash and rest and "." in target) or len(address) > 2000:
        raise CommandError("request", f"{address!r} is no address of a secret; `roosync secrets` lists them")


def _asked(address: str) -> str:
    import sys

    if sys.stdin.isatty():
        value = click.prompt(f"Value of {harmless(address)}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read(100_000).removesuffix("\n").removesuffix("\r")
    if not value:
        raise CommandError("request", "an empty value is no secret; nothing was kept")
    return str(value)


def _text(answer: dict[str, Any]) -> str:
    machines = [m for m in answer["machines"] if m not in answer["unknown"]]
    rows = [
        (row["address"], *(WORDS.get(row["machines"].get(machine, ""), "-") for machine in machines))
        for row in answer["rows"]
    ]
    lines = [table(rows, ("SECRET", *machines), colour=want_colour())] if rows else ["Nothing here has a secret in it."]
    lines += [""] if answer["unknown"] or answer["keyring"] else []
    lines += [f"Not known of {harmless(m)}: {harmless(why)}" for m, why in answer["unknown"].items()]
    lines += [f"Keyring: {harmless(answer['keyring'])}"] if answer["keyring"] else []
    here = [r["address"] for r in answer["rows"] if r["machines"].get(answer["machine"]) == "missing"]
    away = sum("missing" in r["machines"].values() for r in answer["rows"]) - len(here)
    if here:
        lines += ["", f"Next: roosync secrets set {shell_word(here[0])}    (or write it into the file by hand)"]
    elif away > 0:
        lines += [
            "",
            f"Next: {many(away, 'secret')} to be set on the machines that lack them, with `roosync secrets set`",
        ]
    return "\n".join(lines)
