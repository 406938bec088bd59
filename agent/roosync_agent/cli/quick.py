"""`roosync status` and `roosync ping` over the control socket, with the standard library only: a tenth of a second."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from roosync_agent.cli.status_text import shown_status
from roosync_agent.cli.text import print_json, shown_ping
from roosync_agent.columns import want_colour
from roosync_agent.running.control import HangsError, NobodyThereError, ask
from roosync_agent.running.where import SettingsError, state_folder
from roosync_agent.wording import tr


def quick(verb: str, *, as_json: bool) -> int | None:
    """The exit code, or None when no resident agent answers: then the command connects by itself."""
    try:
        answer = ask(state_folder(os.environ), verb, {}, timeout=10.0)
    except HangsError as error:
        from roosync_agent.cli.running import told

        return told(error)
    except (NobodyThereError, SettingsError, TimeoutError, OSError, json.JSONDecodeError):
        return None
    result = answer.get("result")
    if result is None:
        return None
    value, code, text = ANSWERS[verb](result)
    try:
        if as_json:
            print_json(value)
        else:
            print(text(value, colour=want_colour()))
        sys.stdout.flush()
    except OSError as error:  # nobody reads it any more, or the disk is full
        if not isinstance(error, BrokenPipeError):
            print(tr("Error: the answer could not be written: {why}", why=error.strerror), file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code if isinstance(error, BrokenPipeError) else 1
    return code


def _status(result: dict[str, Any]) -> tuple[Any, int, Callable[..., str]]:
    return result["overview"], int(max(result["exit_codes"])), shown_status


def _ping(result: dict[str, Any]) -> tuple[Any, int, Callable[..., str]]:
    return result, 5 if result["silent"] else 0, shown_ping


ANSWERS = {"status": _status, "ping": _ping}
