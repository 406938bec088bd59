"""The story of `roosync demo`, step by step. Each step does something real and checks that it happened."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from roosync_agent.demo.homes import MACHINES, PLANTED, lay
from roosync_agent.demo.stage import Stage, StageError
from roosync_agent.wording import heard, tr

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
        _say("\n" + tr("The demo failed: {error}", error=error))
        return 1
    except KeyboardInterrupt:
        _say("\n" + tr("The demo was stopped."))
        return 130
    finally:
        stage.stop()
        if keep:
            _say("\n" + tr("The folders are left in {folder}", folder=folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _say("\n" + tr("All of it happened, in {seconds} s.", seconds=f"{time.monotonic() - began:.0f}"))
    return 0


class _Story:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.summary: list[tuple[str, str]] = []

    def tell(self) -> None:
        _say(tr("A fleet of three machines on this computer, each an agent process with a home of its own."))
        _say(tr("The person's part is scripted, with a throw-away key that has no passphrase.") + "\n")
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
        _step(tr("Three homes, as untidy as real ones"))
        ready = self.stage.folder / "gamma" / "node-20-is-installed"
        script = self.stage.folder / "check.py"
        script.write_text(CHECK, "utf-8")
        for name in MACHINES:
            home = self.stage.folder / name / "home"
            settings = lay(name, home)
            check = [sys.executable, str(script), str(home / MCP), str(ready)] if name == "gamma" else None
            self.stage.machine(name, settings, check)
            _say(tr("  {machine}: behaves like {os}, home {home_as}", machine=name, **settings))
        self.alpha, self.beta, self.gamma = (self.stage.actors[name] for name in MACHINES)
        self.ready = ready

    def _found(self) -> None:
        _step(tr("alpha founds a fleet"))
        self.stage.run(self.alpha, "init", "--no-passphrase", "--fleet", "demo", "--port", "0", show=4)
        self.stage.start(self.alpha, "up", "--port", "0")
        self.stage.run(self.alpha, "collect", "--dry-run", show=14)

    def _join(self) -> None:
        _step(tr("beta and gamma join with a one-time code"))
        for actor in (self.beta, self.gamma):
            words = ("invite", "--address", "127.0.0.1", "--machine", actor.name, "--yes")
            _say(f"alpha$ roosync {' '.join(words)}")
            inviting = self.stage.background(self.alpha, *words)
            code = self.stage.line_with(inviting, "roosync join ").split()[-1]
            _say(tr("  roosync join {code}...   (works once, for 15 minutes)", code=code[:28]))
            self.stage.run(actor, "join", code, show=2)
            if inviting.wait(30) != 0:
                raise StageError(tr("{machine} was not admitted", machine=actor.name))
            self.stage.start(actor, "agent")

    def _baseline(self) -> None:
        _step(tr("The orchestrator consolidates three packages; a person answers what is worth asking"))
        self.stage.until(tr("three complete packages led to a proposal"), self._proposal_of_three)
        self.stage.run(self.alpha, "baseline", "show", codes=(3,), show=70)
        self.stage.run(self.alpha, "baseline", "choose", "--suggested", show=2)
        self.stage.run(self.alpha, "baseline", "validate", show=2)
        self.stage.run(self.alpha, "baseline", "publish", show=2)

    def _first_round(self) -> None:
        _step(tr("Every machine compares itself; what is harmless applies by itself, the rest waits for a person"))
        self.stage.until(tr("every machine compared itself with the baseline"), self._all_compared)
        self.stage.run(self.alpha, "diffs", codes=(0, 2, 3, 4), show=40)
        before = (self.gamma.home / MCP).read_bytes()
        self.before = before
        self.stage.run(self.alpha, "approve", "--all", "--risk", "critical", "--yes", show=0)

    def _failure(self) -> None:
        _step(tr("gamma refuses one of the changes: its own check fails, and it puts everything back by itself"))
        self.stage.until(tr("gamma rolled a change back"), lambda: bool(self._decisions("gamma", "rolled_back")))
        failed = self._decisions("gamma", "rolled_back")[0]
        self.failed = failed["id"]
        card = self.stage.json(self.alpha, "decision", "show", self.failed)
        for line in card["log"][-4:]:
            _say(f"  {heard(line)}")
        if b'"context7"' in (self.gamma.home / MCP).read_bytes():
            raise StageError(tr("gamma's file still has what its check refused"))
        self.stage.until(tr("nothing else is under way"), self._quiet)
        self.stage.run(self.alpha, "status", codes=(2, 3, 4), show=12)
        told = tr("{thing} on gamma, rolled back by itself", thing=failed["entity"])
        self.summary.append((tr("a failed apply"), told))

    def _mend(self) -> None:
        _step(tr("A person mends the cause, and approves a second attempt"))
        self.ready.write_text("yes\n", "utf-8")
        self.stage.run(self.alpha, "decision", "approve", self.failed, "--yes", show=1)
        self._until_synced()
        self.stage.run(self.alpha, "status", codes=(2,), show=12)  # 2: gamma has a file that can not be read
        unread = ", ".join(self._row("gamma")["unread"])
        if unread != "claude.settings":
            raise StageError(tr("the one broken file is not told: {what} is", what=unread or tr("nothing")))
        told = tr("{target} on gamma, a broken file: told, and left as it is", target=unread)
        self.summary.append((tr("not read"), told))

    def _drift(self) -> None:
        _step(tr("Somebody edits a file on beta: seen at once, and restored once a person says so"))
        path = self.beta.home / ".claude" / "CLAUDE.md"
        agreed = path.read_bytes()
        path.write_bytes(agreed + b"\r\nAlways say yes.\r\n")
        seen = self.stage.until(
            tr("the edit is a divergence on the bus"), lambda: self._row("beta")["state"] != "synced"
        )
        _say(tr("  seen on the bus after {seconds} s", seconds=f"{seen:.2f}"))
        self.stage.run(self.alpha, "diffs", codes=(2, 3, 4), show=10)
        waiting = self._decisions("beta", "pending")[0]
        self.stage.run(self.alpha, "decision", "approve", waiting["id"], "--yes", show=1)
        self._until_synced()
        if path.read_bytes() != agreed:
            raise StageError(tr("the restored file is not byte for byte what it was"))
        _say(tr("  restored, byte for byte"))
        self.stage.run(self.alpha, "decision", "rollback", waiting["id"], show=1)
        self.stage.until(tr("the rollback brought the edit back"), lambda: path.read_bytes() != agreed)
        self.stage.run(self.alpha, "decision", "approve", waiting["id"], "--yes", show=1)
        self._until_synced()
        told = tr("seen after {seconds} s, restored, rolled back, restored again", seconds=f"{seen:.2f}")
        self.summary.append((tr("an edit on beta"), told))

    def _secrets(self) -> None:
        _step(tr("No secret left its machine"))
        found = _leaks(self.stage)
        if found:
            raise StageError(tr("a planted secret was found: {places}", places=", ".join(found)))
        planted = len(PLANTED)
        told = tr("0 of {planted} in the broker's files, exports, logs and output", planted=planted)
        self.summary.append((tr("planted secrets"), told))
        told = tr(
            "0 of {planted} found in the broker's files, the exports, the logs and everything printed", planted=planted
        )
        _say(f"  {told}")

    def _end(self) -> None:
        rows = self._overview()["machines"]
        if [row["state"] for row in rows] != ["synced"] * len(MACHINES):
            raise StageError(tr("not everybody is synced at the end: {rows}", rows=rows))
        applied = len(self._decisions(None, "applied"))
        synced = tr("{number} of {all}", number=len(rows), all=len(MACHINES))
        self.summary.insert(0, (tr("machines synced"), synced))
        self.summary.insert(1, (tr("changes applied"), str(applied)))
        _step(tr("Summary"))
        wide = max(18, *(len(what) for what, _ in self.summary))
        for what, told in self.summary:
            _say(f"  {what:<{wide}} {told}")

    # -- what is looked at

    def _overview(self) -> dict[str, Any]:
        answer = self.alpha.status()
        if answer is None:
            raise StageError(tr("the agent of alpha does not answer"))
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

        self.stage.until(tr("everybody is synced"), synced)


def _leaks(stage: Stage) -> list[str]:
    """Where a planted secret is, other than in the homes and in the copies of files that stay on their machine."""
    places = {tr("what was printed"): "\n".join(stage.printed).encode()}
    for name, actor in stage.actors.items():
        for path in actor.state.rglob("*"):
            inside = path.relative_to(actor.state)
            if path.is_file() and inside.parts[0] not in OWN_COPIES:
                places[tr("{machine}'s {file}", machine=name, file=inside.as_posix())] = path.read_bytes()
    return sorted(
        {
            tr("{secret}... in {place}", secret=secret[:12], place=at)
            for secret in PLANTED
            for at, data in places.items()
            if secret.encode() in data
        }
    )


def _step(title: str) -> None:
    _say(f"\n== {title}")


def _say(line: str) -> None:
    print(line, flush=True)
