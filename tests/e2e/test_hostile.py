"""Bad input of every kind, given to running agents: each is named with its reason, nothing is lost, the agent goes on.

One fleet of two serves the module; beta is where the bad files are, and whose real key posts bad messages.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading

import nats
import pytest
from msgspec.structs import replace

from roosync_broker.keys import KeyPair
from roosync_protocol import envelope
from roosync_protocol.digest import digest_bytes
from roosync_protocol.messages import Decision, PackageReport, StatusReport, decode
from roosync_protocol.subjects import Subjects

SUBJECTS = Subjects("e2e")
MOUNTS = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount")
needs_mounts = pytest.mark.skipif(not MOUNTS, reason="only root can mount a small file system (Linux)")

LINES = itertools.count(1)


@pytest.fixture(scope="module")
def fleet(fleets, homes):
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    for site in (alpha, beta):
        homes.lay(site, crlf=site is beta)
        site.write(".roo/rules/20-more.md", "more\n")
        for number in range(10):
            site.write(f".roo/rules/3{number}-filler.md", f"rule {number}\n")
    made.in_step(alpha, beta)
    return made


@pytest.fixture
def two(fleet):
    """alpha and beta, in step before the test and after it."""
    alpha, beta = fleet.sites["alpha"], fleet.sites["beta"]
    alpha.until_synced()
    yield alpha, beta
    alpha.until_synced()
    assert "unexpected way" not in alpha.told() + beta.told()


@pytest.fixture
def beta_goes_on(two, homes, waiting):
    """To be called while something is wrong: beta still sees, is answered, and applies."""
    alpha, beta = two

    def proof():
        agreed = beta.read(homes.memory)
        # never the same twice: an old value that comes back within seconds is an assistant's memory, "overwritten"
        beta.write(homes.memory, agreed + b"line %d\r\n" % next(LINES))
        asked = alpha.decision("pending", machine="beta", entity="claude.memory/CLAUDE.md")
        alpha.roosync("decision", "approve", asked["id"], "--yes")
        waiting("it is restored", lambda: beta.read(homes.memory) == agreed)

    return proof


# -- files

DEEP = b'{"mcpServers": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"

# what becomes of a file of servers -> a word of the reason
BAD_SERVERS = {
    "invalid": (lambda path: path.write_bytes(b'{"mcpServers": {"github": '), ""),
    "empty": (lambda path: path.write_bytes(b""), ""),
    "huge": (lambda path: path.write_bytes(b'{"mcpServers": {}, "x": "' + b"x" * (17 << 20) + b'"}'), "limit"),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 20), ""),
    "deep": (lambda path: path.write_bytes(DEEP), ""),
    "a list": (lambda path: path.write_bytes(b"[1, 2, 3]" + b" " * 900), "object"),
    "one name twice": (
        lambda path: path.write_bytes(path.read_bytes().replace(b'"files":', b'"github":')),
        "github",
    ),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "folder"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
    "a link to itself": (lambda path: (path.unlink(), path.symlink_to(path.name)), "loop"),
    "a link to nothing": (lambda path: (path.unlink(), path.symlink_to("nowhere")), "link to nothing"),
}


@pytest.mark.parametrize(("spoil", "reason"), BAD_SERVERS.values(), ids=BAD_SERVERS)
def test_a_bad_file_is_skipped_with_its_reason(two, homes, waiting, beta_goes_on, spoil, reason):
    alpha, beta = two
    path = beta.path(homes.mcp)
    good, others = path.read_bytes(), alpha.read(homes.mcp)
    spoil(path)
    try:
        waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
        told = json.dumps(beta.json("collect", "--dry-run"), ensure_ascii=False)
        assert reason in told
        assert "roo.mcp" in json.dumps(alpha.row("beta")["notes"])
        assert not alpha.decisions(status="pending"), "nothing is read into it"
        assert alpha.read(homes.mcp) == others
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(good)


def test_two_byte_order_marks_are_read_over_and_kept(two, homes, waiting):
    alpha, beta = two
    good = beta.read(homes.mcp)
    beta.write(homes.mcp, b"\xef\xbb\xbf" * 2 + good)
    assert beta.json("compare", codes=(0,))["status"] == "Synced"
    beta.write(homes.mcp, b"\xef\xbb\xbf" * 2 + good.replace(b'"timeout": 60', b'"timeout": 5'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("it is restored", lambda: beta.read(homes.mcp) == b"\xef\xbb\xbf" * 2 + good)
    beta.write(homes.mcp, good)


def test_an_agent_works_on_beside_a_bad_file(two, homes, waiting, beta_goes_on):
    alpha, beta = two
    good = beta.read(homes.mcp)
    beta.write(homes.mcp, b"{")
    waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
    beta_goes_on()
    beta.write(homes.mcp, good)


BAD_RULES = {
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00\x01" * 9), ""),
    "huge": (lambda path: path.write_bytes(b"x" * (17 << 20)), "limit"),
    "a pipe": (lambda path: (path.unlink(missing_ok=True), os.mkfifo(path)), "not a regular file"),
    "a link to itself": (lambda path: (path.unlink(missing_ok=True), path.symlink_to(path.name)), "loop"),
    "a link to nothing": (lambda path: (path.unlink(missing_ok=True), path.symlink_to("nowhere")), "link to nothing"),
    "a folder that is a link to the one above": (
        lambda path: (path.unlink(missing_ok=True), path.symlink_to("..", target_is_directory=True)),
        None,
    ),
}


@pytest.mark.parametrize("name", ["20-more.md", "99-new.md"], ids=["known", "new"])
@pytest.mark.parametrize(("spoil", "reason"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_text_is_skipped_and_deletes_nothing(two, waiting, spoil, reason, name):
    alpha, beta = two
    path = beta.path(f".roo/rules/{name}")
    good = path.read_bytes() if path.exists() else None
    spoil(path)
    try:
        if reason is not None:
            found = waiting(
                "it is skipped", lambda: [s for s in beta.ask("collect", dry_run=True)["skipped"] if name in s["path"]]
            )
            assert reason in found[0]["reason"]
        compared = beta.json("compare", codes=(0, 2, 3, 4))
        if reason is not None:
            assert compared["divergences"] == []
        assert alpha.path(".roo/rules/20-more.md").read_bytes() == b"more\n"
    finally:
        path.unlink(missing_ok=True)
        if good is not None:
            path.write_bytes(good)


def test_two_modes_of_one_name(two, homes, waiting):
    alpha, beta = two
    good = beta.read(homes.modes)
    beta.write(homes.modes, good.replace(b"slug: docs", b"slug: review"))
    waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
    skipped = beta.json("collect", "--dry-run")["skipped"]
    assert any("two elements" in s["reason"] and "'review'" in s["reason"] for s in skipped)
    beta.write(homes.modes, good)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(two, homes, waiting):
    alpha, beta = two
    beta.path(homes.mcp).chmod(0)
    waiting("beta is quarantined", lambda: alpha.row("beta")["state"] == "quarantined")
    assert "permission denied" in json.dumps(beta.json("collect", "--dry-run")["skipped"])
    beta.path(homes.mcp).chmod(0o600)


def test_files_that_come_and_go_while_they_are_looked_at(two, homes):
    """Names vanish between the listing and the opening; nobody stumbles, and what stays is complete."""
    alpha, beta = two
    stop, good = threading.Event(), beta.read(homes.rule)

    def churn():
        folder = beta.path(".roo/rules")
        while not stop.is_set():
            for number in range(2):
                (folder / f"x{number}.md").write_text("here for a moment\n")
            for number in range(2):
                (folder / f"x{number}.md").unlink()
            beta.path(homes.rule).with_suffix(".new").write_bytes(good)
            beta.path(homes.rule).with_suffix(".new").replace(beta.path(homes.rule))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(6):
            beta.json("collect", "--dry-run")
            beta.json("compare")
    finally:
        stop.set()
        thread.join()
    alpha.until_synced()


# -- messages, posted with a real member's key by a client that keeps to no rule


class Stranger:
    """Plain nats-py with beta's key. Each post is stored by the broker: it is the readers who must not believe it."""

    def __init__(self, site):
        self.keys = KeyPair.from_seed((site.state / "keys" / "machine.nk").read_text().strip())
        self.url = json.loads((site.state / "identity.json").read_text())["url"]

    def post(self, *messages, timeout=5):
        """(subject, body, headers) each; returns what the broker answered: "" when it stored it."""

        async def run():
            answers = []

            async def quiet(error):
                answers.append(str(error))

            bus = await nats.connect(
                self.url,
                nkeys_seed_str=self.keys.seed,
                name="stranger",
                inbox_prefix=b"_INBOX.beta",
                error_cb=quiet,
                allow_reconnect=False,
            )
            for subject, body, headers in messages:
                reply = await bus.request(subject, body, timeout=timeout, headers=headers)
                told = json.loads(reply.data)
                answers.append("duplicate" if told.get("duplicate") else told.get("error", {}).get("description", ""))
            await bus.close()
            return answers

        return asyncio.run(run())

    def sealed(self, message, operation="o-hostile"):
        posting = envelope.seal(SUBJECTS, message, operation, self.keys.public, self.keys.sign)
        return posting.subject, posting.data, posting.headers


