"""What may stand in a letter, whom a name means, what a file may be called."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from roosync_protocol.envelope import Heard
from roosync_protocol.law import Law
from roosync_protocol.mail import (
    MAX_BODY,
    MAX_FILE,
    Attachment,
    LetterError,
    NoRecipientError,
    answering,
    attachment_fault,
    opened,
    packed,
    recipients,
    written,
)
from roosync_protocol.mail.letter import MAX_BODY_BYTES, MAX_LETTER
from roosync_protocol.messages import Mail, Member, Operator, Roster

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
KEYS = {name: "U" + name[-1].upper() * 55 for name in ("op-ana", "op-old", "web-a", "web-b", "desk-c", "gone-d")}
FILE = Attachment(name="a.txt", size=3, sha256="a" * 64, content="b" * 64, key="A" * 43 + "=")


def letter(**changes):
    given = {
        "id_": "m-1",
        "sender": "web-a",
        "to": "web-b",
        "addressed": "web-b",
        "subject": "Hello",
        "body": "some *text*",
        "priority": "HIGH",
        "timestamp": NOW,
    }
    return written(**(given | changes))


def mail(**changes):
    return Mail(**({"agent": "web-a", "timestamp": NOW, "to": "web-b", "id": "m-1", "box": "QUJD"} | changes))


def test_a_letter_is_written_in_the_words_of_roosync_2():
    told = json.loads(packed(letter(tags=("build", "ci"), thread_id="m-0", reply_to="m-0")))
    assert told["from"] == "web-a"
    assert {"id", "to", "subject", "body", "priority", "timestamp", "tags", "thread_id", "reply_to"} <= told.keys()
    assert (told["priority"], told["thread_id"], told["reply_to"]) == ("HIGH", "m-0", "m-0")
    assert opened(packed(letter()), mail()) == letter()


def test_a_letter_begins_its_own_thread_and_a_reply_goes_on_in_it():
    first = letter()
    assert first.thread_id == "m-1"
    reply = answering(replace(first, thread_id="m-0"))
    assert reply == {"subject": "Re: Hello", "thread_id": "m-0", "reply_to": "m-1", "to": "web-a"}
    assert answering(replace(first, subject="RE: Hello"))["subject"] == "RE: Hello"
    assert len(answering(replace(first, subject="x" * 200))["subject"]) == 200


REFUSED = {
    "no subject": ({"subject": "  "}, "subject"),
    "a long subject": ({"subject": "x" * 201}, "at most 200"),
    "a subject of two lines": ({"subject": "a\nNext: rm"}, "one line"),
    "an escape in the subject": ({"subject": "a\x1b[2J"}, "one line"),
    "a turned subject": ({"subject": "a\u202eb"}, "one line"),
    "an escape in a tag": ({"tags": ("a\x07",)}, "one line"),
    "a text of 10 MB": ({"body": "x" * 10_000_000}, str(MAX_BODY)),
    "a text whose bytes are too many": ({"body": "\U0001f600" * MAX_BODY + "x"}, "at most"),
    "a text that is no text": ({"body": "\udcff"}, "UTF-8"),
    "no priority of ours": ({"priority": "NOW"}, "there is no priority"),
    "many tags": ({"tags": ("t",) * 21}, "at most 20 tags"),
    "an empty tag": ({"tags": ("",)}, "tags"),
    "an id that is a place": ({"id_": "../m"}, "can not be sent"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_sent_is_told_to_who_writes(case):
    changes, says = REFUSED[case]
    with pytest.raises(LetterError, match=says):
        letter(**changes)


def test_the_longest_text_still_fits_the_bus():
    for body in (
        "x" * MAX_BODY,
        "\x01" * MAX_BODY,
        "\u20ac" * MAX_BODY,
        "\U0001f600" * (MAX_BODY_BYTES // 4),
        '"\n' * (MAX_BODY // 2),
    ):
        data = packed(letter(body=body))
        assert len(data) < MAX_LETTER
        assert (len(data) + 48) * 4 / 3 < 900_000


BELIES = {
    "another sender": mail(agent="web-c"),
    "another recipient": mail(to="desk-c"),
    "another id": mail(id="m-2"),
}


@pytest.mark.parametrize("case", BELIES)
def test_a_box_that_was_posted_again_as_something_else_is_found_out(case):
    with pytest.raises(LetterError, match="outside one of"):
        opened(packed(letter()), BELIES[case])


NO_LETTERS = {
    "nothing": b"",
    "no JSON": b"\xff\xfe",
    "no letter": b"{}",
    "deep": b"[" * 5000 + b"]" * 5000,
    "large": b" " * (MAX_LETTER + 1),
    "an attachment without a name": packed(letter()).replace(b'"attachments":[]', b'"attachments":[{"name":""}]'),
    "another time": packed(letter()).replace(b"2026-11-21T09:00:00Z", b"yesterday"),
}


@pytest.mark.parametrize("case", NO_LETTERS)
def test_what_is_no_letter_is_refused(case):
    with pytest.raises(LetterError):
        opened(NO_LETTERS[case], mail())


def test_a_file_that_the_outside_does_not_name_is_refused():
    data = packed(letter(attachments=(FILE,)))
    assert opened(data, mail(contents=(FILE.content,))).attachments == (FILE,)
    with pytest.raises(LetterError, match="does not name"):
        opened(data, mail())


def test_files_that_are_too_much_together_are_refused_also_when_they_are_only_claimed():
    files = tuple(replace(FILE, name=f"{n}.bin", size=MAX_FILE) for n in range(3))
    data = packed(letter(attachments=files))
    with pytest.raises(LetterError, match="together"):
        opened(data, mail(contents=(FILE.content,)))
    assert opened(packed(letter(attachments=files[:2])), mail(contents=(FILE.content,)))


# -- whom


def heard(message, speaker="op-ana"):
    return Heard(message=message, subject="post.x", speaker=speaker, signer=KEYS["op-ana"], operation="o-1")


@pytest.fixture(scope="module")
def law():
    operators = {"op-ana": Operator(key=KEYS["op-ana"]), "op-old": Operator(key=KEYS["op-old"], revoked=True)}
    law = Law(fleet="home", root=KEYS["op-ana"])
    law = law.admit(heard(Roster(agent="op-ana", timestamp=NOW, revision=1, operators=operators)))
    for name in ("web-a", "web-b", "desk-c", "gone-d"):
        member = Member(
            agent="op-ana", timestamp=NOW, revision=1, machine=name, key=KEYS[name], revoked=name == "gone-d"
        )
        labels = {"role": "dev"} if name != "desk-c" else {"role": "test", "site": "paris"}
        law = law.admit(heard(replace(member, labels=labels)))
    return law


MEANT = {
    "one": (["web-b"], ("web-b",)),
    "several, once each": (["web-b", "desk-c,web-b"], ("web-b", "desk-c")),
    "everybody else": (["all"], ("desk-c", "web-b", "op-ana")),
    "machines": (["machines"], ("desk-c", "web-b")),
    "operators": (["operators"], ("op-ana",)),
    "a pattern": (["web-*"], ("web-b",)),
    "an operator": (["op-ana"], ("op-ana",)),
    "a label, without oneself": (["role=dev"], ("web-b",)),
    "labels and names": (["role=dev or site=paris and not (web-*)"], ("desk-c", "web-b")),
    "a label and an operator": (["role=test", "op-ana"], ("desk-c", "op-ana")),
    "by parentheses": (["(web-b or desk-c)"], ("desk-c", "web-b")),
}


@pytest.mark.parametrize("case", MEANT)
def test_who_is_meant(law, case):
    asked, wanted = MEANT[case]
    assert recipients(law, asked, "web-a") == wanted


NOBODY = {
    "nobody named": ([], "to whom"),
    "only commas": ([" , "], "to whom"),
    "oneself": (["web-a"], "you are web-a"),
    "oneself among others": (["web-b", "web-a"], "you are web-a"),
    "only oneself by a pattern": (["web-a*"], "nobody else"),
    "a stranger": (["web-x"], "nobody of this fleet"),
    "a revoked machine": (["gone-d"], "was revoked"),
    "a revoked operator": (["op-old"], "was revoked"),
    "a pattern of nobody": (["x-*"], "called like"),
    "a place": (["../etc"], "can not be a name"),
    "a place with a star": (["../*"], "called like"),
    "a subject": (["a.b.>"], "can not be a name"),
    "an escape": (["\x1b[2J"], "can not be a name"),
    "a label of nobody": (["rol=dev"], "did you mean role"),
    "a value of nobody": (["role=prod"], "means no machine"),
    "a label that is one's own alone": (["role=dev and not web-b"], "nobody else"),
    "a fact": (["os=linux"], "'os' is a fact, and facts do not count here"),
    "what a machine says it has": (["(has:docker)"], "only names and labels count"),
    "half an expression": (["(role=dev"], "has no end"),
    "who was revoked, in an expression": (["(gone-d)"], "no machine of this fleet"),
}


@pytest.mark.parametrize("case", NOBODY)
def test_who_can_not_be_meant_is_told_at_once(law, case):
    asked, says = NOBODY[case]
    with pytest.raises(NoRecipientError, match=says):
        recipients(law, asked, "web-a")


# -- files

FILES = {
    "a place": ([("../a", 1)], "no name of a file"),
    "a folder": ([("a/b", 1)], "no name of a file"),
    "a drive": ([("c:a", 1)], "no name of a file"),
    "a parent": ([("..", 1)], "no name of a file"),
    "an escape": ([("a\x1b[1m", 1)], "no name of a file"),
    "a turned name": ([("a\u202egpj.exe", 1)], "no name of a file"),
    "no name": ([("", 1)], "1 to 120"),
    "a long name": ([("a" * 121, 1)], "1 to 120"),
    "too large": ([("a", MAX_FILE + 1)], str(MAX_FILE)),
    "too large together": ([("a", MAX_FILE), ("b", MAX_FILE), ("c", 1)], "together"),
    "too many": ([(f"a{n}", 1) for n in range(11)], "too many"),
    "two of one name": ([("A.txt", 1), ("a.TXT", 1)], "two files"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_can_not_come_along(case):
    files, says = FILES[case]
    assert says in attachment_fault(files)


def test_usual_files_come_along():
    assert attachment_fault([("r\u00e9sum\u00e9 2.pdf", MAX_FILE), ("x.tar.gz", 0)]) == ""
