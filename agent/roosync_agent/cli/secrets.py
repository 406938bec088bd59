"""`roosync secrets`: names and presence by machine; and what this machine keeps in the system's keyring."""

from typing import Any

import click

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.previews import dry_run_option, told_here
from roosync_agent.cli.running import CommandError, ask_machine, json_option, show
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import want_colour
from roosync_agent.wording import heard, mark, tr, trn

WORDS = {"set": mark("set"), "missing": mark("MISSING"), "keyring": mark("keyring")}


@click.group(cls=Group, invoke_without_command=True)
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
@dry_run_option
@json_option
def set_(address: str, reference: str | None, dry_run: bool, as_json: bool) -> None:
    """Keep the secret of ADDRESS in this machine's keyring. Asks for the value, or reads it from standard input.

    It is put into the file when something is applied here that needs it and the file does not have it.
    """
    from roosync_agent.keyring_store import KeyringStore, Reference
    from roosync_agent.settings import load

    _require_address(address)
    store = KeyringStore(load().state)
    service, slash, user = (reference or "").partition("/")
    if reference and not (service and slash and user):
        raise CommandError("request", tr("--keyring wants SERVICE/USER, as the keyring calls it"))
    if dry_run:
        refer = tr("refer to a secret that the keyring has")
        what = refer if reference else tr("keep a secret in the keyring of this machine")
        facts = {tr("Secret"): address, tr("Keyring"): reference or ""}
        asked = tr("what was refused for want of it is asked again: `roosync decisions`")
        told_here("secrets_set", what, facts, [tr("no value is asked for now"), asked], as_json)
    if reference:
        kept = Reference(service, user)
        store.refer(address, kept)
    else:
        kept = store.keep(address, _asked(address))
    done = {"address": address, "service": kept.service, "user": kept.user}
    why = tr("what was refused for want of it is asked again: roosync decisions")
    told = tr("Kept for {address}.", address=harmless(address))
    show(done, as_json, lambda _: f"{told}\n\n{next_line('roosync apply', why)}")


@secrets.command("forget")
@click.argument("address")
@dry_run_option
@json_option
def forget(address: str, dry_run: bool, as_json: bool) -> None:
    """Take the secret of ADDRESS out of this machine's keyring. What stands in files stays there."""
    from roosync_agent.keyring_store import KeyringStore
    from roosync_agent.settings import load

    store = KeyringStore(load().state)
    if dry_run and address in store.references():
        then = [tr("what stands in files stays there")]
        told_here("secrets_forget", tr("take a secret out of the keyring"), {tr("Secret"): address}, then, as_json)
    if dry_run or not store.forget(address):
        fault = tr("nothing is kept for {address}; `roosync secrets` lists the addresses", address=repr(address))
        raise CommandError("request", fault)
    told = tr("Forgotten: {address}.", address=harmless(address))
    show({"forgotten": address}, as_json, lambda _: f"{told}\n\n{next_line('roosync secrets')}")


def _require_address(address: str) -> None:
    target, slash, rest = address.partition("/")
    if not (slash and rest and "." in target) or len(address) > 2000:
        fault = tr("{address} is no address of a secret; `roosync secrets` lists them", address=repr(address))
        raise CommandError("request", fault)


def _asked(address: str) -> str:
    import sys

    if sys.stdin.isatty():
        question = tr("Value of {address}", address=harmless(address))
        value = click.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read(100_000).removesuffix("\n").removesuffix("\r")
    if not value:
        raise CommandError("request", tr("an empty value is no secret; nothing was kept"))
    return str(value)


def _text(answer: dict[str, Any]) -> str:
    machines = [m for m in answer["machines"] if m not in answer["unknown"]]
    rows = [
        (row["address"], *(tr(WORDS.get(row["machines"].get(machine, ""), "-")) for machine in machines))
        for row in answer["rows"]
    ]
    lines = [tr("Nothing here has a secret in it.")]
    if rows:
        lines = [table(rows, (tr("SECRET"), *machines), colour=want_colour())]
    lines += [""] if answer["unknown"] or answer["keyring"] else []
    lines += [
        tr("Not known of {machine}: {why}", machine=harmless(machine), why=harmless(heard(why)))
        for machine, why in answer["unknown"].items()
    ]
    lines += [tr("Keyring: {state}", state=harmless(heard(answer["keyring"])))] if answer["keyring"] else []
    here = [r["address"] for r in answer["rows"] if r["machines"].get(answer["machine"]) == "missing"]
    away = sum("missing" in r["machines"].values() for r in answer["rows"]) - len(here)
    if here:
        by_hand = tr("or write it into the file by hand")
        lines += ["", next_line(f"roosync secrets set {shell_word(here[0])}", by_hand)]
    elif away > 0:
        to_do = trn(
            "{count} secret to be set on the machines that lack them, with `roosync secrets set`",
            "{count} secrets to be set on the machines that lack them, with `roosync secrets set`",
            away,
        )
        lines += ["", next_line(to_do)]
    return "\n".join(lines)
