"""What a person types about mail, and what stands there when there is nothing."""

import pytest
from click.testing import CliRunner

from roosync_agent.cli import messages
from roosync_agent.cli.app import roosync
from roosync_agent.cli.messages_text import list_text

EMPTY = {  # box -> what is said
    "inbox": "The inbox of pc-a is empty.",
    "archived": "pc-a has no archived letters.",
    "sent": "pc-a has no sent letters.",
    "all": "pc-a has no letters.",
}


@pytest.mark.parametrize(("box", "told"), EMPTY.items(), ids=EMPTY)
def test_an_empty_box(box, told):
    assert list_text({"messages": [], "notes": [], "box": box, "agent": "pc-a"}) == told


@pytest.mark.parametrize("words", [["send", "pc-b", "--subject", "Logs"], ["reply", "m-1"]], ids=["send", "reply"])
def test_a_letter_is_not_sent_empty_by_a_command_that_wrote_nothing(words, monkeypatch):
    monkeypatch.setattr(messages, "_ask", lambda *_, **__: pytest.fail("it was sent"))
    ran = CliRunner().invoke(messages.message, words, input="")
    assert ran.exit_code != 0
    assert "nothing came on standard input" in ran.output


@pytest.mark.parametrize("verb", ["send", "inbox", "read", "reply", "archive", "mark", "remove"])
def test_each_verb_about_letters_goes_without_the_word_before_it(verb):
    ran = CliRunner().invoke(roosync, [verb, "--help"])
    assert ran.exit_code == 0, ran.output
    assert (
        ran.output.splitlines()[2:] == CliRunner().invoke(roosync, ["message", verb, "--help"]).output.splitlines()[2:]
    )
