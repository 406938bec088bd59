"""What a release really says, kept as files: `tests/wire/<version>/`. Run by hand, once, when a release was made.

    git worktree add ../previous v0.1.0
    PYTHONPATH=../previous/protocol:../previous/broker:../previous/agent python tests/wire/record.py tests/wire/0.1.0
    cp ../previous/docs/asyncapi.json tests/wire/0.1.0/

A fleet of three real machines on a broker of its own lives through everything that has a record: joining, a baseline,
policies, pauses, decisions that are applied, rejected, promoted, kept special, overwritten, failed, rolled back and
tried again, cycles of both routes, requests, an alarm, a revocation, an invitation that nobody used. Then each
stream is written down, a message a line, and `expected.json` is what that release made of it. `folded` is read by
tests/protocol/test_wire_compat.py, which asks the release of today. Keys are of that fleet only, and were thrown away.
"""

import asyncio
import base64
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from roosync_broker.keys import verify
from roosync_protocol import __version__, envelope, package
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import MalformedError, PackageReport
from roosync_protocol.subjects import Subjects

STREAMS = ("LAW", "WORK", "REPORTS", "AUDIT", "ENROL", "CONTENTS")
SETTINGS = ".claude/settings.json"
CONTENT = ".content."


# -- what a release makes of the files


