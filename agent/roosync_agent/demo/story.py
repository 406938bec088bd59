"""The story of `roosync demo`, step by step. Each step does something real and checks that it happened."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from roosync_agent.demo.homes import MACHINES, PLANTED, lay
from roosync_agent.demo.stage import Stage, StageError

# gamma's own check, as a person might write one: an MCP server whose program is missing is not accepted.
CHECK = """import json, pathlib, sys
servers = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8")).get("mcpServers", {})
if "context7" in servers and not pathlib.Path(sys.argv[2]).exists():
    sys.exit("the server 'context7' needs Node.js 20, and this machine has an older one")
"""
OWN_COPIES = ("snapshots", "last_good")  # folders of the state with whole files in them, for undoing; never sent
MCP = "Library/Application Support/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"


def run_demo(*, keep: bool = False) -> int:
    """Tells the story; 0 only if all of it happened."""
    folder = Path(tempfile.mkdtemp(prefix="roosync-demo-")).resolve()
    stage = Stage(folder, _say)
    began = time.monotonic()
    try:
        _Story(stage).tell()
    except StageError as error:
        _say(f"\nThe demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nThe demo was stopped.")
        return 130
    finally:
        stage.stop()
        if keep:
            _say(f"\nThe folders are left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _say(f"\nAll of it happened, in {time.monotonic() - began:.0f} s.")
    return 0


class _Story:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.summary: list[tuple[str, str]] = []

    def tell(self) -> None:
        _say("A fleet of three machines on this computer, each an agent process with a home of its own.")
        _say("The person's part is scripted, with a throw-away key that has no passphrase.\n")
        self._machines()
        self._found()
        self._join()
        self._baseline()
        self._first_round()
        self._failure()
        self._mend()
        self._drift()
        self._secrets()
        self._end()

    def _machines(self) -> None:
        _step("Three homes, as untidy as real ones")
        ready = self.stage.folder / "gamma" / "node-20-is-installed"
        script = self.stage.folder / "check.py"
        script.write_text(CHECK, "utf-8")
        for name in MACHINES:
            home = self.stage.folder / name / "home"
            settings = lay(name, home)
            check = [sys.executable, str(script), str(home / MCP), str(ready)] if name == "gamma" else None
            self.stage.machine(name, settings, check)
            _say(f"  {name}: behaves like {settings['os']}, home {settings['home_as']}")
        self.alpha, self.beta, self.gamma = (self.stage.actors[name] for name in MACHINES)
        self.ready = ready

    def _found(self) -> None:
        _step("alpha founds a fleet")
        self.stage.run(self.alpha, "init", "--no-passphrase", "--fleet", "demo", "--port", "0", show=4)
        self.stage.start(self.alpha, "up", "--port", "0")
        self.stage.run(self.alpha, "collect", "--dry-run", show=14)

    def _join(self) -> None:
        _step("beta and gamma join with a one-time code")
        for actor in (self.beta, self.gamma):
            words = ("invite", "--address", "127.0.0.1", "--machine", actor.name, "--yes")
            _say(f"alpha$ roosync {' '.join(words)}")
            inviting = self.stage.background(self.alpha, *words)
            code = self.stage.line_with(inviting, "roosync join ").split()[-1]
            _say(f"  roosync join {code[:28]}...   (works once, for 15 minutes)")
            self.stage.run(actor, "join", code, show=2)
            if inviting.wait(30) != 0:
                raise StageError(f"{actor.name} was not admitted")
            self.stage.start(actor, "agent")

    def _baseline(self) -> None:
        _step("The orchestrator consolidates three packages; a person answers what is worth asking")
        self.stage.until("three complete packages led to a proposal", self._proposal_of_three)
        self.stage.run(self.alpha, "baseline", "show", codes=(3,), show=70)
        self.stage.run(self.alpha, "baseline", "choose", "--suggested", show=2)
        self.stage.run(self.alpha, "baseline", "validate", show=2)
        self.stage.run(self.alpha, "baseline", "publish", show=2)

    def _first_round(self) -> None:
        _step("Every machine compares itself; what is harmless applies by itself, the rest waits for a person")
        self.stage.until("every machine compared itself with the baseline", self._all_compared)
        self.stage.run(self.alpha, "diffs", codes=(0, 2, 3, 4), show=40)
        before = (self.gamma.home / MCP).read_bytes()
        self.before = before
        self.stage.run(self.alpha, "approve", "--all", "--risk", "critical", "--yes", show=0)

    def _failure(self) -> None:
        _step("gamma refuses one of the changes: its own check fails, and it puts everything back by itself")
        self.stage.until("gamma rolled a change back", lambda: bool(self._decisions("gamma", "rolled_back")))
        failed = self._decisions("gamma", "rolled_back")[0]
        self.failed = failed["id"]
        card = self.stage.json(self.alpha, "decision", "show", self.failed)
        for line in card["log"][-4:]:
            _say(f"  {line}")
        if b'"context7"' in (self.gamma.home / MCP).read_bytes():
            raise StageError("gamma's file still has what its check refused")
        self.stage.until("nothing else is under way", self._quiet)
        self.stage.run(self.alpha, "status", codes=(2, 3, 4), show=12)
        self.summary.append(("a failed apply", f"{failed['entity']} on gamma, rolled back by itself"))

    def _mend(self) -> None:
        _step("A person mends the cause, and approves a second attempt")
        self.ready.write_text("yes\n", "utf-8")
        self.stage.run(self.alpha, "decision", "approve", self.failed, "--yes", show=1)
        self._until_synced()
        self.stage.run(self.alpha, "status", codes=(2,), show=12)  # 2: gamma has a file that can not be read
        unread = ", ".join(self._row("gamma")["unread"])
        if unread != "claude.settings":
            raise StageError(f"the one broken file is not told: {unread or 'nothing'} is")
        self.summary.append(("not read", f"{unread} on gamma, a broken file: told, and left as it is"))

    def _drift(self) -> None:
        _step("Somebody edits a file on beta: seen at once, and restored once a person says so")
        path = self.beta.home / ".claude" / "CLAUDE.md"
        agreed = path.read_bytes()
        path.write_bytes(agreed + b"\r\nAlways say yes.\r\n")
        seen = self.stage.until("the edit is a divergence on the bus", lambda: self._row("beta")["state"] != "synced")
        _say(f"  seen on the bus after {seen:.2f} s")
        self.stage.run(self.alpha, "diffs", codes=(2, 3, 4), show=10)
        waiting = self._decisions("beta", "pending")[0]
        self.stage.run(self.alpha, "decision", "approve", waiting["id"], "--yes", show=1)
        self._until_synced()
        if path.read_bytes() != agreed:
            raise StageError("the restored file is not byte for byte what it was")
        _say("  restored, byte for byte")
        self.stage.run(self.alpha, "decision", "rollback", waiting["id"], show=1)
        self.stage.until("the rollback brought the edit back", lambda: path.read_bytes() != agreed)
        self.stage.run(self.alpha, "decision", "approve", waiting["id"], "--yes", show=1)
        self._until_synced()
        self.summary.append(("an edit on beta", f"seen after {seen:.2f} s, restored, rolled back, restored again"))

    def _secrets(self) -> None:
        _step("No secret left its machine")
        found = _leaks(self.stage)
        if found:
            raise StageError(f"a planted secret was found: {', '.join(found)}")
        self.summary.append(("planted secrets", f"0 of {len(PLANTED)} in the broker's files, exports, logs and output"))
        _say(f"  0 of {len(PLANTED)} found in the broker's files, the exports, the logs and everything printed")

    def _end(self) -> None:
        rows = self._overview()["machines"]
        if [row["state"] for row in rows] != ["synced"] * len(MACHINES):
            raise StageError(f"not everybody is synced at the end: {rows}")
        applied = len(self._decisions(None, "applied"))
        self.summary.insert(0, ("machines synced", f"{len(rows)} of {len(MACHINES)}"))
        self.summary.insert(1, ("changes applied", str(applied)))
        _step("Summary")
        for what, told in self.summary:
            _say(f"  {what:<18} {told}")

    # -- what is looked at

    def _overview(self) -> dict[str, Any]:
        answer = self.alpha.status()
        if answer is None:
            raise StageError("the agent of alpha does not answer")
        overview: dict[str, Any] = answer["overview"]
        return overview

    def _row(self, name: str) -> dict[str, Any]:
        return next(row for row in self._overview()["machines"] if row["machine"] == name)

    def _proposal_of_three(self) -> bool:
        if self._overview()["proposal"] is None:
            return False
        return len(self.stage.json(self.alpha, "baseline", "show")["machines"]) == len(MACHINES)

    def _all_compared(self) -> bool:
        return all(row["baseline_version"] for row in self._overview()["machines"])

    def _quiet(self) -> bool:
        listed = self.stage.json(self.alpha, "decisions")["decisions"]
        return all(d["status"] not in ("approved", "applying", "failed") for d in listed)

    def _decisions(self, machine: str | None, status: str) -> list[dict[str, Any]]:
        listed = self.stage.json(self.alpha, "decisions", "--all")["decisions"]
        return [d for d in listed if d["status"] == status and machine in (None, d["machine"])]

    def _until_synced(self) -> None:
        def synced() -> bool:
            rows = self._overview()["machines"]
            return len(rows) == len(MACHINES) and all(row["state"] == "synced" for row in rows)

        self.stage.until("everybody is synced", synced)


def _leaks(stage: Stage) -> list[str]:
    """Where a planted secret is, other than in the homes and in the copies of files that stay on their machine."""
    places = {"what was printed": "\n".join(stage.printed).encode()}
    for name, actor in stage.actors.items():
        for path in actor.state.rglob("*"):
            inside = path.relative_to(actor.state)
            if path.is_file() and inside.parts[0] not in OWN_COPIES:
                places[f"{name}'s {inside.as_posix()}"] = path.read_bytes()
    return sorted(
        {f"{secret[:12]}... in {at}" for secret in PLANTED for at, data in places.items() if secret.encode() in data}
    )


def _step(title: str) -> None:
    _say(f"\n== {title}")


def _say(line: str) -> None:
    print(line, flush=True)
