"""The real files: read whole, edited in each way, and nothing else in them moves."""

import pytest

from roosync_protocol.documents import Delete, DocumentError, Insert, Rename, Set, edit, parse, sniff

FILES = {
    "modes/custom_modes.yaml": "yaml",
    "modes/simple-complex.roomodes": "json",
    "modes/standard-modes.json": "json",
    "mcp/servers.json": "json",
    "mcp/dot-mcp.json.example": "json",
    "settings/myia-ai-01-settings-baseline.json": "json",
    "settings/myia-po-2023-settings-baseline.json": "json",
    "settings/myia-po-2025-settings-baseline.json": "json",
    "settings/model-configs.json": "json",
    "other/vscode-settings.json": "jsonc",
    "other/sync-config.ref.json": "json",
    "other/schedules.json.myia-po-2023": "json",
    "rules/00-securite.md": "markdown",
    "rules/01-sddd-escalade.md": "markdown",
}
MODE = {
    "slug": "new-mode",
    "name": "New",
    "roleDefinition": "You: new",
    "customInstructions": "one\n\ntwo\n",
    "groups": ["read", ["edit", {"fileRegex": "\\.md$", "description": "Md"}]],
}


def changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """The lines that went and the lines that came, in the one place that changed."""
    old, new = before.decode().split("\n"), after.decode().split("\n")
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    return old[head : len(old) - tail], new[head : len(new) - tail]


@pytest.mark.parametrize(("path", "name"), FILES.items(), ids=FILES)
def test_each_is_read_and_a_value_set_to_itself_changes_no_byte(real, path, name):
    data = (real / path).read_bytes()
    document = parse(data, name)
    assert document.value
    assert edit(document, [Set((), document.value)]).data == data


def test_the_file_that_is_invalid_says_where(real):
    data = (real / "modes/n2-standard-modes.json").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf" * 2)
    with pytest.raises(DocumentError) as caught:
        parse(data, "json")
    assert caught.value.line == 23


def test_the_kind_of_roomodes_is_seen(real):
    assert sniff((real / "modes/simple-complex.roomodes").read_bytes(), ".roomodes") == "json"
    assert sniff((real / "modes/custom_modes.yaml").read_bytes(), ".roomodes") == "yaml"


@pytest.mark.parametrize(
    "path", ["modes/custom_modes.yaml", "modes/simple-complex.roomodes", "modes/standard-modes.json"]
)
def test_modes_are_edited_one_by_one(real, path):
    data = (real / path).read_bytes()
    document = parse(data, FILES[path])
    modes = document.value["customModes"]
    for index in range(len(modes)):
        where = ("customModes", index)
        gone, came = changed_lines(data, edit(document, [Set((*where, "name"), "Another: name")]).data)
        assert (len(gone), len(came)) == (1, 1)
        gone, came = changed_lines(data, edit(document, [Insert((*where, "groups"), 0, "modes")]).data)
        if modes[index].get("groups"):
            assert len(gone) + len(came) <= 2
        gone, came = changed_lines(data, edit(document, [Delete(where)]).data)
        assert len(came) <= 1  # the comma of the one before
        gone, came = changed_lines(data, edit(document, [Insert(("customModes",), index, MODE)]).data)
        assert not gone
        text = modes[index].get("customInstructions", "")
        gone, came = changed_lines(data, edit(document, [Set((*where, "customInstructions"), text + "More.\n")]).data)
        assert len(gone) <= 2
        assert len(came) <= 2


def test_a_new_mode_is_written_as_its_neighbours(real):
    data = (real / "modes/custom_modes.yaml").read_bytes()
    document = parse(data, "yaml")
    end = len(document.value["customModes"])
    _, came = changed_lines(data, edit(document, [Insert(("customModes",), end, MODE)]).data)
    assert came == [
        "  - slug: new-mode",
        "    name: New",
        '    roleDefinition: "You: new"',
        "    customInstructions: |",
        "      one",
        "      ",
        "      two",
        "    groups:",
        "      - read",
        "      - - edit",
        "        - {fileRegex: \\.md$, description: Md}",
    ]


def test_servers_are_edited_one_by_one(real):
    data = (real / "mcp/dot-mcp.json.example").read_bytes()
    document = parse(data, "json")
    for name, server in document.value["mcpServers"].items():
        where = ("mcpServers", name)
        for change, most in [
            (Set((*where, "disabled"), not server.get("disabled", False)), 2),
            (Set((*where, "env", "NEW"), "x"), 4),
            (Rename(where, "renamed"), 1),
            (Set(("mcpServers", "new"), {"command": "npx", "args": ["-y", "x"]}, after=name), 5),
        ]:
            gone, came = changed_lines(data, edit(document, [change]).data)
            assert len(gone) <= min(most, 2)
            assert len(came) <= most
        gone, came = changed_lines(data, edit(document, [Delete(where)]).data)
        assert len(came) <= 1


def test_every_setting_of_a_machine_can_be_replaced_alone(real):
    data = (real / "settings/myia-po-2023-settings-baseline.json").read_bytes()
    document = parse(data, "json")

    def leaves(value, path=()):
        if isinstance(value, dict) and value:
            for key, child in value.items():
                yield from leaves(child, (*path, key))
        elif isinstance(value, list) and value:
            for index, child in enumerate(value):
                yield from leaves(child, (*path, index))
        else:
            yield path

    for path in list(leaves(document.value))[::7]:
        after = edit(document, [Set(path, "another")])
        gone, came = changed_lines(data, after.data) if len(path) < 3 else ([""], [""])
        assert (len(gone), len(came)) == (1, 1)
        assert len(after.data) != len(data) or after.data != data
