"""`roosync mcp`: the MCP server for assistants on this machine; and what each of them needs to start it.

Started by an assistant it speaks over standard input and output, so nothing else may be printed there; what a person
has to know goes to standard error.
"""

from typing import TYPE_CHECKING

import click

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.running import CommandError, json_option
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import print_json
from roosync_agent.wording import tr

if TYPE_CHECKING:
    from roosync_agent.mcp_server.snippets import Snippet

PORT = 7317  # as mcp_server.http.PORT, which `--help` need not import


@click.group("mcp", cls=Group, invoke_without_command=True)
@click.option("--http", "over_http", is_flag=True, help="Serve over HTTP on this computer, instead of a pipe.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Of --http; 0 is any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Of --http: a loopback address.")
@click.pass_context
def mcp(context: click.Context, over_http: bool, port: int, host: str) -> None:
    """Serve assistants over MCP: on standard input and output, as an assistant starts it."""
    if context.invoked_subcommand is not None:
        return
    if over_http:
        _serve_http(host, port)
    else:
        import sys

        from roosync_agent.mcp_server.stdio import serve

        if sys.stdin is not None and sys.stdin.isatty():
            told = tr("An assistant starts this and talks to it; `roosync mcp config` shows how. Ctrl-C ends it.")
            click.echo(told, err=True)
        serve()


@mcp.command("config")
@click.argument("assistant", required=False, default="")
@click.option("--http", "over_http", is_flag=True, help="For a server that runs as `roosync mcp --http`.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Of --http.")
@json_option
def config(assistant: str, over_http: bool, port: int, as_json: bool) -> None:
    """Print what ASSISTANT needs to start the server, and the file it belongs into; changes nothing.

    Without ASSISTANT: for each one that was found here.
    """
    import os

    from roosync_agent.mcp_server import snippets
    from roosync_agent.settings import load

    settings = load()
    if over_http:
        value = snippets.remote(f"http://127.0.0.1:{port}/mcp")
    else:
        value = snippets.server(snippets.own_command(), os.environ)
    try:
        found = snippets.snippets(settings, value, assistant)
    except ValueError as error:
        raise CommandError("request", str(error)) from error
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    if not found:
        known = ", ".join(snippets.assistants())
        click.echo(
            tr("No assistant was found here. `roosync mcp config ASSISTANT` shows it for one of: {known}.", known=known)
        )
    for one in found:
        click.echo(_told(one))
    if found and over_http:
        click.echo(_token_told(str(settings.state)))


def _told(one: "Snippet") -> str:
    lines = [tr("{assistant} ({target}), in {file}:", assistant=one.title, target=one.target, file=harmless(one.file))]
    if not one.here:
        lines.append(tr("! It was not found on this machine."))
    if one.there:
        lines.append(tr("! There is an entry of this name in it already."))
    lines += ["", *(f"    {harmless(line)}" for line in one.text.splitlines()), ""]
    lines += [tr("Put it there, beside what the file has, with:"), f"    {harmless(one.edit)}"]
    if one.add:
        lines += [tr("or with its own command:"), f"    {harmless(one.add)}"]
    return "\n".join([*lines, ""])


def _token_told(state: str) -> str:
    from pathlib import Path

    from roosync_agent.mcp_server.snippets import TOKEN_VARIABLE

    command = f'export {TOKEN_VARIABLE}="$(cat {shell_word(Path(state) / "mcp-token")})"'
    return tr("The token is read from the environment in which the assistant starts:") + f"\n    {command}"


def _serve_http(host: str, port: int) -> None:
    """Until the first signal."""
    import logging
    import os

    import anyio

    from roosync_agent.mcp_server import http
    from roosync_agent.mcp_server.server import build
    from roosync_agent.running import loopback
    from roosync_agent.settings import load

    logging.getLogger().setLevel(logging.WARNING)
    state = load().state
    token = loopback.token(state)
    listening = loopback.bound(host, port)
    click.echo(tr("Assistants are served at {address}.", address=http.address_of(listening)), err=True)
    file = harmless(str(loopback.token_file(state)))
    click.echo(
        tr("Their token is in {file}; `roosync mcp config --http` shows where each one wants it.", file=file), err=True
    )
    os.environ["LANGUAGE"] = "en"  # from here on programs read it, as with --json
    anyio.run(http.serve, build(), listening, token)
