"""The MCP server: what the founding documents call tools, for assistants; people confirm in the terminal.

It is a face like the command line: it asks the same verbs, and only translates. No tool signs anything (6-trust):
what has to be signed is prepared, and a person confirms it where their key is unlocked. `server.build` makes it,
`tools.TABLE` lists the tools, a row each; `desk` is how a tool asks, `asking` how it lets a person be asked.
"""
