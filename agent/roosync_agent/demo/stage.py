"""The stage of the demo: machines as folders and real processes, and a person who types real commands.

Everything runs as it would on three computers: one agent process each, with a home and a state folder of
its own, and every command in a process of its own. Nothing outside the demo's folder is touched.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roosync_agent.running.control import NobodyThereError, ask
from roosync_agent.wording import tr

PATIENCE = 30.0  # seconds for anything that is waited for


class StageError(Exception):
    """Something in the story did not happen; says what was expected and what was seen."""


@dataclass
class Actor:
    """One machine of the demo."""

    name: str
    home: Path
    state: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOSYNC_")}
        return kept | {
            "ROOSYNC_STATE": str(self.state),
            "ROOSYNC_HOME": str(self.home),
            "ROOSYNC_MACHINE": self.name,
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def status(self) -> dict[str, Any] | None:
        """What its resident agent says of the fleet; None while it does not answer."""
        try:
            answer = ask(self.state, "status", {}, timeout=5.0)
        except (NobodyThereError, TimeoutError, OSError, json.JSONDecodeError):
            return None
        return answer.get("result")


@dataclass
class Stage:
    """The folder of the demo, its machines, and what was said."""

    folder: Path
    say: Callable[[str], None]
    actors: dict[str, Actor] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def machine(self, name: str, settings: dict[str, str], check: list[str] | None = None) -> Actor:
        base = self.folder / name
        actor = Actor(name, base / "home", base / "state")
        actor.state.mkdir(parents=True, mode=0o700)
        lines = ["[this_machine]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
        lines += ["[apply]", f"check = {json.dumps(check)}"] if check else []
        (actor.state / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")
        self.actors[name] = actor
        return actor

    def run(self, actor: Actor, *words: str, codes: tuple[int, ...] = (0,), quiet: bool = False, show: int = 0) -> str:
        """Types a command on a machine; returns what it printed. StageError when its exit code is another."""
        if not quiet:
            self.say(f"{actor.name}$ roosync {' '.join(words)}")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "roosync_agent", *words],
            env=actor.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        self.printed += [out, err]
        if done.returncode not in codes:
            told = tr(
                "`{command}` on {machine} ended with {code}: {output}",
                command=f"roosync {' '.join(words)}",
                machine=actor.name,
                code=done.returncode,
                output=err or out,
            )
            raise StageError(told)
        for line in first_lines(out, show):
            self.say(f"  {line}")
        return out

    def json(self, actor: Actor, *words: str, codes: tuple[int, ...] = (0, 2, 3, 4, 5)) -> Any:
        return json.loads(self.run(actor, *words, "--json", codes=codes, quiet=True))

    def start(self, actor: Actor, *words: str) -> None:
        """Starts a part that stays: `up` or `agent`."""
        self.say(f"{actor.name}$ roosync {' '.join(words)} &")
        with (actor.state / "log").open("ab") as log:
            actor.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "roosync_agent", *words],
                env=actor.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(tr("the agent of {machine} answers", machine=actor.name), lambda: actor.status() is not None)

    def background(self, actor: Actor, *words: str) -> "subprocess.Popen[bytes]":
        """Types a command that waits for somebody else."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "roosync_agent", *words],
            env=actor.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def line_with(self, process: "subprocess.Popen[bytes]", text: str) -> str:
        """The first line a command prints that has `text` in it."""
        assert process.stdout is not None
        for line in process.stdout:
            if text in line.decode("utf-8", "replace"):
                return line.decode("utf-8", "replace").strip()
        raise StageError(tr("{text} was not printed", text=repr(text)))

    def until(self, what: str, holds: Callable[[], bool], patience: float = PATIENCE) -> float:
        """Waits until something holds; returns after how many seconds. StageError when it does not come."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > patience:
                told = tr("waited {seconds} s and it did not happen: {what}", seconds=f"{patience:.0f}", what=what)
                raise StageError(told)
            for actor in self.actors.values():
                if actor.process is not None and actor.process.poll() is not None:
                    log = (actor.state / "log").read_text("utf-8", "replace")[-2000:]
                    raise StageError(tr("the process of {machine} ended: {log}", machine=actor.name, log=log))
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> None:
        """Stops what was started, by process, the broker's machine last."""
        for actor in reversed(self.actors.values()):
            if actor.process is not None and actor.process.poll() is None:
                actor.process.terminate()
        for actor in reversed(self.actors.values()):
            if actor.process is not None:
                try:
                    actor.process.wait(25)
                except subprocess.TimeoutExpired:
                    actor.process.kill()
                    actor.process.wait()


def first_lines(text: str, most: int) -> list[str]:
    """So many lines of it, but for the head of a list that would stand there without its list."""
    lines = text.rstrip().splitlines()[:most]
    while lines and (not lines[-1].strip() or lines[-1].rstrip().endswith(":")):
        lines.pop()
    return lines
