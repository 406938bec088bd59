"""Sentences that were made elsewhere are found again in a catalogue, and nothing that only looks like one."""

import pytest

from roosync_agent.heard_words import LONGEST, Sentences

CATALOGUE = {
    "the broker is away": "le broker est parti",
    "{id} is {status} and can not be {what} now": "{id} est {status} et ne peut pas être {what}",
    "{id} is only {status}": "{id} est seulement {status}",
    "{machine} waits: {why}": "{machine} attend : {why}",
    "no {what} of {machine} is known": "rien de {machine} n'est connu comme {what}",
    "; or nothing": " ; ou rien",
    "ab{x}": "{x}ba",
    "no; see the log, {count}": "non ; voyez le journal, {count}",
    "twice": "deux fois",
    "it is off": "c'est fini",
    "{key} on {machine} is {what}.": "{key} sur {machine} : {what}.",
    "say --set . VALUE of {it}": "dites --set . VALEUR de {it}",
    "{a} on {b}": "{a} sur {b}",
}
SAID = {
    "whole": ("the broker is away", "le broker est parti"),
    "with a capital": ("The broker is away", "Le broker est parti"),
    "with names": ("no secret of pc-b is known", "rien de pc-b n'est connu comme secret"),
    "the one with the most words": ("d-1 is lost and can not be undone now", "d-1 est lost et ne peut pas être undone"),
    "a reason inside a reason": ("pc-b waits: the broker is away", "pc-b attend : le broker est parti"),
    "two of them": ("the broker is away; the broker is away", "le broker est parti; le broker est parti"),
    "one with a stop in it, behind a name": ("pc-b: no; see the log, twice", "pc-b: non ; voyez le journal, deux fois"),
    "in brackets, and a part nobody knows": ("something (the broker is away", "something (le broker est parti"),
    "in brackets that are closed": ("json (the broker is away)", "json (le broker est parti)"),
    "a part that is said with its semicolon": ("something; or nothing", "something; ou rien"),
    "the same without it": ("or nothing", "ou rien"),
    "before a full stop": ("It failed: the broker is away.", "It failed: le broker est parti."),
    "names are not looked up as patterns": ("{machine} waits: {why}", "{machine} attend : {why}"),
    "too few words of its own": ("abx", "abx"),
    "another one with too few": ("x on y", "x on y"),
    "a sentence where a weak pattern has a name": (
        "a file is taken as a whole: what comes on input says what it is.",
        "a file is taken as a whole: what comes on input says what it is.",
    ),
    "so many words are no name": ("one two three four five six on b is c.", "one two three four five six on b is c."),
    "a weak pattern with names": ("roo.mcp/x on pc-b is gone.", "roo.mcp/x sur pc-b : gone."),
    "a dot alone is no stop": ("say --set . VALUE of x. It is off", "dites --set . VALEUR de x. C'est fini"),
    "shorter than any": ("a", "a"),
    "nothing": ("", ""),
    "a document": ("the broker is away; " * LONGEST, "the broker is away; " * LONGEST),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), SAID.values(), ids=SAID)
def test_a_sentence_is_said_again(text, told):
    assert Sentences(CATALOGUE).said(text) == told


def test_stops_between_parts_are_as_the_language_has_them_and_values_keep_theirs():
    sentences = Sentences(CATALOGUE, {"; ": " ; ", ": ": " : "})
    assert sentences.said("x: the broker is away; twice") == "x : le broker est parti ; deux fois"
    assert sentences.said("C: x; y") == "C: x; y"


def test_no_pattern_is_built_for_a_text_that_it_can_not_fit():
    sentences = Sentences(CATALOGUE)
    assert sentences.said("d-1 is only x") == "d-1 est seulement x"
    assert "no {what} of {machine} is known" not in sentences._built
