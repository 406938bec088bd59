"""A file whose place a person names in the editor's own settings, such as Roo Code's auto-import file.

The editor's settings are read (never written) to learn where it is. Only a file in the managed home, or in a project
that was named, is followed: who can change one setting must not choose which file on the disk is rewritten.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from roosync_agent.collecting.places import Layout
from roosync_agent.files.door import Door
from roosync_agent.files.file_state import FileRefusedError
from roosync_protocol.documents import DocumentError, parse

if TYPE_CHECKING:
    from roosync_agent.collecting.places import Flavour

_KEPT = 64  # settings files whose answer is remembered
_remembered: dict[tuple[Path, str, object], str] = {}


class Named(NamedTuple):
    path: Path | None  # None: no setting names one
    fault: str = ""  # why the file that is named is not followed


def named_file(door: Door, layout: Layout, flavour: "Flavour", setting: str) -> Named:
    """The file that `setting` names in one editor; as the assistants read it: from the home folder when relative."""
    spelled = _setting(door, flavour.user / "settings.json", setting)
    if not spelled:
        return Named(None)
    path = layout.on_disk(spelled)
    if path is None or not any(path.is_relative_to(root) for root in (layout.base, *layout.workspaces.values())):
        return Named(
            None, f"{setting} names a file outside of the home folder and of the projects, which is left alone"
        )
    return Named(path)


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
            if len(_remembered) >= _KEPT:
                _remembered.clear()
            _remembered[mark] = found if isinstance(found, str) else ""
        return _remembered[mark]
    except (FileRefusedError, DocumentError):
        return ""
