"""Homes and terminals for stories that the docs show: real processes, on pseudo terminals, in a temporary folder."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pexpect

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
        text = re.sub(r"(?s)(Asked by +).*?(?=\nIt says)", r"\1python3 roosync (pid 4711) < code (4242)", text)
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
