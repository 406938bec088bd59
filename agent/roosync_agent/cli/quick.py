"""`roosync status` over the control socket, with the standard library only: a tenth of a second."""

import json
import os
import sys

from roosync_agent.cli.text import print_json, shown_status
from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.running.where import SettingsError, state_folder


def quick_status(*, as_json: bool) -> int | None:
    """The exit code, or None when no resident agent answers: then the command connects by itself."""
    try:
        answer = ask(state_folder(os.environ), "status", {}, timeout=10.0)
    except (NobodyThereError, SettingsError, TimeoutError, OSError, json.JSONDecodeError):
        return None
    result = answer.get("result")
    if result is None:
        return None
    try:
        if as_json:
            print_json(result["overview"])
        else:
            print(shown_status(result["overview"], colour=sys.stdout.isatty()))
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()
    return int(max(result["exit_codes"]))
