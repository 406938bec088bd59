"""Where the state folder of an agent is: all that `roosync status` needs to know before it asks that agent.

Apart from `settings`, whose imports take longer than the whole of that command may.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path


class SettingsError(ValueError):
    """A setting that can not be used; says which, and where it was given."""


def state_folder(env: Mapping[str, str]) -> Path:
    """ROOSYNC_STATE, or the platform's data folder. The settings file can not change it: it lies in there."""
    return folder(env, "ROOSYNC_STATE", lambda: _default_state(env))


def folder(env: Mapping[str, str], name: str, default: Callable[[], Path]) -> Path:
    given = env.get(name)
    if given is not None and not given.strip():
        raise SettingsError(f"{name} is set and empty: unset it, or give a path")
    try:
        return plain_path(Path(given)) if given else default()
    except RuntimeError as error:  # ~somebody who is not known here
        raise SettingsError(f"{name} ({given}) can not be found: {error}") from error


def plain_path(path: Path) -> Path:
    """Absolute, and without `..`: which folder holds which is seen from the names. RuntimeError for ~nobody."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - the names are meant, not what they link to


def _default_state(env: Mapping[str, str]) -> Path:
    """The platform's data folder for a user's program (the same answer as platformdirs, without its import)."""
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "roosync"
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "roosync"
    return Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "roosync"
