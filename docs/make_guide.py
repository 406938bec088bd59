"""Writes what the commands of docs/guide.md print, by running them: two homes, real processes, terminals of their own.

    python docs/make_guide.py        runs the story, and writes its commands and output into docs/guide.md

Between `<!-- shown: NAME -->` and `<!-- end -->` of the page stands what the story showed under NAME.
tests/e2e/test_guide.py runs the same story again, and fails when the page shows something else than it does now
(`masked` takes out what is another each time: ids, keys, hours).
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pexpect

HERE = Path(__file__).parent
PAGE = HERE / "guide.md"
WIDTH, HEIGHT = 100, 60
PATIENCE = 40.0  # seconds
PASSPHRASE = "correct horse battery"
KEY = ("operator's key: ", PASSPHRASE)
MCP = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
GITHUB = """\
    "github": {{
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github@{version}"],
      "env": {{ "GITHUB_TOKEN": "{token}" }}
    }}"""
FETCH = """\
    "fetch": {
      "command": "uvx",
      "args": ["mcp-server-fetch==2025.4.7"]
    }"""
MEMORY = "# How we work\n\n- Small commits that say why.\n- Tests before the fix.\n"
HOMES = {
    "desk": {
        MCP: [GITHUB.format(version="2025.4.8", token="ghp_FAKEdesk0aB1cD2eF3gH4iJ5kL6mN7oP8qR9"), FETCH],
        ".claude/CLAUDE.md": MEMORY,
    },
    "laptop": {
        MCP: [GITHUB.format(version="2025.1.17", token="ghp_FAKElaptop1aB1cD2eF3gH4iJ5kL6mN7oP8q")],
        ".claude/CLAUDE.md": MEMORY,
    },
}
MASKS = (
    (r"\b([a-z]{1,2})-[0-9a-f]{12}\b", r"\1-ID"),
    (r"\b(?:[0-9a-f]{4}-){4}[0-9a-f]{4}\b", "FINGERPRINT"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"roosync1-\S+", "CODE"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "MOMENT"),
    (r"\b\d\d:\d\d:\d\d\b", "HOUR"),
    (r"\(pid \d+|process \d+", "PROCESS"),
    (r"\([^()]*, (Linux|Darwin|Windows)[^()]*\)", "(HOST)"),
    (r"\b\d+\.\d+ (ms|s)\b", "TIME"),
    (r"\s+", " "),  # how a line is folded hangs on the length of the above
)


class Home:
    """One machine of the story: a home folder of its own, which its programs know by HOME alone."""

    def __init__(self, base: Path, name: str, port: int) -> None:
        self.name, self.folder = name, base / name
        for path, parts in HOMES[name].items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            text = parts if isinstance(parts, str) else _servers(parts)
            file.write_text(text, "utf-8")
        state = self.folder / ".local" / "share" / "roosync"
        state.mkdir(parents=True, mode=0o700)
        (state / "config.toml").write_text(f"[broker]\nport = {port}\n")
        tools = self.folder / "bin"  # what these servers are started with, as far as anybody looks
        tools.mkdir()
        for tool in ("npx", "uvx") if name == "desk" else ("npx",):
            (tools / tool).write_text("#!/bin/sh\n")
            (tools / tool).chmod(0o755)

    @property
    def env(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        return {"HOME": str(self.folder), "PATH": path, "TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8",
                "LOGNAME": "ana", "USER": "ana"}  # fmt: skip


def _servers(parts: Sequence[str]) -> str:
    return '{\n  "mcpServers": {\n' + ",\n".join(parts) + "\n  }\n}\n"


class Terminal:
    """A terminal on one of the homes: commands as a person types them, answers as a person gives them."""

    def __init__(self, story: "Story", home: Home) -> None:
        self.story, self.home = story, home
        self.running: Any = None
        self.said = ""

    def begin(self, line: str) -> "Terminal":
        """Types a command, and goes on while it runs."""
        words = shlex.split(line)
        program = shutil.which(words[0], path=self.home.env["PATH"]) or words[0]
        self.running = pexpect.spawn(
            program,
            words[1:],
            env=self.home.env,
            cwd=str(self.home.folder),
            encoding="utf-8",
            dimensions=(HEIGHT, WIDTH),
            timeout=PATIENCE,
        )
        self.said = f"{self.home.name}$ {line}\n"
        return self

    def until(self, text: str, answer: str | None = None) -> re.Match[str]:
        """Waits until it says this (a regular expression), and types the answer."""
        self.running.expect(text)
        self.said += self.running.before + self.running.after
        found: re.Match[str] = self.running.match
        if answer is not None:
            self.running.sendline(answer)
        return found

    def end(self, code: int = 0) -> str:
        """Waits for its end; returns all that it showed."""
        self.running.expect(pexpect.EOF)
        self.said += self.running.before
        self.running.close()
        assert self.running.exitstatus == code, f"{self.said}\nended with {self.running.exitstatus}"
        return self.said

    def show(self, name: str) -> None:
        """Keeps what was shown so far under this name, for the page."""
        self.story.shown[name] = self.story.plain(self.said)

    def run(self, name: str, line: str, *answers: tuple[str, str], code: int = 0) -> str:
        self.begin(line)
        for text, answer in answers:
            self.until(text, answer)
        self.end(code)
        self.show(name)
        return self.said

    def stop(self) -> None:
        if self.running is not None and self.running.isalive():
            self.running.sendintr()
            self.running.expect(pexpect.EOF)
            self.running.close(force=True)


class Story:
    """Two homes in a temporary folder, and what was shown on their terminals."""

    def __init__(self, base: Path) -> None:
        self.shown: dict[str, str] = {}
        self.base, self.port = base, _free_port()
        self.desk, self.laptop = (Home(base, name, self.port) for name in HOMES)
        self.terminals: list[Terminal] = []

    def terminal(self, home: Home) -> Terminal:
        self.terminals.append(Terminal(self, home))
        return self.terminals[-1]

    def plain(self, said: str) -> str:
        """As on a person's own machine: their home, the usual port, a code that fits the line."""
        text = said.replace("\r\n", "\n").replace("\r", "").replace("^C", "")
        for home in (self.desk, self.laptop):
            text = text.replace(str(home.folder), "/home/ana")
        text = text.replace(str(self.port), "4222")
        text = re.sub(r"\([^()]*, (Linux|Darwin) [^()]*\)", r"(laptop, \1)", text)
        text = re.sub(r"(roosync1-\w{20})\S+", r"\1...", text)
        return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))

    def ask(self, home: Home, *words: str) -> Any:
        """What a command says as JSON: what the story waits for, and does not show."""
        done = subprocess.run(
            ["roosync", *words, "--json"], env=home.env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {}

    def wait(self, what: str, holds: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            if time.monotonic() > end:
                raise AssertionError(f"did not happen: {what}\n" + "\n\n".join(self.shown.values()))
            time.sleep(0.1)
        return found

    def close(self) -> None:
        for terminal in reversed(self.terminals):
            terminal.stop()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def together(story: Story) -> None:
    """Founding, joining, the first baseline."""
    desk, up = story.terminal(story.desk), story.terminal(story.desk)
    desk.run("targets", "roosync targets")
    desk.run("init", "roosync init --machine desk", ("operator's key: ", PASSPHRASE), ("Once more: ", PASSPHRASE))
    up.begin("roosync up").until("Ctrl-C stops it.")
    up.show("up")
    story.wait("the agent answers", lambda: "machines" in story.ask(story.desk, "status"))
    invite, join = story.terminal(story.desk), story.terminal(story.laptop)
    invite.begin("roosync invite --address 127.0.0.1").until(*KEY)
    code = invite.until(r"roosync join (roosync1-\S+)")[1]
    join.begin(f"roosync join {code} --machine laptop").until("Waiting ...")
    invite.until(r"Admit it \[y/N\]: ", "y")
    invite.end()
    invite.show("invite")
    join.end()
    join.show("join")
    up_there = story.terminal(story.laptop)
    up_there.begin("roosync up").until("Ctrl-C stops it.")
    story.wait("a proposal of both", lambda: len(story.ask(story.desk, "baseline", "show").get("machines", ())) == 2)
    desk.run("status, before", "roosync status", code=3)
    desk.run("proposal", "roosync baseline show", code=3)
    desk.run("choose", "roosync baseline choose roo.mcp/github --take desk", KEY)
    desk.run("validate", "roosync baseline validate", KEY)
    desk.run("publish", "roosync baseline publish", KEY)


def in_step(story: Story) -> None:
    """The decisions that follow from the baseline, one approved after the other, and one taken back."""
    desk, laptop = story.terminal(story.desk), story.terminal(story.laptop)
    story.wait("two decisions", lambda: len(_decisions(story)) == 2)
    ids = {decision["entity"]: decision["id"] for decision in _decisions(story)}
    desk.run("diffs", "roosync diffs", code=3)
    for name in ("github", "fetch"):
        id_ = ids[f"roo.mcp/{name}"]
        desk.run(f"approve {name}", f"roosync decision approve {id_}", (r"Approve this \[y/N\]: ", "y"), KEY)
        story.wait(f"{name} is applied", partial(_applied, story, id_))
    laptop.run("the file", f"cat {MCP}")
    story.wait("both are in step", lambda: story.ask(story.desk, "status").get("status") == "synced")
    desk.run("status, in step", "roosync status")
    desk.run("rollback", f"roosync decision rollback {ids['roo.mcp/fetch']}", KEY)


def _decisions(story: Story) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = story.ask(story.desk, "decisions").get("decisions", [])
    return found


def _applied(story: Story, id_: str) -> bool:
    return bool(story.ask(story.desk, "decision", "show", id_).get("status") == "applied")


def told(base: Path) -> dict[str, str]:
    """The whole story, run in `base`: name -> what the terminal showed."""
    story = Story(base)
    try:
        together(story)
        in_step(story)
    finally:
        story.close()
    return story.shown


BLOCK = re.compile(r"<!-- shown: (?P<name>[^>]*?) -->\n(?:```console\n(?P<shown>.*?)\n```\n)?<!-- end -->", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """What the page shows, by name."""
    return {found["name"]: found["shown"] or "" for found in BLOCK.finditer(page)}


def filled(page: str, shown: dict[str, str]) -> str:
    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- shown: {name} -->\n```console\n{shown[name]}\n```\n<!-- end -->"

    return BLOCK.sub(block, page)


def masked(text: str) -> str:
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text.strip()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="guide-") as folder:
        shown = told(Path(os.path.realpath(folder)))
    PAGE.write_text(filled(PAGE.read_text("utf-8"), shown), "utf-8")


if __name__ == "__main__":
    main()
