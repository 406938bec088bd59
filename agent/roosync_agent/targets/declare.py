"""What the declarations of MCP servers have in common: each is a map of servers in a file, in a dialect.

These files hold tokens, so a new one is private; and most have comments, so they are read as JSON with comments.
"""

from typing import Any

from roosync_agent.targets.base import Group, TargetSpec
from roosync_agent.targets.parts import Part
from roosync_protocol.entity import Kind
from roosync_protocol.servers import Servers
from roosync_protocol.servers.dialects import Dialect


def servers(
    name: str,
    assistant: str,
    folder: str,
    file: str,
    dialect: Dialect,
    *,
    container: tuple[str, ...] = ("mcpServers",),
    **more: Any,
) -> TargetSpec:
    """A target of MCP servers: the members of `container`, unless `parts` says more."""
    usual: dict[str, Any] = {"format": "jsonc", "private": True, "parts": (Part(container=container),)}
    return TargetSpec(
        name=name,
        assistant=assistant,
        group=Group.MCP,
        kind=Kind.MCP_SERVER,
        folder=folder,
        file=file,
        form=Servers(dialect),
        **(usual | more),
    )


def settings(
    name: str,
    assistant: str,
    folder: str,
    file: str,
    keys: frozenset[str],
    *,
    further: tuple[Part, ...] = (),
    **more: Any,
) -> TargetSpec:
    """A target of chosen keys of a settings file, one entity for each; and of `further` parts of it."""
    return TargetSpec(
        name=name,
        assistant=assistant,
        group=Group.SETTINGS,
        kind=Kind.SETTING,
        folder=folder,
        file=file,
        parts=(Part(keys=keys), *further),
        private=True,
        **({"format": "jsonc"} | more),
    )


def texts(name: str, assistant: str, folder: str, *tree: str, group: Group = Group.RULES, **more: Any) -> TargetSpec:
    """A target of instructions: one file is one entity."""
    return TargetSpec(name=name, assistant=assistant, group=group, kind=Kind.TEXT, folder=folder, tree=tree, **more)
