"""Letters between the real mailrooms of machines and an operator, on a bus in memory: what arrives, what never may."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from roosync_agent.cli.markdown_text import BAR, shown_markdown
from roosync_agent.operations import mail
from roosync_agent.operations.mail.saving import _safe
from roosync_agent.operations.membership import lawmaking
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.mail import BATCH, Desk
from roosync_agent.running.mailbox import Kept, Mailbox
from roosync_agent.session import Session
from roosync_agent.state import State
from roosync_broker import mailboxes, topology
from roosync_broker.errors import FullError, UnavailableError
from roosync_broker.keys import KeyPair, verify
from roosync_broker.mailboxes import ACK_WAIT
from roosync_broker.memory import MemoryBus
from roosync_broker.permissions import member
from roosync_broker.sealing import close_to, open_own
from roosync_broker.spool import Spool
from roosync_broker.tasks import end
from roosync_protocol import envelope
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.mail import Attachment, LetterError, NoRecipientError, packed, written
from roosync_protocol.messages import Mail
from roosync_protocol.subjects import Subjects

HOME = Subjects("home")
NAMES = ("alpha", "beta", "gamma")


@dataclass
class World:
    bus: MemoryBus
    root: Session
    desks: dict[str, Desk]
    keys: dict[str, KeyPair]
    folder: Path
    clock: list[float]
    state: dict[str, State] = field(default_factory=dict)

    def again(self, name):
        """The same recipient after a restart: what is in memory is gone."""
        self.desks[name] = Desk(self.desks[name].mail.session, self.state[name])
        return self.desks[name]

    async def inbox(self, name, **more):
        return (await mail.inbox(self.desks[name], **more)).messages

    def letter(self, sender="alpha", to="beta", **changes):
        given = {"id_": "m-1", "subject": "s", "body": "b", "priority": "LOW", "addressed": to, "timestamp": NOW}
        return written(**({"sender": sender, "to": to} | given | changes))

    async def post(self, letter, *, agent=None, to=None, signer=None, closed_to=None, box=None, contents=(), id_=None):
        """What a hostile member could put on the bus."""
        to = to or letter.to
        box = box if box is not None else close_to(self.keys[closed_to or to].public, packed(letter))
        message = Mail(
            agent=agent or letter.sender, timestamp=NOW, to=to, id=id_ or letter.id, box=box, contents=contents
        )
        pair = self.keys[signer or message.agent]
        posting = envelope.seal(HOME, message, f"o-{letter.id}", pair.public, pair.sign)
        headers = posting.headers | {envelope.ID: f"{posting.headers[envelope.ID]}"}
        return await self.bus.link("hostile").post(posting.subject, posting.data, headers)


NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path):
    clock = [NOW.timestamp()]
    bus = MemoryBus(clock=lambda: clock[0])
    keeper = bus.link("keeper")
    await topology.ensure(keeper, "home")
    keys = {name: KeyPair.generate() for name in (*NAMES, "op-ana", "stranger")}
    law = Law(fleet="home", root=keys["op-ana"].public)

    def session(name, folder):
        rights = member("home", name, keys[name].public) if name != "op-ana" else None
        made = Session(bus.link(name, rights), HOME, keys[name], name, Fleet(law, verify), Spool(folder / "spool"))
        made.now = lambda: datetime.fromtimestamp(clock[0], UTC)
        return made

    root = session("op-ana", tmp_path / "op-ana")
    await lawmaking.found(root, "alpha", keys["alpha"].public, None)
    for name in ("beta", "gamma"):
        await lawmaking.admit(root, name, keys[name].public)
    await mailboxes.ensure(keeper, "home", [*NAMES, "op-ana"])
    world = World(bus, root, {}, keys, tmp_path, clock)
    for name in (*NAMES, "op-ana"):
        world.state[name] = State(tmp_path / name)
        one = root if name == "op-ana" else session(name, tmp_path / name)
        await one.refresh_law()
        world.desks[name] = Desk(one, world.state[name])
    return world


async def test_a_letter_goes_there_and_back_in_one_thread(world):
    alpha, beta = world.desks["alpha"], world.desks["beta"]
    sent = await mail.send(alpha, ["beta"], "Build", "It **works**.", "HIGH", ["ci"])
    assert (sent.recipients, sent.stored, sent.failed) == ({"beta": "stored"}, 1, 0)
    (row,) = await world.inbox("beta")
    assert (row.id, row.sender, row.subject, row.priority, row.status) == (sent.id, "alpha", "Build", "HIGH", "unread")
    assert (row.tags, row.preview, row.body) == (["ci"], "It **works**.", "")
    whole = await mail.read(beta, row.id[:6])
    assert (whole.body, whole.status) == ("It **works**.", "read")
    reply = await mail.reply(beta, sent.id, "Good.")
    (back,) = await world.inbox("alpha")
    assert (back.subject, back.thread_id, back.reply_to) == ("Re: Build", sent.id, sent.id)
    assert reply.priority == "HIGH"
    assert [m.id for m in await world.inbox("beta", box="sent")] == [reply.id]


async def test_everybody_gets_their_own_and_nobody_elses(world):
    await mail.send(world.desks["alpha"], ["all"], "To all", "x")
    await mail.send(world.desks["alpha"], ["gamma"], "To gamma", "private words")
    assert [m.subject for m in await world.inbox("beta")] == ["To all"]
    assert sorted(m.subject for m in await world.inbox("gamma")) == ["To all", "To gamma"]
    assert [m.subject for m in await world.inbox("op-ana")] == ["To all"]
    assert await world.inbox("alpha") == []
    everything = b"".join(m.data for s in world.bus.streams.values() for m in s.messages.values())
    assert b"private words" not in everything, "whoever holds the broker reads no letter"
    assert b"To gamma" not in everything


async def test_read_and_archived_are_the_recipients_own_and_outlive_it(world):
    for number in range(3):
        await mail.send(world.desks["alpha"], ["beta", "gamma"], f"letter {number}", "x", id_=f"m-{number}")
    await mail.read(world.desks["beta"], "m-1")
    await mail.mark(world.desks["beta"], ["m-2"])
    world.again("beta")
    assert {m.id: m.status for m in await world.inbox("beta", box="all")} == {
        "m-0": "unread",
        "m-1": "read",
        "m-2": "archived",
    }
    assert {m.status for m in await world.inbox("gamma", box="all")} == {"unread"}
    await mail.mark(world.desks["beta"], ["m-2", "m-1"], "unread")
    assert len(await world.inbox("beta", box="unread")) == 3
    with pytest.raises(RefusedRequestError, match="no letter"):
        await mail.mark(world.desks["beta"], ["m-0", "m-9"])
    assert (await mail.inbox(world.desks["beta"])).unread == 3, "all of them, or none"


async def test_urgent_unread_ones_stand_first(world):
    for priority in ("LOW", "URGENT", "MEDIUM", "HIGH"):
        world.clock[0] += 1
        await mail.send(world.desks["alpha"], ["beta"], priority, "x", priority)
    assert [m.subject for m in await world.inbox("beta")] == ["URGENT", "HIGH", "MEDIUM", "LOW"]
    await mail.read(world.desks["beta"], (await world.inbox("beta"))[0].id)
    assert [m.subject for m in await world.inbox("beta")] == ["HIGH", "MEDIUM", "LOW", "URGENT"]
    assert [m.subject for m in await world.inbox("beta", priority="low")] == ["LOW"]


async def test_a_recipient_that_was_off_finds_everything_once(world):
    for number in range(150):
        await mail.send(world.desks["alpha"], ["beta"], f"letter {number}", "x")
    world.desks["beta"].mail.box.folder.mkdir(parents=True)
    assert await world.desks["beta"].mail.collect() == 150
    assert await world.again("beta").mail.collect() == 0
    assert len(await world.inbox("beta")) == 150


async def test_a_letter_that_was_not_acknowledged_comes_again_and_is_known(world, monkeypatch):
    await mail.send(world.desks["alpha"], ["beta"], "once", "x")
    link = world.desks["beta"].mail.session.link

    async def lost(_):
        raise UnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(link, "acknowledge", lost)
        assert await world.desks["beta"].mail.collect() == 1
    world.clock[0] += ACK_WAIT + 1
    await mail.mark(world.desks["beta"], [(await world.inbox("beta"))[0].id])
    world.clock[0] += ACK_WAIT + 1
    assert await world.again("beta").mail.collect() == 0
    assert [m.status for m in await world.inbox("beta", box="all")] == ["archived"]


async def test_a_letter_that_a_power_cut_left_empty_is_written_again(world, monkeypatch):
    await mail.send(world.desks["alpha"], ["beta"], "once", "x")
    room = world.desks["beta"].mail
    with monkeypatch.context() as patch:
        patch.setattr(Mailbox, "settle", lambda *_: (_ for _ in ()).throw(OSError("power")))
        await room.collect()
    (file,) = (room.box.folder / "unread").iterdir()
    file.write_bytes(b"")
    world.clock[0] += ACK_WAIT + 1
    assert await world.again("beta").mail.collect() == 1
    assert [m.subject for m in await world.inbox("beta")] == ["once"]
    assert [m.status for m in await mail.mark(world.desks["beta"], ["m-"])] == ["archived"]


async def test_more_than_may_be_given_out_at_once_is_fetched_in_one_go(world):
    """Whoever comes back after a long time does not wait for the next fact or look."""
    many = mailboxes.UNACKNOWLEDGED + 2 * BATCH + 1
    for number in range(many):
        await world.post(world.letter(id_=f"m-{number}"))
    assert await world.desks["beta"].mail.collect() == many
    assert len(await world.inbox("beta")) == many


async def test_one_intent_is_one_letter_however_often_it_is_sent(world):
    for _ in range(3):
        await mail.send(world.desks["alpha"], ["beta"], "once", "x", id_="m-same")
    world.clock[0] += 200_000  # longer than the broker remembers ids
    await mail.send(world.desks["alpha"], ["beta"], "once", "x", id_="m-same")
    assert len(await world.inbox("beta", box="all")) == 1


async def test_a_letter_waits_on_the_disk_while_the_broker_is_away(world):
    alpha = world.desks["alpha"].mail.session
    alpha.link.drop()
    sent = await mail.send(world.desks["alpha"], ["beta", "gamma"], "later", "x")
    assert (sent.recipients, sent.waiting) == ({"beta": "waiting", "gamma": "waiting"}, 2)
    assert (await world.inbox("alpha", box="sent"))[0].recipients == {"beta": "waiting", "gamma": "waiting"}
    with pytest.raises(UnavailableError, match="nothing was sent"):
        await mail.send(world.desks["alpha"], ["beta"], "file", "x", attachments=[given("a.txt", b"1")])
    alpha.link.restore()
    await alpha.telling.catch_up()
    assert [m.subject for m in await world.inbox("beta")] == ["later"]
    assert [m.subject for m in await world.inbox("gamma")] == ["later"]
    assert (await world.inbox("alpha", box="sent"))[0].recipients == {"beta": "stored", "gamma": "stored"}


async def test_what_fits_nowhere_is_told_to_who_sends_it(world):
    alpha = world.desks["alpha"].mail.session
    alpha.telling._spool = Spool(world.folder / "small", max_intents=1)
    alpha.link.drop()
    sent = await mail.send(world.desks["alpha"], ["beta", "gamma"], "later", "x")
    assert (sent.waiting, sent.failed) == (1, 1)
    assert alpha.telling.not_kept == 0, "who sends it was told, so it is no gap in the history"


async def test_a_broker_that_nobody_keeps_gets_its_mailbox_from_its_owner(world, monkeypatch):
    monkeypatch.setattr(type(world.desks["beta"].mail.session.link), "keyless", True)
    for desk in world.desks.values():
        desk.mail.session.link.rights = None  # such a broker enforces nothing
    world.bus.mail.boxes.clear()
    await mail.send(world.desks["alpha"], ["beta"], "s", "x")
    assert len(await world.inbox("beta")) == 1


async def test_a_long_inbox_is_cut_and_says_so(world):
    for number in range(5):
        await mail.send(world.desks["alpha"], ["beta"], f"letter {number}", "x", id_=f"m-{number}")
    answer = await mail.inbox(world.desks["beta"], limit=2)
    assert (len(answer.messages), answer.found, answer.unread) == (2, 5, 5)
    (world.desks["beta"].mail.box.folder / "read").mkdir()
    (world.desks["beta"].mail.box.folder / "read" / "1.alpha.m-9.json").write_bytes(b"{")
    assert "m-9" in (await mail.inbox(world.desks["beta"])).notes[0]


# -- files


def given(name, data):
    return {"name": name, "data": base64.b64encode(data).decode()}


async def test_files_come_along_closed_and_are_saved_beside_what_is_there(world, tmp_path):
    data = bytes(range(256)) * 3000
    await mail.send(world.desks["alpha"], ["beta", "gamma"], "files", "x", attachments=[given("a.bin", data)])
    parts = [m.data for m in world.bus.streams["home-CONTENTS"].messages.values()]
    assert parts
    assert not any(data[:512] in part for part in parts), "a content may be read by every member"
    (row,) = await world.inbox("beta")
    assert [(one.name, one.size, one.here) for one in row.attachments] == [("a.bin", len(data), True)]
    (tmp_path / "a.bin").write_bytes(b"mine")
    saved = (await mail.read(world.desks["beta"], row.id, save=str(tmp_path))).saved
    assert saved == [str(tmp_path / "a-2.bin")]
    assert (tmp_path / "a-2.bin").read_bytes() == data
    assert (tmp_path / "a.bin").read_bytes() == b"mine"
    for folder in ("relative", str(tmp_path / "none")):
        with pytest.raises(RefusedRequestError, match="no folder"):
            await mail.read(world.desks["beta"], row.id, save=folder)


HOSTILE_NAMES = (
    "../x",
    "/etc/passwd",
    "..",
    "C:x",
    "a\\b",
    "con",
    ".bashrc",
    "a\x1bb",
    "x\u202egpj.exe",
    "a/../b",
    "a ",
)


@pytest.mark.parametrize("number", range(len(HOSTILE_NAMES)))
def test_a_name_that_is_more_than_a_name_becomes_one_of_ours(number):
    assert _safe(HOSTILE_NAMES[number], 0) == "attachment-1"


async def test_a_file_under_a_hostile_name_stays_in_its_folder(world, tmp_path):
    await mail.send(world.desks["alpha"], ["beta"], "files", "x", attachments=[given("a.txt", b"data")])
    room = world.desks["beta"].mail
    await room.collect()
    ((_, kept),) = room.box.listed()
    (file,) = (room.box.folder / "unread").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"a.txt"', b'"../../a"'))
    place = tmp_path / "deep" / "down"
    place.mkdir(parents=True)
    saved = (await mail.read(world.desks["beta"], kept.letter.id, save=str(place))).saved
    assert saved == [str(place / "attachment-1")]


@pytest.mark.parametrize("name", ["../a", "a/b", "", "con", "a\x00b"])
async def test_a_file_that_has_a_place_for_a_name_is_not_sent(world, name):
    with pytest.raises(RefusedRequestError):
        await mail.send(world.desks["alpha"], ["beta"], "s", "x", attachments=[given(name, b"1")])
    assert await world.inbox("beta") == []


async def test_a_file_is_fetched_with_the_letter_that_comes_again(world, monkeypatch):
    await mail.send(world.desks["alpha"], ["beta"], "files", "x", attachments=[given("a.txt", b"data")])
    room = world.desks["beta"].mail

    async def killed(*_):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(room, "fetch_file", killed)
        with pytest.raises(asyncio.CancelledError):
            await room.collect()
    world.clock[0] += ACK_WAIT + 1
    (row,) = await mail.inbox(world.again("beta")) and await world.inbox("beta")
    assert [one.here for one in row.attachments] == [True]


async def test_a_file_that_is_not_there_does_not_keep_its_letter_back(world):
    sent = await mail.send(world.desks["alpha"], ["beta"], "files", "x", attachments=[given("a.txt", b"data")])
    world.bus.streams["home-CONTENTS"].messages.clear()
    world.bus.streams["home-CONTENTS"]._subjects.clear()
    (row,) = await world.inbox("beta")
    assert [one.here for one in row.attachments] == [False]
    with pytest.raises(UnavailableError, match="publish again"):
        await mail.read(world.desks["beta"], sent.id, save=str(world.folder))
    assert (await mail.read(world.desks["beta"], sent.id)).body == "x"


# -- what must not be believed

REFUSED = {
    "signed with another key than its sender's": lambda w: w.post(w.letter(), signer="gamma"),
    "inside another sender": lambda w: w.post(w.letter(), agent="gamma"),
    "inside another id": lambda w: w.post(w.letter(), id_="m-2"),
    "closed to somebody else": lambda w: w.post(w.letter(), closed_to="gamma"),
    "a box of nonsense": lambda w: w.post(w.letter(), box="QUJD"),
    "no letter inside": lambda w: w.post(w.letter(), box=close_to(w.keys["beta"].public, b"{}")),
    "of somebody who is no member": lambda w: w.post(w.letter(sender="stranger")),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_mail_that_is_not_what_it_says_is_refused_named_and_never_comes_again(world, case):
    await REFUSED[case](world)
    await mail.send(world.desks["gamma"], ["beta"], "honest", "x")
    assert [m.subject for m in await world.inbox("beta", box="all")] == ["honest"]
    assert sum(world.desks["beta"].mail.session.fleet.refused.values()) == 1
    world.clock[0] += ACK_WAIT + 1
    assert await world.again("beta").mail.collect() == 0
    assert sum(world.desks["beta"].mail.session.fleet.refused.values()) == 1


async def test_bytes_that_are_no_mail_stop_nothing(world):
    hostile = world.bus.link("hostile")
    for number, data in enumerate((b"", b"\xff", b"{}", b"[" * 100_000, b"x" * 900_000)):
        await hostile.post(f"post.home.mail.beta.m-{number}.alpha", data, {"Nats-Msg-Id": f"h-{number}"})
    await mail.send(world.desks["alpha"], ["beta"], "honest", "x")
    assert [m.subject for m in await world.inbox("beta")] == ["honest"]
    assert sum(world.desks["beta"].mail.session.fleet.refused.values()) == 5


async def test_a_letter_that_somebody_passes_on_as_a_new_one_is_not_believed(world):
    """Gamma opens its own letter and closes it to beta as if alpha had written there."""
    await mail.send(world.desks["alpha"], ["gamma"], "for gamma", "x")
    (stored,) = world.bus.streams["home-MAIL"].messages.values()
    message = json.loads(stored.data)
    inside = open_own(world.keys["gamma"], message["box"])
    letter = world.letter(sender="gamma", to="beta", id_=message["id"])
    await world.post(letter, box=close_to(world.keys["beta"].public, inside))
    assert await world.inbox("beta", box="all") == []


async def test_a_replayed_letter_is_known_also_after_it_was_archived(world):
    await mail.send(world.desks["alpha"], ["beta"], "once", "x")
    (stored,) = world.bus.streams["home-MAIL"].messages.values()
    await mail.mark(world.desks["beta"], [(await world.inbox("beta"))[0].id])
    world.clock[0] += 200_000
    await world.bus.link("hostile").post(stored.subject, stored.data, stored.headers)
    assert await world.again("beta").mail.collect() == 0
    assert [m.status for m in await world.inbox("beta", box="all")] == ["archived"]


async def test_two_senders_may_choose_one_id_and_neither_hides_the_other(world):
    for sender in ("alpha", "gamma"):
        await mail.send(world.desks[sender], ["beta"], f"of {sender}", "x", id_="m-1")
    assert {m.sender for m in await world.inbox("beta")} == {"alpha", "gamma"}
    with pytest.raises(RefusedRequestError, match="alpha/m-1"):
        await mail.read(world.desks["beta"], "m-1")
    assert (await mail.read(world.desks["beta"], "gamma/m-1")).subject == "of gamma"


async def test_mail_of_a_revoked_machine_is_not_believed_and_none_is_sent_to_it(world):
    await mail.send(world.desks["gamma"], ["beta"], "before", "x")
    await world.inbox("beta")
    await mail.send(world.desks["gamma"], ["beta"], "on its way", "x")
    await lawmaking.revoke(world.root, "gamma")
    for name in ("alpha", "beta"):
        await world.desks[name].mail.session.refresh_law()
    assert [m.subject for m in await world.inbox("beta")] == ["before"]
    assert any("was revoked" in reason for reason in world.desks["beta"].mail.session.fleet.refused)
    with pytest.raises(NoRecipientError, match="was revoked"):
        await mail.send(world.desks["alpha"], ["gamma"], "s", "x")


async def test_a_letter_of_somebody_who_joined_just_now_is_believed(world):
    world.keys["delta"] = KeyPair.generate()
    await lawmaking.admit(world.root, "delta", world.keys["delta"].public)
    await world.post(world.letter(sender="delta"))
    assert [m.sender for m in await world.inbox("beta")] == ["delta"]
    sent = await mail.send(world.desks["alpha"], ["delta"], "welcome", "x")
    assert sent.stored == 1


async def test_what_was_removed_is_gone_with_its_files_and_does_not_come_again(world):
    sent = await mail.send(world.desks["alpha"], ["beta"], "files", "x", attachments=[given("a.txt", b"data")])
    await mail.send(world.desks["alpha"], ["beta"], "kept", "x")
    (stored, _) = world.bus.streams["home-MAIL"].messages.values()
    with pytest.raises(RefusedRequestError, match="which letter"):
        await mail.remove(world.desks["beta"], [])
    await mail.mark(world.desks["beta"], [sent.id])
    assert [m.id for m in await mail.remove(world.desks["beta"], [], archived=True)] == [sent.id]
    assert await mail.remove(world.desks["beta"], [], archived=True) == []
    for _ in range(2):
        world.clock[0] += 200_000
        await world.bus.link("hostile").post(stored.subject, stored.data, stored.headers)
        assert [m.subject for m in await world.inbox("beta", box="all")] == ["kept"]
        world.again("beta")
    box = world.desks["beta"].mail.box
    assert not list(box.folder.glob("files/*"))
    assert b"files" not in b"".join(path.read_bytes() for path in box.folder.rglob("*.json"))
    with pytest.raises(RefusedRequestError, match="no letter"):
        await mail.read(world.desks["beta"], sent.id)


async def test_sent_letters_are_kept_up_to_a_bound(world, monkeypatch):
    monkeypatch.setattr("roosync_agent.running.mailbox.MAX_SENT", 3)
    for number in range(5):
        world.clock[0] += 1
        await mail.send(world.again("alpha"), ["beta"], f"letter {number}", "x")
    assert [m.subject for m in await world.inbox("alpha", box="sent")] == ["letter 4", "letter 3", "letter 2"]


async def test_a_full_disk_of_ours_leaves_the_letter_on_the_broker(world, monkeypatch):
    for number in range(3):
        await mail.send(world.desks["alpha"], ["beta"], f"letter {number}", "x", id_=f"m-{number}")
    world.desks["beta"].mail.box = Mailbox(world.desks["beta"].mail.box.folder, max_letters=2)
    with pytest.raises(FullError, match="remove --archived"):
        await world.desks["beta"].mail.collect()
    world.clock[0] += ACK_WAIT + 1
    assert await world.again("beta").mail.collect() == 1
    assert len(await world.inbox("beta")) == 3


async def test_files_that_are_only_claimed_fill_no_mailbox(world):
    """A hundred bytes say that sixteen megabytes come with them: who sends such letters keeps nobody from theirs."""
    room = world.desks["beta"].mail
    room.box = Mailbox(room.box.folder, max_bytes=20_000_000)
    file = Attachment(name="a", size=8_000_000, sha256="0" * 64, content="1" * 64, key="A" * 43 + "=")
    for number in range(3):
        claims = world.letter(id_=f"m-{number}", attachments=(file, replace(file, name="b")))
        await world.post(claims, contents=(file.content,))
    await mail.send(world.desks["alpha"], ["beta"], "a real one", "x", attachments=[given("a.txt", b"data")])
    assert await room.collect() == 4
    assert len(await world.inbox("beta")) == 4
    size = room.box._bytes
    again = Mailbox(room.box.folder)
    again.index()
    assert again._bytes == size, "what was counted is what lies there"


async def test_letters_that_come_while_there_is_trouble_add_no_looks_of_their_own(world, monkeypatch):
    """Each wakes once; a timer for each would ask the broker for ever, as often as letters came."""
    room, loop, timers, looked = world.desks["beta"].mail, asyncio.get_running_loop(), [], asyncio.Event()
    later = loop.call_later

    def call_later(seconds, what, *rest):
        timers.append(timer := later(seconds, what, *rest))
        looked.set()
        return timer

    async def full():
        raise FullError("full")

    monkeypatch.setattr(room, "_lay", full)
    monkeypatch.setattr(loop, "call_later", call_later)
    task = asyncio.create_task(room.run())
    try:
        for _ in range(20):
            looked.clear()
            room._wake.set()
            await looked.wait()
        assert len(timers) >= 20
        assert sum(not timer.cancelled() for timer in timers) == 1
    finally:
        await end([task])


async def test_bad_requests_are_told_before_anything_is_sent(world):
    alpha = world.desks["alpha"]
    for to, subject, body, error in (
        ([], "s", "x", NoRecipientError),
        (["alpha"], "s", "x", NoRecipientError),
        (["../beta"], "s", "x", NoRecipientError),
        (["beta", "nobody"], "s", "x", NoRecipientError),
        (["beta"], "", "x", LetterError),
        (["beta"], "s", "x" * 10_000_000, LetterError),
        (["beta"], "a\x1b[2J", "x", LetterError),
    ):
        with pytest.raises(error):
            await mail.send(alpha, to, subject, body)
    for bad in ("../x", "A B", "x" * 64):
        with pytest.raises(ValueError, match="can not be"):
            await mail.send(alpha, ["beta"], "s", "x", id_=bad)
    assert await world.inbox("beta") == []
    assert await world.inbox("alpha", box="sent") == []
    for box in ("../unread", "nothing"):
        with pytest.raises(RefusedRequestError, match="there is no box"):
            await mail.inbox(alpha, box=box)


async def test_what_arrives_while_it_runs_is_fetched_at_once(world):
    room = world.desks["beta"].mail
    task = asyncio.create_task(room.run())
    try:
        await asyncio.sleep(0.01)
        await mail.send(world.desks["alpha"], ["beta"], "now", "x")
        for _ in range(200):
            if room.box.count("unread"):
                break
            await asyncio.sleep(0.01)
        assert room.box.count("unread") == 1
    finally:
        task.cancel()


async def test_many_writers_at_once_lose_and_double_nothing(world):
    room = world.desks["beta"].mail
    task = asyncio.create_task(room.run())
    try:
        sends = [
            mail.send(world.desks[sender], ["beta"], f"{sender} {number}", "x")
            for number in range(40)
            for sender in ("alpha", "gamma")
        ]
        sent = await asyncio.gather(*sends)
        await room.collect()
    finally:
        task.cancel()
    found = [kept.letter.id for _, kept in room.box.listed()]
    assert sorted(found) == sorted(one.id for one in sent)
    assert len(list((room.box.folder / "unread").iterdir())) == 80


def test_a_damaged_file_of_the_box_is_left_out(tmp_path):
    box = Mailbox(tmp_path)
    letter = written(id_="m-1", sender="a", to="b", addressed="b", subject="s", body="", priority="LOW", timestamp=NOW)
    kept = Kept(letter=letter, received=NOW, key=KeyPair.generate().public)
    assert box.lay(kept)[1]
    (tmp_path / "unread" / "1.a.m-2.json").write_bytes(b"{")
    (tmp_path / "unread" / ".1.a.m-3.json.x").write_bytes(b"{")
    assert [one.letter.id for _, one in Mailbox(tmp_path).listed()] == ["m-1"]
    assert not Mailbox(tmp_path).lay(replace(kept, received=NOW + timedelta(seconds=5)))[1], "the id counts"


# -- on a terminal

TEXTS = {
    "escapes": ("\x1b[2J\x1b]0;owned\x07\x9b31m", "\x1b"),
    "a carriage return that overwrites": ("Safe\rEvil", "\r"),
    "turned text": ("a\u202eb", "\u202e"),
}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("case", TEXTS)
def test_what_a_terminal_obeys_is_spelled_out(case, colour):
    text, hostile = TEXTS[case]
    shown = shown_markdown(text, colour=colour, width=60)
    if not colour:
        assert hostile not in shown
    assert "<U+" in shown
    assert all(line.startswith(BAR.rstrip()) for line in shown.split("\n"))
    assert "\x1b[2J" not in shown
    assert "\x1b]" not in shown


def test_markdown_is_rendered_and_nothing_of_it_is_hidden():
    text = "# Title\n\n**bold** [link](http://evil.example/)\n\n<b>html</b> <!-- said -->\n\n"
    text += "| a | b |\n|---|---|\n| 1 | 2 |\n"
    shown = shown_markdown(text + "\n```sh\nrm -rf /\n```\n\n[red]no markup[/red]\n", colour=True, width=60)
    for part in ("Title", "bold", "http://evil.example/", "<b>html</b>", "<!-- said -->", "rm", "[red]no markup[/red]"):
        assert part in _plain(shown), part
    assert "\x1b]8" not in shown, "a link shows where it leads"
    assert shown_markdown("# Title", colour=False) == f"{BAR}# Title"
    assert shown_markdown("", colour=True) == ""


def _plain(text):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