STATUS = "post.e2e.status.beta"


def _junk(stranger, last):
    """Name -> message. All of them are on subjects that beta may post on."""
    _, body, headers = stranger.sealed(last)
    other = stranger.sealed(last, "o-other")
    as_alpha = body.replace(b'"agent":"beta"', b'"agent":"alpha"')
    return {
        "no JSON": (STATUS, b"\xff\xfe no json at all", {}),
        "nothing": (STATUS, b"", {}),
        "too deep": (STATUS, b"[" * 100_000 + b"]" * 100_000, {}),
        "too big": (STATUS, b'{"type":"roosync.v1.status","x":"' + b"x" * 1_000_000 + b'"}', {}),
        "unknown type": (STATUS, b'{"type":"roosync.v1.surprise"}', headers | {"Nats-Msg-Id": "o-y1"}),
        "unknown version": (
            STATUS,
            body.replace(b"roosync.v1.status", b"roosync.v9.status"),
            headers | {"Nats-Msg-Id": "o-y2"},
        ),
        "not signed": (STATUS, body, {"Nats-Msg-Id": "o-unsigned"}),
        "signed for other bytes": (STATUS, body.replace(b"synced", b"syncee"), headers),
        "signed for another operation": (STATUS, body, headers | {"Nats-Msg-Id": "o-another"}),
        "signature of nothing": (STATUS, body, headers | {"Roosync-Signature": "!!!!", "Nats-Msg-Id": "o-x1"}),
        "signer of nothing": (STATUS, body, headers | {"Roosync-Signer": "U" * 5000, "Nats-Msg-Id": "o-x2"}),
        "another's message": (STATUS, as_alpha, other[2] | {"Nats-Msg-Id": "o-x3"}),
        "another kind's message": ("post.e2e.inventory.beta", body, headers | {"Nats-Msg-Id": "o-x4"}),
        "headers that are no text": (STATUS, body, {"Nats-Msg-Id": "o-x5", "traceparent": "\udcff"}),
    }


