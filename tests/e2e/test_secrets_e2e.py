"""Two hundred planted secrets through the whole flow, and none of them anywhere but in the homes and their backups.

They stand where people put them: environment, headers, arguments, addresses, connection strings, JSON in a string.
Looked through are every message of every stream, every file of the state folders and everything that was printed.
They are made up when the test runs, so that no scanner takes this file for a leak.
"""

import base64
import json
import string
from random import Random
from urllib.parse import quote

import pytest

from roosync_broker import topology
from roosync_broker.jetstream import connect
from roosync_broker.keys import KeyPair, load

CHANCE = Random(20260117)
LETTERS = string.ascii_letters + string.digits


def drawn(length, alphabet=LETTERS):
    return "".join(CHANCE.choice(alphabet) for _ in range(length))


STYLES = {  # how secrets look: with a vendor's mark, random, and as people think them up
    "marked": lambda: "ghp_" + drawn(36),
    "hex": lambda: drawn(32, "0123456789abcdef"),
    "letters": lambda: drawn(24),
    "uuid": lambda: "-".join(drawn(length, "0123456789abcdef") for length in (8, 4, 4, 4, 12)),
    "thought up": lambda: f"{drawn(1, 'SBKM')}ommer-{drawn(4, string.digits)}-{drawn(6, string.ascii_lowercase)}",
}


def server(**fields):
    return {"command": "npx", "args": ["-y", "some-server"]} | fields


def remote(**fields):
    return {"type": "http", "url": "https://a.example/mcp"} | fields


PLACES = {
    "env": lambda v: server(env={"SOME_API_TOKEN": v}),
    "env, of no telling name": lambda v: server(env={"FOO": v}),
    "env, JSON in a string": lambda v: server(env={"HEADERS": json.dumps({"Authorization": f"Bearer {v}", "a": 1})}),
    "env, connection string": lambda v: server(env={"DB": f"Server=db.example;User Id=sa;Password={v};Encrypt=true"}),
    "env, URL": lambda v: server(env={"DATABASE_URL": f"postgresql://ana:{v}@db.example:5432/main"}),
    "headers, Authorization": lambda v: remote(headers={"Authorization": f"Bearer {v}"}),
    "headers, of our own": lambda v: remote(headers={"X-Something": v}),
    "args, --token=": lambda v: server(args=["-y", "some-server", f"--token={v}", "--port=80"]),
    "args, --api-key": lambda v: server(args=["-y", "some-server", "--api-key", v, "--verbose"]),
    "args, -H": lambda v: server(args=["mcp-remote", "https://a.example/mcp", "-H", f"Authorization: Bearer {v}"]),
    "args, --header": lambda v: server(args=["mcp-remote", "https://a.example/mcp", "--header", f"X-API-Key:{v}"]),
    "args, -e of docker": lambda v: server(command="docker", args=["run", "-i", "-e", f"DB_PASSWORD={v}", "image"]),
    "args, user:pass@": lambda v: server(args=["some-server", f"postgres://ana:{v}@db.example/main"]),
    "args, ?token=": lambda v: server(args=["mcp-remote", f"https://a.example/mcp?token={v}&a=1"]),
    "args, connection string": lambda v: server(args=["some-server", f"Host=db.example;Username=ana;Pwd={v}"]),
    "args, JSON in a string": lambda v: server(args=["some-server", "--config", json.dumps({"apiKey": v, "a": 1})]),
    "args, a shell's line": lambda v: server(command="sh", args=["-c", f"curl -H 'Authorization: Bearer {v}' a.b"]),
    "url, user:pass@": lambda v: remote(url=f"https://ana:{v}@a.example/mcp"),
    "url, ?token=": lambda v: remote(url=f"https://a.example/mcp?a=1&token={v}"),
    "url, ?api_key=": lambda v: remote(url=f"https://a.example/sse?api_key={v}#top"),
}  # fmt: skip
PUBLIC = {"AUTHOR": "Ana Lytics", "KEYBOARD_LAYOUT": "fr-oss", "TOKENIZERS_PARALLELISM": "false"}
PLAIN = {"command": "uvx", "args": ["plain"], "env": PUBLIC, "maxTokens": 4096, "timeout": 60}


