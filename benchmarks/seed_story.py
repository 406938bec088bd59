"""Seeds 002 and 004 played through: three agents as processes, a person who types commands, and what each act takes.

    python benchmarks/seed_story.py

A deployment from machines that share nothing to a baseline that all follow; then a coordination with a divergence that
a person approves, one whose apply fails and is tried again, and one in which an agent hangs and a file can not be put
back (escalation 1, 2, 3). Each time begins with the person's command, so Python's own start and the command's imports
are in it. Each act is checked; the last lines are the metric report of the last cycle.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from figures import tell
from fleet import PATIENCE, Fleet, Node

from roosync_protocol import __version__

MODEL = "claude.settings/model"
MINUTES = 0.15  # for each checkpoint of the cycle in which an agent hangs
# The person's own check of what was applied: `refuse` makes it say no; `ruin` takes the file away too.
CHECK = 'if [ -e "$0/ruin" ]; then rm -f "$1"; mkdir "$1"; fi; test ! -e "$0/refuse" && test ! -e "$0/ruin"'


class Story:
    """The person at the first machine, who waits for what is to come and stops the clock when it is there."""

    def __init__(self, fleet: Fleet) -> None:
        self.first, self.second, self.third = fleet.nodes
        self.began = time.perf_counter()

    def types(self, *words: str, codes: tuple[int, ...] = (0, 2, 3, 4, 5)) -> None:
        self.began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "roosync_agent", *words],
            env=self.first.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode not in codes:
            sys.exit(f"roosync {' '.join(words)} -> {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")

    def until(self, what: str, holds: Callable[[], Any], name: str = "") -> Any:
        """What `holds` gave; with a name the time since the last command is told."""
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            if time.monotonic() > end:
                sys.exit(f"it did not happen: {what}; the cycle is {self.cycle()}")
            time.sleep(0.01)
        if name:
            tell(name, time.perf_counter() - self.began)
        return found

    def cycle(self) -> dict[str, Any]:
        return self.first.ask("cycle_show") or {}

    def at(self, status: str, checkpoint: str = "", name: str = "") -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            seen = self.cycle()
            return seen if seen.get("status") == status and checkpoint in ("", seen["checkpoint"]) else None

        found: dict[str, Any] = self.until(f"{status} {checkpoint}", there, name)
        return found

    def decision(self, node: Node, status: str) -> str:
        def there() -> str | None:
            known = (self.first.ask("decisions", everything=True) or {"decisions": []})["decisions"]
            mine = [d for d in known if (d["machine"], d["entity"], d["status"]) == (node.name, MODEL, status)]
            return mine[0]["id"] if mine else None

        found: str = self.until(f"a decision of {node.name} is {status}", there)
        return found

    def metrics(self) -> dict[str, Any]:
        return self.first.ask("cycle_metrics") or {}


def settings(node: Node, model: str) -> None:
    known = {"model": model, "cleanupPeriodDays": 30}
    node.settings_file.write_text(json.dumps(known, indent=2) + "\n", "utf-8")


def deployment(story: Story) -> None:
    """Seed 002: the version, the packages, a baseline that a person publishes, everybody in step with it."""
    story.types("cycle", "start", "--route", "deployment", "--version", f"v{__version__}", "--timeout", "5")
    story.at("running", "baseline", "deployment_start_to_packages_collected_s")
    story.until("a proposal of all", lambda: len((story.first.ask("baseline_show") or {}).get("machines", ())) == 3)
    story.types("baseline", "choose", "--suggested")
    story.types("baseline", "publish")
    story.at("running", "synced", "deployment_publish_to_baseline_reached_s")
    story.types("approve", "--all", "--risk", "critical", "--yes")
    story.at("done", name="deployment_yes_to_done_s")
    report = story.first.ask("cycle_report")["fields"]
    tell("deployment_criteria_met", f"{sum(one['met'] for one in report['criteria'])} of {len(report['criteria'])}")


def coordination(story: Story) -> None:
    """Seed 004: a divergence that a person approves."""
    settings(story.third, "of-the-third")
    asked = story.decision(story.third, "pending")
    story.types("cycle", "start", "--timeout", "5")
    story.at("running", "resolution", "coordination_start_to_resolution_s")
    story.types("decision", "approve", asked, "--yes")
    story.at("done", name="coordination_yes_to_done_s")


def failed_apply(story: Story) -> None:
    """The machine's own check says no: back to the checkpoint before, and a person is asked before another try."""
    refuse = story.second.home.parent / "refuse"
    refuse.touch()
    settings(story.second, "of-the-second")
    asked = story.decision(story.second, "pending")
    story.types("cycle", "start", "--timeout", "5")
    story.at("running", "resolution")
    story.types("decision", "approve", asked, "--yes")
    story.at("waiting", "diffs", "failed_apply_yes_to_put_back_and_stopped_s")
    refuse.unlink()
    story.types("decision", "approve", asked, "--yes")
    done = story.at("done", name="failed_apply_second_yes_to_done_s")
    tell("failed_apply_checkpoints", " ".join(one["checkpoint"] for one in done["reached"]))
    tell("failed_apply_rollbacks", story.metrics()["decisions_rollback"])


def emergency(story: Story) -> None:
    """An agent hangs (warning, stop); it is excused; then a file can not be put back (emergency)."""
    assert story.third.process is not None
    os.kill(story.third.process.pid, signal.SIGSTOP)
    try:
        story.types("cycle", "start", "--timeout", str(MINUTES))
        story.at("waiting", "init", f"stuck_start_to_stop_s_of_{MINUTES * 60:g}")
        ruin = story.second.home.parent / "ruin"
        ruin.touch()
        settings(story.second, "ruined")
        asked = story.decision(story.second, "pending")
        story.types("cycle", "excuse", story.third.name, "--reason", "it hangs")
        story.at("running", "resolution", "stuck_excused_to_resolution_s")
        story.types("decision", "approve", asked, "--yes")
        stopped = story.at("waiting", "diffs", "emergency_yes_to_stop_s")
    finally:
        os.kill(story.third.process.pid, signal.SIGCONT)
    levels = dict.fromkeys(one["level"] for one in stopped["escalations"])
    tell("escalations", " ".join(map(str, levels)))
    tell("triggers", " ".join(dict.fromkeys(one["trigger"] for one in stopped["escalations"])))
    if list(levels) != [1, 2, 3]:
        sys.exit(f"the escalations are {stopped['escalations']}")
    ruin.unlink()
    shutil.rmtree(story.second.settings_file)
    settings(story.second, "opus")
    story.types("decision", "reject", asked)
    story.at("done", name="emergency_answer_to_done_s")


async def main() -> None:
    fleet = Fleet(3)
    check = json.dumps(["sh", "-c", CHECK, str(fleet.nodes[1].home.parent), str(fleet.nodes[1].settings_file)])
    (fleet.nodes[1].state / "config.toml").write_text(f"[apply]\ncheck = {check}\n", "utf-8")
    for node, model in zip(fleet.nodes, ("opus", "opus", "sonnet"), strict=True):
        settings(node, model)
    async with fleet:
        began = time.perf_counter()
        await asyncio.to_thread(play, Story(fleet))
        tell("story_s", time.perf_counter() - began)


def play(story: Story) -> None:
    for act in (deployment, coordination, failed_apply, emergency):
        act(story)
    for name, value in story.metrics().items():
        tell(f"metric_{name}", " ".join(value) if isinstance(value, list) else value)


if __name__ == "__main__":
    asyncio.run(main())