def _stored(site, subject, kind):
    """The last genuine message of a kind, from the agent's own report on the bus (read with its own key)."""
    stranger = Stranger(site)

    async def run():
        bus = await nats.connect(stranger.url, nkeys_seed_str=stranger.keys.seed, inbox_prefix=b"_INBOX.beta")
        got = await bus.request("$JS.API.DIRECT.GET.e2e-" + kind, json.dumps({"last_by_subj": subject}).encode())
        await bus.close()
        return decode(got.data)

    return asyncio.run(run())


def test_hostile_messages_are_refused_counted_and_named(two, waiting, beta_goes_on):
    alpha, beta = two
    stranger = Stranger(beta)
    last = _stored(beta, STATUS, "REPORTS")
    assert isinstance(last, StatusReport)
    before = alpha.status()["refused_total"]
    junk = _junk(stranger, last)
    sent = 0
    for name, message in junk.items():
        try:
            answers = stranger.post(message)
        except (nats.errors.Error, UnicodeEncodeError):
            continue  # our own client would not even send it
        assert answers[-1] == "", (name, answers)
        sent += 1
    assert sent >= len(junk) - 1
    waiting("alpha counted them", lambda: alpha.status()["refused_total"] >= before + sent)
    seen = alpha.status()
    assert len(seen["refused"]) >= 5, "by reason"
    assert seen["machines"][1]["state"] == "synced", "beta's own word stands"
    beta_goes_on()
    for site in (alpha, beta):
        assert site.process.poll() is None