def plant():
    """The servers of one machine, and its hundred secrets."""
    servers, values = {}, {}
    for number, place in enumerate(PLACES):
        for style, make in STYLES.items():
            name = f"s{number:02d}-{style.replace(' ', '-')}"
            value = values[place, style] = make()
            servers[name] = PLACES[place](value)
    return servers, values


CANARY = "Ana Lytics"  # no secret: where this is not found, nothing was looked at


class Planted:
    """All that must not be found, in the spellings in which it might have travelled."""

    def __init__(self):
        self.values = {}  # secret -> where it was planted

    def add(self, value, where):
        self.values[value] = where
        return value

    def found_in(self, data):
        text = data.encode() if isinstance(data, str) else data
        assert CANARY.encode() in text
        return sorted(f"{where}: {value[:6]}..." for value, where in self.values.items() if _spelled(value, text))


def _spelled(value, text):
    plain = value.encode()
    # each of the three alignments of base64 ("user:password" of a Basic header), without what the neighbours decide
    coded = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    return any(spelling in text for spelling in {plain, quote(value, safe="").encode(), *coded})


@pytest.fixture(scope="module")
def story(fleets, homes, waiting):
    """The whole flow on two machines; what it left is looked through by the tests."""
    made = fleets()
    made.planted = planted = Planted()
    alpha, beta = made.site("alpha"), made.site("beta")
    for site in (alpha, beta):
        servers, values = plant()
        for (place, style), value in values.items():
            planted.add(value, f"{site.name}, {place}, {style}")
        _lay(site, servers, planted, homes)
    made.counted = len([where for where in planted.values.values() if where.count(",") >= 2])
    made.found(alpha)
    watching = alpha.begin("tail", "--json")
    made.join(alpha, beta)
    _agree(made, alpha, beta, waiting)
    _change(made, alpha, beta, homes, waiting)
    _go_wrong(made, alpha, beta, homes, waiting)
    _look(alpha, beta)
    watching.terminate()
    watching.wait()
    return made


def _lay(site, servers, planted, homes):
    """Half of the servers in Roo Code, half in Claude Code; and further secrets in texts, modes and settings."""
    names = list(servers)
    roo, claude = names[::2], [*names[1::2], "odd"]

    def further(where):
        return planted.add(STYLES["marked"](), f"{site.name}: {where}")

    servers["odd"] = server(env={further("name of a variable"): "1"})
    mcp = {"mcpServers": {"plain": PLAIN, **{name: servers[name] for name in roo}}}
    mcp["mcpServers"][further("name of a server")] = server()
    site.write(homes.mcp, json.dumps(mcp, indent=2))
    site.write(".claude.json", json.dumps({"userID": "x", "mcpServers": {name: servers[name] for name in claude}}))

    settings = {
        "model": "opus",
        "env": {"MY_TOKEN": further("settings")},
        "apiKeyHelper": f"echo {further('helper')}",
        "cleanupPeriodDays": 30,
    }
    site.write(".claude/settings.json", json.dumps(settings, indent=2))
    site.write(
        homes.modes,
        "customModes:\n  - slug: review\n    name: Review\n    roleDefinition: You review.\n    groups: [read]\n"
        f"    customInstructions: The key is {further('mode')} for now.\n"
        f"  - slug: {further('slug of a mode')}\n    name: Odd\n    roleDefinition: You are odd.\n    groups: [read]\n",
    )
    site.write(".roo/rules/00-base.md", "# Rules\n\nBe kind.\n")
    site.write(".roo/rules/10-oops.md", f"# Access\n\nUse {further('rule')} here.\n")
    site.write(f".roo/rules/{further('name of a file')}.md", "# Named badly\n")
    site.write(".claude/CLAUDE.md", "# Memory\n\nAnswer in French.\n")


def _agree(made, alpha, beta, waiting):
    """Collected, published, compared with each other, and agreed."""
    for site in (alpha, beta):
        for words in (["collect", "--dry-run"], ["collect"], ["publish"], ["inventory"]):
            site.roosync(*words, codes=(0, 4))
            site.json(*words)
    alpha.roosync("compare", "--other", "beta", codes=None)
    alpha.roosync("apply", "--source", "beta", "--dry-run", codes=None)
    alpha.roosync("baseline", "propose", codes=None)
    waiting(
        "a proposal of both", lambda: alpha.status()["proposal"] and _proposed(alpha)["machines"] == ["alpha", "beta"]
    )
    alpha.roosync("baseline", "show", codes=None)
    asked = [question["key"] for question in _proposed(alpha)["arbitrations"]]
    assert not [key for key in asked if ".mcp/" in key]  # servers that differ in their secrets are the same servers
    made.publish(alpha)
    made.settle(alpha)
    alpha.roosync("baseline", "show")
    alpha.json("baseline", "show")


