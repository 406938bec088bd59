"""What our editors write is read by others' parsers as what was meant; JSONC edits agree with VS Code's own editor."""

import re

import pytest

from roosync_protocol.documents import Delete

PEERS = {"json": ["jsonc-parser"], "jsonc": ["jsonc-parser"], "yaml": ["yaml", "js-yaml"], "toml": ["smol-toml"]}
EDITS = 1500  # of each format
FAULTS = {  # what a peer itself reads otherwise than YAML 1.2 says; texts with it prove nothing about us
    "js-yaml": re.compile(r"^ +(?:- +)*- *(?:#.*)?$", re.MULTILINE)  # an empty item that ends an inner list
}  # fmt: skip


@pytest.mark.parametrize(("name", "peer"), [(name, peer) for name, peers in PEERS.items() for peer in peers])
def test_others_read_what_was_meant(clients, peers, name, peer):
    cases = [one for one in peers.cases(name, EDITS, seed=7) if peer not in FAULTS or not FAULTS[peer].search(one.text)]
    assert len(cases) > EDITS * 0.7
    for one, answer in zip(cases, clients.parse(peer, [one.text for one in cases]), strict=True):
        told = f"{one.edit}\n--- before\n{one.document.text}\n--- after\n{one.text}"
        assert "error" not in answer, f"{peer}: {answer['error']}\n{told}"
        same = peers.as_javascript(answer["value"]) == peers.as_javascript(one.wanted)
        assert same, f"{peer} read {answer['value']}\n{told}"


def test_an_edit_means_the_same_to_the_editor_of_vs_code_and_ours_loses_no_comment_that_it_keeps(clients, peers):
    compared = list(peers.compare(clients, EDITS, seed=7))
    assert sum(not one.theirs for one in compared) < len(compared) * 0.03  # it can not delete before a trailing comma
    for one in compared:
        if not isinstance(one.case.edit, Delete):  # with an entry its comments go
            assert not one.ours_lost, (one.case.edit, one.case.document.text, one.case.text, one.theirs)


def test_the_parsers_of_others_see_what_is_wrong(clients):
    """That they accept our texts says something: of these they accept none."""
    wrong = {"jsonc-parser": '{"a": 1,, }', "yaml": "a: 1\na: 2", "js-yaml": "a: [1", "smol-toml": "a = 1\na = 2"}
    for peer, text in wrong.items():
        assert "error" in clients.parse(peer, [text])[0], peer
    modes = "customModes:\n  - slug: a b\n    name: ''\n    roleDefinition: x\n    groups: [read]\n"
    assert "error" in clients.parse("@roo-code/types", [modes])[0]