def test_on_anothers_subject_the_broker_itself_refuses(two):
    _, beta = two
    stranger = Stranger(beta)
    with pytest.raises(nats.errors.Error):
        stranger.post(("post.e2e.status.alpha", b"{}", {}), timeout=1)
    with pytest.raises(nats.errors.Error):
        stranger.post(("roosync.e2e.status.beta", b"{}", {}), timeout=1)


def test_a_decision_out_of_turn(two, homes, waiting):
    """beta's key says that everything was applied, approved by nobody."""
    alpha, beta = two
    agreed = beta.read(homes.mcp)
    beta.write(homes.mcp, agreed.replace(b'"search_issues"', b'"search_issues", "delete_repo"'))
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/github")
    subject = f"post.e2e.decision.beta.{asked['id']}.beta"
    real = _stored(beta, subject, "WORK")
    assert isinstance(real, Decision)
    stranger = Stranger(beta)
    for status, revision in (("applied", 2), ("approved", 2), ("applied", 40), ("promoted", 2), ("pending", 1)):
        lie = replace(real, status=status, revision=revision, operation_id=f"o-lie{status}{revision}")
        assert stranger.post(stranger.sealed(lie, lie.operation_id))[-1] == ""
    card = waiting(
        "the lies are named",
        lambda: (c := alpha.json("decision", "show", asked["id"])) and len(c["refused"]) >= 5 and c,
    )
    assert card["status"] == "pending"
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    waiting("it is restored all the same", lambda: beta.read(homes.mcp) == agreed)


BAD_MANIFESTS = {
    "a hash that does not fit": lambda m: m["files"][0].update(hash="0" * 64),
    "a size that does not fit": lambda m: m["files"][0].update(size=m["files"][0]["size"] + 1),
    "a name that leaves its folder": lambda m: m["files"][0].update(path="roo.rules/../../../.bashrc"),
    "another machine's": lambda m: m.update(author="alpha", machine="alpha", agent="alpha"),
    "no manifest at all": lambda m: m.clear(),
}


