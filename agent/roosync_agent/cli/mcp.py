"""`roosync mcp`: the MCP server for an assistant on this machine, over standard input and output."""

import click


@click.group("mcp", invoke_without_command=True)
@click.pass_context
def mcp(context: click.Context) -> None:
    """Serve assistants over MCP: on standard input and output, as an assistant starts it."""
    if context.invoked_subcommand is not None:
        return
    _serve_stdio()


def _serve_stdio() -> None:
    """Until standard input ends. What anything here prints goes to standard error: the wire stays clean."""
    import logging

    import anyio

    from roosync_agent.mcp_server.server import build

    logging.getLogger().setLevel(logging.WARNING)
    anyio.run(build().run_stdio_async)
