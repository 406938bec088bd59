"""`roosync mcp`: the MCP server for assistants on this machine; and what each of them needs to start it.

Started by an assistant it speaks over standard input and output, so nothing else may be printed there; what a person
has to know goes to standard error.
"""

from typing import TYPE_CHECKING, Any

import click

from roosync_agent.cli.running import CommandError, json_option
from roosync_agent.cli.text import harmless, print_json
from roosync_agent.wording import tr

if TYPE_CHECKING:
    from roosync_agent.mcp_server.snippets import Snippet

PORT = 7317  # as mcp_server.http.PORT, which `--help` need not import


@click.group("mcp", invoke_without_command=True)
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
        from roosync_agent.mcp_server.stdio import serve

    serve()