def _proposed(site):
    return site.ask("baseline_show")


def _change(made, alpha, beta, homes, waiting):
    """Servers that have secrets are changed on both machines, in what is public and in what is secret."""
    planted = made.planted
    agreed = beta.read(homes.mcp)
    servers = json.loads(agreed)
    for at, name in enumerate(list(servers["mcpServers"])[1:30:3]):
        one = servers["mcpServers"][name]
        one["timeout"] = 10 + at
        one.setdefault("env", {})["NEW_SECRET"] = planted.add(drawn(20), f"beta: added to {name}")
    servers["mcpServers"]["plain"]["maxTokens"] = 1024
    servers["mcpServers"]["only-here"] = server(env={"THE_TOKEN": planted.add(drawn(30), "beta: a new server")})
    beta.write(homes.mcp, json.dumps(servers, indent=2))
    waiting("decisions about all of them", lambda: len(beta.decisions(status="pending")) >= 11)
    asked = beta.decisions(status="pending")
    for site in (alpha, beta):
        for words in (["diffs"], ["compare"], ["decisions"], ["status"]):
            site.roosync(*words, codes=None)
            site.json(*words)
    for one in asked:
        card = alpha.roosync("decision", "show", one["id"]).out
        assert "NEW_SECRET" in card or one["entity"] in ("roo.mcp/plain", "roo.mcp/only-here")
        alpha.json("decision", "show", one["id"])
    beta.roosync("apply", "--dry-run", codes=None)
    by_name = {one["entity"].split("/")[1]: one for one in asked}
    if new := by_name.pop("only-here", None):
        alpha.roosync("decision", "approve", new["id"], "--action", "override_remote", "--yes")
    _, first, second, *others = by_name.values()
    alpha.roosync("decision", "reject", first["id"], "--reason", "stays")
    alpha.roosync("decision", "approve", second["id"], "--yes", "--json")
    waiting("it is applied", lambda: [d for d in alpha.decisions(status="applied") if d["id"] == second["id"]])
    alpha.roosync("decision", "rollback", second["id"], codes=None)
    alpha.roosync("approve", "--all", "--risk", "critical", "--yes")
    waiting("the others are applied", lambda: len(alpha.decisions(machine="beta", status="applied")) >= len(others))
    # alpha renews a secret in place: no divergence, and the new one stays there too
    old = json.loads(alpha.read(homes.mcp))["mcpServers"]["s00-marked"]["env"]["SOME_API_TOKEN"]
    renewed = planted.add(STYLES["marked"](), "alpha: renewed").encode()
    alpha.write(homes.mcp, alpha.read(homes.mcp).replace(old.encode(), renewed))
    alpha.json("publish")