def lines(folder, stream):
    text = (folder / f"{stream.lower()}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def opened(folder):
    """Every message, opened, and how many could not be: [(stream, Heard)], {stream: [why]}."""
    subjects, heard, faults = Subjects("wire"), [], {}
    for stream in STREAMS:
        for line in lines(folder, stream):
            if CONTENT in line["subject"]:
                continue
            given = line["subject"], line["data"].encode(), line["headers"], verify, line["sequence"]
            try:
                heard.append((stream, envelope.unseal(subjects, *given)))
            except MalformedError as error:
                faults.setdefault(stream, []).append(str(error))
    return heard, faults


def folded(folder):
    """What this release believes after it heard all of it: law and records, as plain JSON."""
    heard, _ = opened(folder)
    root = next(one.signer for stream, one in heard if stream == "LAW")
    fleet = Fleet(Law(fleet="wire", root=root), verify)
    for _, one in heard:
        fleet.hear(one)
    law = fleet.law
    said = {
        "law": {name: getattr(law, name) for name in ("roster", "members", "invitations", "policy", "baseline")},
        "used": sorted(law.used_codes()),
        "machines": law.machines(),
        "decisions": list(fleet.decisions()),
        "proposals": fleet.proposals(),
        "cycles": fleet.cycles(),
        "requests": fleet.requests(),
        "alarms": [one.message for one in fleet.alarms],
        "status": {name: fleet.status(name) for name in law.machines()},
        "asked_to_join": sorted(f"{code}/{machine}" for code, machine in fleet.enrolments),
        "entities": {name: _entities(folder, fleet.packages()[name]) for name in sorted(fleet.packages())},
        "refused": dict(fleet.refusals()),
    }
    return json.loads(msgspec.json.encode(said, order="deterministic"))


def _entities(folder, report: PackageReport):
    """What is in the package that this report announces, each byte checked: how many things, of which kinds."""
    contents = {line["subject"].split(".")[3]: base64.b64decode(line["bytes"]) for line in lines(folder, "CONTENTS")}
    found = {}
    for file in package.read_manifest(contents[report.manifest], report.agent).files:
        found |= package.read_contents(file, contents[file.hash]).entities
    return {key: entity.kind.value for key, entity in sorted(found.items())}


# -- recording


def live(fleet, homes):
    """The life of the fleet; returns its founder."""
    a, b, c = (homes.lay(fleet.site(name)) for name in ("pc-a", "pc-b", "pc-c"))
    b.settings("[apply]\ncheck = " + json.dumps(["sh", "-c", f"! grep -q haiku '{b.path(SETTINGS)}'"]) + "\n")
    port = str(homes.free_port())
    a.roosync("init", "--no-passphrase", "--fleet", "wire", "--operator", "ana", "--port", port)
    a.up()
    for site in (b, c):
        fleet.join(a, site)
    fleet.invite(a, "--machine", "pc-d")  # and nobody comes
    a.roosync("baseline", "propose", codes=(0, 2, 3))
    fleet.agree(a)
    _decisions(fleet, homes, a, b)
    _cycles(homes, a, c)
    b.json("request", "pc-c", "--action", "verify", "--type", "verification", "--wait", "20")
    b.json("request", "operators", "--type", "approval", "--action", "may I?")
    asked = a.json("request", "operators", "--type", "approval", "--action", "and I?")
    a.roosync("request", "refuse", asked["id"], "--note", "no")
    a.roosync("revoke", "pc-c", "--yes", codes=None)
    homes.until("pc-c is out", lambda: len(a.states()) == 2)
    return a


def _settings(site, model):
    site.write(SETTINGS, json.dumps({"model": model, "cleanupPeriodDays": 30, "theme": "dark"}, indent=2) + "\n")


def _decisions(fleet, homes, a, b):
    model, fetch, github = "claude.settings/model", "roo.mcp/fetch", "roo.mcp/github"
    a.roosync("policy", "set", "medium=automatic", "--yes")
    a.roosync("policy", "set", "medium=one", "--yes")
    _settings(b, "sonnet")  # restored, taken back, restored again
    asked = a.decision("pending", machine="pc-b", entity=model)["id"]
    a.roosync("decision", "approve", asked, "--yes")
    a.decision("applied", machine="pc-b", entity=model)
    a.roosync("decision", "rollback", asked)
    a.decision("rolled_back", machine="pc-b", entity=model)
    a.roosync("decision", "approve", asked, "--yes")
    fleet.settle(a)
    a.write(homes.mcp, a.read(homes.mcp).replace(b'"search_issues"', b'"search_issues", "delete_repo"'))
    own = a.decision("pending", machine="pc-a", entity=github)["id"]
    a.roosync("decision", "approve", own, "--action", "override_remote", "--yes")
    asked = a.decision("pending", machine="pc-b", entity=github)["id"]
    a.roosync("decision", "reject", asked, "--reason", "not here")
    b.write(".roo/rules/00-base.md", b.read(".roo/rules/00-base.md") + b"- pc-b is slow.\n")
    asked = a.decision("pending", machine="pc-b", entity="roo.rules/rules/00-base.md")["id"]
    a.roosync("decision", "approve", asked, "--action", "keep_special", "--yes")
    fleet.settle(a)
    old = b.read(homes.mcp)
    a.write(homes.mcp, a.read(homes.mcp).replace(b'"uvx"', b'"pipx"'))
    own = a.decision("pending", machine="pc-a", entity=fetch)["id"]
    a.roosync("decision", "approve", own, "--action", "override_remote", "--yes")
    asked = a.decision("pending", machine="pc-b", entity=fetch)["id"]
    a.roosync("decision", "approve", asked, "--yes")
    a.decision("applied", machine="pc-b", entity=fetch)
    time.sleep(1.5)  # between the verifications after 0 and 2 s
    b.write(homes.mcp, old)
    a.decision("overwritten", machine="pc-b", entity=fetch)
    a.roosync("decision", "approve", asked, "--yes")
    fleet.settle(a)
    a.roosync("pause", "--fleet")
    b.roosync("pause")
    a.roosync("resume", "--fleet")
    a.roosync("resume", "pc-b")


def _cycles(homes, a, c):
    model = "claude.settings/model"
    _settings(a, "haiku")  # pc-b's own check says no to that
    own = a.decision("pending", machine="pc-a", entity=model)["id"]
    a.roosync("decision", "approve", own, "--action", "override_remote", "--yes")
    failing = a.decision("pending", machine="pc-b", entity=model)["id"]
    a.roosync("cycle", "start", "--timeout", "2")
    at = homes.cycle_at(a)
    at("running", "resolution")
    a.roosync("decision", "approve", failing, "--yes", codes=None)
    at("waiting", "diffs")
    a.roosync("decision", "reject", failing)
    for decision in a.decisions(status="pending"):
        a.roosync("decision", "approve", decision["id"], "--yes")
    at("done")
    a.roosync("cycle", "start", "--route", "deployment", "--version", f"v{__version__}", "--timeout", "5")
    at("done")
    c.stop()
    a.roosync("cycle", "start", "--timeout", "2")
    at("running", "init")
    a.roosync("cycle", "abort", codes=(0, 2, 3, 5))
    at("aborted")
    a.roosync("cycle", "start", "--timeout", "0.02")
    at("waiting", "init")
    a.roosync("cycle", "excuse", "pc-c", "--reason", "it is off")
    at("done")
    c.up("agent")
    a.until_synced()


async def dump(site, folder):
    from roosync_agent.connect import as_operator
    from roosync_agent.settings import Settings
    from roosync_agent.state import State

    settings = Settings(state=site.state, home=site.home, machine=site.name, config=site.state / "config.toml")
    session = await as_operator(settings, State(site.state), lambda _: "")
    folder.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        with (folder / f"{stream.lower()}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            async for stored in session.link.read(session.subjects.stream(stream), "post.wire.>"):
                line = {"sequence": stored.sequence, "subject": stored.subject}
                if stream == "CONTENTS":
                    line["bytes"] = base64.b64encode(stored.data).decode()
                else:
                    line |= {"headers": stored.headers, "data": stored.data.decode()}
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    await session.close()


def sites():
    """The machines of the end-to-end tests, and what this script needs of them."""
    path = Path(__file__).parents[1] / "e2e" / "conftest.py"
    spec = importlib.util.spec_from_file_location("sites", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def cycle_at(site):
        def at(status, checkpoint=None):
            def there():
                seen = site.ask("cycle_show", id_=None)
                return seen["status"] == status and checkpoint in (None, seen["checkpoint"])

            module.until(f"the cycle is {status} at {checkpoint}", there, 90)

        return at

    module.cycle_at, module.mcp = cycle_at, module.MCP
    return module


def main(folder):
    homes = sites()
    with tempfile.TemporaryDirectory(prefix="wire-") as place:
        fleet = homes.Fleet(Path(place))
        try:
            asyncio.run(dump(live(fleet, homes), folder))
        finally:
            fleet.close()
    expected = json.dumps(folded(folder), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "expected.json").write_text(expected + "\n", "utf-8")
    print(f"release {__version__}: {sum(len(lines(folder, stream)) for stream in STREAMS)} messages in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
