"""The unit a person decides on: one MCP server, one mode, one setting, one rule file.

    target/name        roo.mcp/github   roo.modes/code   claude.settings/model   roo.rules/rules/00-security.md

The kind says how an entity is compared, merged, hidden and judged; the rules by kind are tables in
`merge`, `secrets`, `portable` and `risk`. Values here are always in their *public* form: secrets are
`{"$secret": address}`, paths are tokens (see `secrets`, `portable`).
"""

from enum import StrEnum

from msgspec import Struct

from roosync_protocol.names import Value


class Kind(StrEnum):
    MCP_SERVER = "mcp_server"  # executes: always one atom
    MODE = "mode"  # a keyed map of an assistant's custom mode
    SETTING = "setting"  # one key of a settings file
    TEXT = "text"  # one file of prose; the value is a string with \n line ends


class Entity(Struct, frozen=True, kw_only=True):
    key: str  # "<target>/<name>"; the name may hold any character
    kind: Kind
    value: Value

    @property
    def target(self) -> str:
        return target_of(self.key)

    @property
    def name(self) -> str:
        return self.key.split("/", 1)[1]


class Skipped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Absence with a reason: a file or target that was not read, so that a person sees it."""

    path: str
    reason: str
    target: str = ""  # that it belongs to, where it belongs to one


Entities = dict[str, Entity]  # by key


def target_of(key: str) -> str:
    return key.split("/", 1)[0]


def declared(target: str) -> str:
    """The name under which a target is declared: `roo.mcp` of `roo.mcp@insiders`, `roo.project-mcp` of `...@shop`."""
    return target.partition("@")[0]
