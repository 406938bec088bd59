"""The real files after edits, read by the code of the assistants themselves and by other parsers than ours."""

import pytest

from roosync_protocol.documents import Delete, Insert, Rename, Set, edit, parse

MODES = ["modes/custom_modes.yaml", "modes/simple-complex.roomodes"]
NEW = {
    "slug": "added",
    "name": "Added: one",
    "roleDefinition": "First\n  second # no comment\n",
    "groups": ["read", ["edit", {"fileRegex": r"\.(md|txt)$"}]],
}


def each_mode(document):
    """One edit of each sort, on every mode of the file."""
    modes = document.value["customModes"]
    yield from (Insert(("customModes",), at, NEW) for at in (0, len(modes) // 2, len(modes)))
    for at, mode in enumerate(modes):
        place = ("customModes", at)
        yield Set((*place, "customInstructions"), mode.get("customInstructions", "") + "\n\nAnd: one more.\n")
        yield Set((*place, "groups"), ["read", "command"])
        yield Set((*place, "whenToUse"), "never: ever")
        yield Delete(place)


@pytest.mark.parametrize("name", MODES)
def test_roo_reads_every_edited_file_of_modes(real, clients, name):
    data = (real / name).read_bytes()
    document = parse(data, "yaml" if name.endswith("yaml") else "json")
    edits = list(each_mode(document))
    after = [edit(document, [one]) for one in edits]
    answers = clients.parse("@roo-code/types", [document.text, *(one.text for one in after)])
    assert "error" not in answers[0], answers[0]
    for change, made, answer in zip(edits, after, answers[1:], strict=True):
        assert "error" not in answer, (change, answer)
        slugs = [mode["slug"] for mode in answer["value"]["customModes"]]
        assert slugs == [mode["slug"] for mode in made.value["customModes"]]


JSONC = ["other/vscode-settings.json", "mcp/servers.json", "settings/model-configs.json", "other/sync-config.ref.json"]


@pytest.mark.parametrize("name", JSONC)
def test_vs_code_reads_every_edited_file(real, clients, peers, name):
    document = parse((real / name).read_bytes(), "jsonc")
    edits = []
    for key in document.value:
        edits += [Set((key,), {"new": [1, "é"]}), Delete((key,)), Set(("a new one",), "x", after=key)]
        edits += [Rename((key,), f"{key}2")]
    after = [edit(document, [one]) for one in edits]
    assert edits
    for change, made, answer in zip(
        edits, after, clients.parse("jsonc-parser", [one.text for one in after]), strict=True
    ):
        assert "error" not in answer, (change, answer)
        assert peers.as_javascript(answer["value"]) == peers.as_javascript(made.value), change
