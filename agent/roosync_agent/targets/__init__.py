"""The table of targets, and how a person names them.

A name is a target (`roo.mcp`), an assistant (`roo`), or a group of the founding documents (`modes`, `mcp`, `profiles`,
and our `rules`, `settings`, `memory`), which selects that target of every assistant.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from roosync_agent.targets.base import Group, Target, TargetSpec, locate
from roosync_agent.targets.claude import CLAUDE
from roosync_agent.targets.cline import CLINE
from roosync_agent.targets.codex import CODEX
from roosync_agent.targets.continue_dev import CONTINUE
from roosync_agent.targets.cursor import CURSOR
from roosync_agent.targets.gemini import GEMINI
from roosync_agent.targets.opencode import OPENCODE
from roosync_agent.targets.parts import Part
from roosync_agent.targets.roo import ROO, ROO_PROJECT, ZOO
from roosync_agent.targets.vscode import VSCODE
from roosync_agent.targets.windsurf import WINDSURF
from roosync_agent.targets.zed import ZED
from roosync_protocol.entity import Kind

TABLE: tuple[TargetSpec, ...] = (
    *ROO,
    *ROO_PROJECT,
    *ZOO,
    *CLAUDE,
    *VSCODE,
    *CLINE,
    *CURSOR,
    *CODEX,
    *GEMINI,
    *OPENCODE,
    *WINDSURF,
    *ZED,
    *CONTINUE,
)

__all__ = ["TABLE", "Group", "Target", "TargetSpec", "known", "locate", "locked_by_name", "plain", "select"]


def select(names: Iterable[str] = (), table: tuple[TargetSpec, ...] = TABLE) -> tuple[TargetSpec, ...]:
    """The declarations that `names` mean, in the table's order; all of them without a name.

    ValueError names what is unknown, and the nearest names that exist.
    """
    wanted = list(dict.fromkeys(names))
    chosen = {spec.name for spec in table} if not wanted else set()
    for name in wanted:
        matching = {spec.name for spec in table if name in _names_of(spec)}
        if not matching:
            raise ValueError(_unknown(name, table))
        chosen |= matching
    return tuple(spec for spec in table if spec.name in chosen)


def known(names: Iterable[str], table: tuple[TargetSpec, ...]) -> tuple[str, ...]:
    """Those of `names` that mean something in this table: one may be declared in a file that is broken now."""
    meant = {name for spec in table for name in _names_of(spec)}
    return tuple(name for name in names if name in meant)


def plain(name: str, file: str, *, container: tuple[str, ...] = (), format: str = "json") -> TargetSpec:  # noqa: A002
    """A target of any settings file in the home folder: one entity for each key."""
    folder, _, last = file.rpartition("/")
    return TargetSpec(
        name=name,
        assistant=name.split(".")[0],
        group=Group.SETTINGS,
        kind=Kind.SETTING,
        folder="{home}/" + folder if folder else "{home}",
        file=last,
        format=format,
        parts=(Part(container=container),),
        private=True,
    )


def locked_by_name(path: Path) -> bool:
    """Is there an assistant that locks files of this name? Also of one that lies where nobody looks for it."""
    return any(spec.locks and path.name == spec.file.rpartition("/")[2] for spec in TABLE)


def _names_of(spec: TargetSpec) -> tuple[str, str, str]:
    return spec.name, spec.name.split(".")[0], spec.group.value


def _unknown(name: str, table: tuple[TargetSpec, ...]) -> str:
    known = sorted({known for spec in table for known in _names_of(spec)})
    near = get_close_matches(name, known, 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
    return f"{name!r} is no target; {hint}"