def _go_wrong(made, alpha, beta, homes, waiting):
    """Errors quote what they are about: files that can not be read, servers that can not be applied."""
    good = alpha.read(homes.mcp)
    alpha.write(homes.mcp, good[: len(good) // 2])
    waiting("it is not believed", lambda: alpha.row()["state"] == "quarantined")
    for words in (["compare"], ["collect", "--dry-run"], ["quarantine", "show"], ["status"], ["publish"]):
        alpha.roosync(*words, codes=None)
    alpha.write(homes.mcp, good.replace(b'"env": {', b'"env": {,', 1))
    alpha.roosync("collect", "--dry-run", codes=None)
    secret = made.planted.add(STYLES["thought up"](), "alpha: in a broken line")
    alpha.write(".claude/settings.json", f'{{"env": {{"MY_TOKEN": "{secret}" oops}}}}')
    alpha.write(homes.modes, f"customModes:\n  - slug: [{secret}\n    customInstructions: 'token: {secret}")
    alpha.roosync("collect", "--dry-run", codes=None)
    alpha.roosync("publish", codes=None)
    alpha.write(homes.mcp, good)
    waiting("it is believed again", lambda: alpha.row()["state"] != "quarantined" or "roo.mcp" not in _held(alpha))


def _held(site):
    return site.json("quarantine", "show")


def _look(alpha, beta):
    """Everything else that tells something."""
    for site in (alpha, beta):
        for words in (["status"], ["machines"], ["diffs"], ["decisions", "--all"], ["inventory"], ["snapshots"]):
            site.roosync(*words, codes=None)
            site.json(*words)
        for one in site.decisions():
            site.ask("decision_show", id_=one["id"])
        for other in ("alpha", "beta"):
            site.said.append(json.dumps(site.ask("inventory", name=other)))
        site.roosync("export", str(site.base / "exported"))
        site.roosync("export")
    alpha.roosync("baseline", "export", str(alpha.base / "exported" / "baseline.json"))
    alpha.roosync("baseline", "versions")
    for one in alpha.decisions():
        alpha.said.append(json.dumps(alpha.ask("decision_show", id_=one["id"])))


async def messages(site):
    """(subject, all bytes) of every message that the broker stores, by the one credential that may read all."""
    identity = json.loads((site.state / "identity.json").read_text())
    keys = KeyPair.from_seed(load(site.state / "broker" / "keeper.seed"))
    port = json.loads((site.state / "broker" / "listen.json").read_text())["port"]
    link = await connect(f"nats://127.0.0.1:{port}", keys, name="keeper", certificate=identity["certificate"])
    found = []
    try:
        for stream in topology.configurations(identity["fleet"]):
            async for stored in link.read(stream, ">"):
                head = json.dumps(stored.headers, ensure_ascii=False).encode()
                found.append((stream, stored.subject.encode() + b"\n" + head + b"\n" + stored.data))
    finally:
        await link.close()
    return found


# -- what was found


def test_two_hundred_were_planted_and_are_where_they_belong(story):
    assert story.counted == 200
    files = [path for site in story.sites.values() for path in site.home.rglob("*") if path.is_file()]
    homes = b"".join(path.read_bytes() + path.name.encode() for path in files)
    assert len(story.planted.found_in(homes)) >= 200, "no apply took secrets away"


async def test_none_is_on_the_bus(story):
    found = await messages(story.sites["alpha"])
    streams = {stream for stream, _ in found}
    assert {"e2e-LAW", "e2e-WORK", "e2e-REPORTS", "e2e-CONTENTS", "e2e-AUDIT"} <= streams
    everything = b"\n".join(data for _, data in found)
    assert len(found) > 100
    assert len(everything) > 200_000
    assert everything.count(b'"$secret"') > 100
    assert b"s00-marked/env/SOME_API_TOKEN" in everything
    assert story.planted.found_in(everything) == []


COPIES = {"snapshots", "last_good"}  # of the person's own files, for putting them back: private, and never sent


def test_none_is_in_the_state_folders_or_exports(story):
    hits = {}
    for site in story.sites.values():
        files = [p for p in site.base.rglob("*") if p.is_file() and site.home not in p.parents]
        kept = [p for p in files if COPIES.isdisjoint(p.relative_to(site.base).parts)]
        copies = [p for p in files if p not in kept]
        assert copies
        assert {p.stat().st_mode & 0o077 for p in copies} == {0}, "nobody else may read them"
        assert {"law.json", "base.json", "manifest.json", "sync-dashboard.json", "log"} <= {p.name for p in kept}
        for path in kept:
            found = story.planted.found_in(f"{path} {CANARY} ".encode() + path.read_bytes())
            if found:
                hits[str(path.relative_to(site.base))] = found[:5]
    assert hits == {}


def test_none_was_printed(story):
    for site in story.sites.values():
        assert len(site.said) > 40
        assert story.planted.found_in(CANARY.encode() + site.log.read_bytes()) == []
    assert story.planted.found_in("\n".join(line for site in story.sites.values() for line in site.said)) == []


async def test_what_only_looks_like_a_secret_is_published_as_it_is(story):
    found = await messages(story.sites["alpha"])
    contents = b"\n".join(data for stream, data in found if stream == "e2e-CONTENTS")
    for name, value in PUBLIC.items():
        assert f'"{name}":"{value}"'.encode() in contents
    assert b'"maxTokens":4096' in contents
