"""The options that say how carefully many machines are changed: the same for a rollout and for an update."""

import re
from typing import Any

import click

from roosync_agent.cli.running import F, with_options
from roosync_agent.wording import tr

_COUNT = re.compile(r"[0-9]{1,9}")
OPTIONS = (
    click.option("--canary", default="1", show_default=True, metavar="N|MACHINES",
                 help="So many machines go first, alone, or these: beta,gamma; 0: none."),
    click.option("--waves", default="25%", show_default=True, metavar="SIZES",
                 help="Sizes of the waves after it: 10, 25%, or 5,50%; the last one repeats."),
    click.option("--pause", type=float, default=0.0, metavar="SECONDS", help="Between two waves."),
    click.option("--max-fail", type=float, default=0.0, show_default=True, metavar="PERCENT",
                 help="Of a wave's machines; when more fail, it halts and asks."),
    click.option("--timeout", type=float, default=10.0, show_default=True, metavar="MINUTES", help="For each wave."),
    click.option("--note", default="", help="A line about it."),
)  # fmt: skip


def pace_options(command: F) -> F:
    """Adds them; the command is given `canary`, `waves`, `pause`, `max_fail`, `timeout`, `note`."""
    return with_options(command, OPTIONS)


def pace_of(canary: str, waves: str, pause: float, max_fail: float, timeout: float) -> dict[str, Any]:
    """As operations take it (`operations.rollouts.answers.Pace`)."""
    return {
        "canary": int(canary) if _COUNT.fullmatch(canary) else _names(canary),
        "waves": [size.strip() for size in waves.split(",")],
        "pause_seconds": pause,
        "max_fail_percentage": max_fail,
        "timeout_minutes": timeout,
    }


def _names(text: str) -> list[str]:
    if names := [name.strip().lower() for name in text.split(",") if name.strip()]:
        return list(dict.fromkeys(names))
    raise click.UsageError(tr("--canary is empty; give how many machines go first, or their names; 0 is none"))
