"""Other clients' code as a peer: npm packages, asked through one process of Node, many questions at a time.

`npm install` in a copy of tests/clients/package.json puts them where ROOSYNC_TEST_CLIENTS says. What can be asked
is written in tests/clients/peers.mjs.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from roosync_protocol.documents import Delete, Document, Edit, Insert, Set

HERE = Path(__file__).parents[1] / "tests" / "clients"


class Clients:
    """ValueError, saying what to install, when they are not there."""

    def __init__(self) -> None:
        self.modules = Path(os.environ.get("ROOSYNC_TEST_CLIENTS", HERE))
        if not shutil.which("node") or not (self.modules / "node_modules").is_dir():
            raise ValueError(
                f"node, or in {self.modules} the npm packages of tests/clients/package.json: not installed"
            )

    def ask(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One answer for each: {"value"}, {"text", "value"} or {"error"}."""
        done = subprocess.run(
            ["node", str(HERE / "peers.mjs")],
            input="".join(json.dumps(one) + "\n" for one in questions),
            env={"PATH": os.environ["PATH"], "ROOSYNC_TEST_CLIENTS": str(self.modules)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=True,
        )
        answers = [json.loads(line) for line in done.stdout.split("\n") if line]
        if len(answers) != len(questions):
            raise RuntimeError(f"{len(answers)} answers to {len(questions)} questions: {done.stderr}")
        return answers

    def parse(self, peer: str, texts: list[str]) -> list[dict[str, Any]]:
        return self.ask([{"ask": "parse", "peer": peer, "text": text} for text in texts])


def modify(document: Document, edit: Edit) -> dict[str, Any]:
    """The question for the same edit by VS Code's jsonc-parser. ValueError: it knows no rename, and no whole file."""
    unit = "\t" if "\n\t" in document.text else "  "
    spaces = {"insertSpaces": unit != "\t", "tabSize": 2, "eol": document.newline}
    asked = {"ask": "modify", "text": document.text, "path": list(edit.path), "format": spaces}
    match edit:
        case Insert():
            return asked | {"path": [*edit.path, edit.index], "value": edit.value, "insert": True}
        case Set() if edit.path:
            return asked | {"value": edit.value}
        case Delete():
            return asked
    raise ValueError(f"jsonc-parser has no {type(edit).__name__.lower()}")


def as_javascript(one: Any) -> Any:
    """A value as JavaScript holds it: one kind of number, names of members in any order."""
    if isinstance(one, dict):
        return {key: as_javascript(child) for key, child in one.items()}
    if isinstance(one, list):
        return [as_javascript(child) for child in one]
    return float(one) if isinstance(one, int) and not isinstance(one, bool) else one
