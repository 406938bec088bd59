"""A file whose place a person names in the editor's own settings, such as Roo Code's auto-import file.

The editor's settings are read (never written) to learn where it is. Only a file in the managed home, or in a project
that was named, is followed, also after its links, and only one that is such a settings file already or is not there
yet: who can change one setting must not choose which file on the disk is rewritten, or what a shell reads.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_agent.files.safe_names import safe_relative
from roosync_protocol.documents import DocumentError, parse

if TYPE_CHECKING:
    from roosync_agent.collecting.places import Flavour

_OUTSIDE = "a file outside of the home folder and of the projects"
_KEPT = 64  # settings files whose answer is remembered
_remembered: dict[tuple[Path, str, object], str] = {}


class Named(NamedTuple):
    path: Path | None  # None: no setting names one
    fault: str = ""  # why the file that is named is not followed


def named_file(door: Door, layout: Layout, flavour: "Flavour", setting: str, fields: frozenset[str]) -> Named:
    """The file that `setting` names in one editor; as the assistants read it: from the home folder when relative.

    `fields`: a file that is there has one of them at its top.
    """
    spelled = _setting(door, flavour.user / "settings.json", setting)
    if not spelled:
        return Named(None)
    path = layout.on_disk(spelled)
    fault = _fault(door, layout, path, fields) if path else _OUTSIDE
    return Named(None, f"{setting} names {fault}, which is left alone") if fault else Named(path)


def _fault(door: Door, layout: Layout, path: Path, fields: frozenset[str]) -> str:
    """Why the file is none that may be read and written for this; "" for one that may."""
    roots = [root for root in (layout.base, *layout.workspaces.values()) if path.is_relative_to(root)]
    if not roots:
        return _OUTSIDE
    try:
        safe_relative(path.relative_to(roots[-1]).as_posix())
        state = door.stat(path)
        if not state.real_path.is_relative_to(door.stat(roots[-1]).real_path):
            return _OUTSIDE
        if {path.suffix.lower(), state.real_path.suffix.lower()} != {".json"}:
            return "a file whose name does not end with .json"
        if state.exists and not _has_one(door, path, state.fingerprint, fields):
            return f"a file of another kind (it has no {', no '.join(sorted(fields))})"
    except ValueError:
        return "a file with a name that can not be used on every system"
    except FileRefusedError:
        pass  # whoever reads it says what is wrong
    return ""


def _has_one(door: Door, path: Path, seen: object, fields: frozenset[str]) -> bool:
    """Is it empty, or does it have one of these fields? Of what can not be read its reader says why."""
    mark = (path, "", seen)
    if mark not in _remembered:
        try:
            value = parse(door.read(path).data or b"{}", "json").value
        except DocumentError:
            return True
        fits = isinstance(value, dict) and (not value or not fields.isdisjoint(value))
        _remember(mark, "yes" if fits else "")
    return bool(_remembered[mark])


def _remember(mark: tuple[Path, str, object], answer: str) -> None:
    if len(_remembered) >= _KEPT:
        _remembered.clear()
    _remembered[mark] = answer


def _setting(door: Door, settings: Path, name: str) -> str:
    """The text of a setting; "" when it is not there, or the file can not be read (its own target says why)."""
    try:
        state = door.stat(settings)
        if not state.exists:
            return ""
        mark = (settings, name, state.fingerprint)
        if mark not in _remembered:
            value = parse(door.read(settings).data or b"{}", "jsonc").value
            found = value.get(name) if isinstance(value, dict) else None
            _remember(mark, found if isinstance(found, str) else "")
        return _remembered[mark]
    except (FileRefusedError, DocumentError):
        return ""
