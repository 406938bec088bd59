"""Which symbolic links inside a tree of texts are followed: those that stay with what the person keeps in step.

A skill that was cloned may hold links to anything: `notes.md` to ~/.ssh/config, a folder to ~/.ssh. Followed, the one
would be published, and a file added by a baseline would land in the other. So a file below a tree's folders has to be
one that the target itself has (not what lies beside its texts: settings, sign-in, conversations); or be another text;
or lie in a folder of one's own that mirrors this one (`skills/a/run.sh` in `~/dotfiles/skills/a/run.sh`). Nothing in
a project is followed out of it.
"""

from pathlib import Path

from roosync_agent.files.door import Door
from roosync_agent.targets.base import Target

PROSE = frozenset({".md", ".markdown", ".mdc", ".mdx"})


def link_fault(door: Door, target: Target, path: Path, name: str) -> str | None:
    """Why `name` of this tree is not what it seems to be; None when it is. FileRefusedError when it can not be seen."""
    real = door.stat(path).real_path if target.project or "/" in name else path
    if target.project and not real.is_relative_to(door.stat(target.project).real_path):
        return "it is a link out of its project"  # which somebody else may have made
    if "/" not in name:
        return None  # named in the declaration itself, such as CLAUDE.md
    if real == path:
        return None  # no link at all: nearly always
    ours = door.stat(target.folder).real_path
    inside = real.is_relative_to(ours) and target.spec.owns(real.relative_to(ours).as_posix())
    if inside or real.as_posix().endswith(f"/{name}") or (_prose(path) and _prose(real)):
        return None
    return "it is a link to a file of another kind, or outside its folder"


def _prose(path: Path) -> bool:
    return path.suffix.lower() in PROSE