@pytest.mark.parametrize("spoil", BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_manifest_that_does_not_fit(two, homes, waiting, spoil):
    alpha, beta = two
    report = _stored(beta, "post.e2e.package.beta", "REPORTS")
    assert isinstance(report, PackageReport)
    stranger = Stranger(beta)
    manifest = json.loads(_content(beta, report.manifest))
    spoil(manifest)
    body = json.dumps(manifest).encode()
    sha = digest_bytes(body)
    hostile = replace(report, manifest=sha, version="99.0.0")
    answers = stranger.post(
        (f"post.e2e.content.{sha}.0.beta", body, {"Nats-Msg-Id": f"c-{sha[:16]}", "Roosync-Parts": "1"}),
        stranger.sealed(hostile, f"o-{sha[:12]}"),
    )
    assert answers == ["", ""]
    ran = waiting(
        "alpha reads the hostile one, or beta has put its own in its place",
        lambda: alpha.roosync("compare", "--other", "beta", codes=(0, 1, 2, 3)),
    )
    assert ran.code in (0, 3) or "package" in ran.err or "content" in ran.err or "manifest" in ran.err, ran
    beta.roosync("publish")
    waiting("beta's own word counts", lambda: alpha.roosync("compare", "--other", "beta", codes=None).code in (0, 3))


def _content(site, sha):
    stranger = Stranger(site)

    async def run():
        bus = await nats.connect(stranger.url, nkeys_seed_str=stranger.keys.seed, inbox_prefix=b"_INBOX.beta")
        ask = {"multi_last": [f"post.e2e.content.{sha}.0.*"]}
        inbox = await bus.subscribe("_INBOX.beta.hostile.x")
        await bus.publish("$JS.API.DIRECT.GET.e2e-CONTENTS", json.dumps(ask).encode(), reply="_INBOX.beta.hostile.x")
        got = await inbox.next_msg(timeout=5)
        await bus.close()
        return got.data

    return asyncio.run(run())


# -- disks


class Disk:
    """A small file system of its own, mounted at a folder: it can be filled, emptied, and made read-only."""

    def __init__(self, folder, size):
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)

    def spoil(self, how):
        if how == "read-only":  # by a bind, because files may be open for writing there (a log, a lock)
            subprocess.run(["mount", "--bind", str(self.folder), str(self.folder)], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(self.folder)], check=True)
            return
        with (self.folder / ".filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass

    def mend(self, how):
        if how == "read-only":
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        else:
            (self.folder / ".filler").unlink()

    def unmount(self):
        while self.folder.is_mount():
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture(scope="module")
def disks(fleets, homes):
    """A fleet whose beta has its home and its state on small disks: by the name of the part."""
    made = fleets()
    alpha, beta = made.site("alpha"), made.site("beta")
    found = {"home": Disk(beta.home, "600k"), "state": Disk(beta.state, "3m")}
    try:
        homes.lay(alpha)
        homes.lay(beta, crlf=True)
        made.in_step(alpha, beta)
        yield alpha, beta, found
        made.close()
    finally:
        for disk in found.values():
            disk.unmount()


@needs_mounts
@pytest.mark.parametrize("how", ["full", "read-only"])
@pytest.mark.parametrize("part", ["home", "state"])
def test_a_disk_that_can_not_be_written(disks, homes, waiting, part, how):
    alpha, beta, found = disks
    alpha.until_synced()
    agreed = {site.name: site.read(homes.mcp) for site in (alpha, beta)}
    old = re.search(rb'"timeout": (\d+)', agreed["alpha"])
    new = b'"timeout": %d' % (int(old[1]) + 1)
    found[part].spoil(how)
    alpha.write(homes.mcp, agreed["alpha"].replace(old[0], new))
    own = alpha.decision("pending", machine="alpha", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    words = ("the disk is full", "No space left") if how == "full" else ("read-only", "Read-only")
    waiting("beta says why not", lambda: [line for line in _said_of_beta(alpha) if any(word in line for word in words)])
    assert not [line for line in _said_of_beta(alpha) if str(beta.base) in line], "its folders are nobody else's matter"
    assert beta.read(homes.mcp) == agreed["beta"], "the file is whole, and without a backup nothing is written"
    assert not list(beta.path(homes.mcp).parent.glob("*.roosync-*"))
    assert beta.process.poll() is None
    found[part].mend(how)

    def applied():
        for d in alpha.decisions(machine="beta", entity="roo.mcp/fetch"):
            if d["status"] in ("pending", "rolled_back", "failed"):
                alpha.roosync("decision", "approve", d["id"], "--yes", codes=(0, 1))
        return set(alpha.states()) == {"synced"}

    waiting("a person approves it again where it was tried, and it is applied", applied)
    assert beta.read(homes.mcp) == agreed["beta"].replace(old[0], new)
    assert "unexpected way" not in beta.told()


def _said_of_beta(alpha):
    ids = [d["id"] for d in alpha.decisions(machine="beta", entity="roo.mcp/fetch")]
    logs = [line for id_ in ids for line in alpha.ask("decision_show", id_=id_)["log"]]
    return [*logs, *alpha.row("beta")["notes"]]


@needs_mounts
def test_nothing_begins_on_a_disk_that_can_not_be_written(new_fleet):
    site = new_fleet.site("alpha")
    disk = Disk(site.state, "64k")
    try:
        disk.spoil("read-only")
        site.fails("init", "--no-passphrase", "--port", "0", says=[str(site.state)])
        disk.mend("read-only")
        disk.spoil("full")
        site.fails("init", "--no-passphrase", "--port", "0", says="space")
    finally:
        disk.unmount()
