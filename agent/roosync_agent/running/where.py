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
    except RuntimeError as error:  # ~somebody who is not known here, or nobody knows who runs this
        if not given:
            raise SettingsError(f"the system knows no home folder of this user: set HOME, or {name}") from error
        raise SettingsError(f"{name} ({given}) can not be found: {error}") from error


def plain_path(path: Path) -> Path:
    """Absolute, and without `..`: which folder holds which is seen from the names. RuntimeError for ~nobody."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - the names are meant, not what they link to


def own_home(env: Mapping[str, str]) -> Path:
    """The home folder of this user. A HOME that is no whole path means another folder wherever a command is run."""
    given = env.get("HOME") if sys.platform != "win32" else None
    if given is not None and not os.path.isabs(given):  # noqa: PTH117 - as it was given: Path("") is a folder
        raise SettingsError(f"HOME is {given!r}, and that is no whole path of a folder: set it right, or unset it")
    return Path(given) if given else Path.home()


def _default_state(env: Mapping[str, str]) -> Path:
    """The platform's data folder for a user's program (the same answer as platformdirs, without its import)."""
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "roosync"
    home = own_home(env)
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "roosync"
    return Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "roosync"
