"""A small share of the fuzzing by `benchmarks/fuzz_documents.py`; and that the fuzzing finds what is wrong."""

import re

import pytest

from roosync_protocol.documents import flow, json_write, toml_edit, yaml


@pytest.mark.parametrize("name", ["json", "jsonc", "yaml", "frontmatter", "toml", "text"])
def test_no_edit_is_wrong(fuzz, name):
    counts = fuzz.run(seed=20, edits=1200, name=name)
    assert counts.wrong == 0, counts.failures[0]
    assert counts.refused < 20, counts.reasons


# name: format, module, attribute, a faulty one in its place
PLANTED = {
    "comments are lost": ("jsonc", flow, "own_comments", lambda text, syntax, at, floor, indent=None: floor),
    "comments outlive their entry": ("yaml", flow, "own_comments", lambda text, _, at, *__: flow.line_start(text, at)),
    "a neighbour loses its line": ("toml", flow, "end_of", lambda pattern, text, at: _behind(pattern, text, at)),
    "the hand of the file is ignored": ("jsonc", flow, "line_start", lambda text, at: 0),
}  # fmt: skip


def _behind(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    end = found.end() if found else at
    return min(end + 1, len(text)) if pattern.pattern == r"\r?\n" else end


@pytest.mark.parametrize(("name", "module", "attribute", "faulty"), PLANTED.values(), ids=PLANTED)
def test_a_planted_mistake_is_found(fuzz, monkeypatch, name, module, attribute, faulty):
    monkeypatch.setattr(module, attribute, faulty)
    counts = fuzz.run(seed=3, edits=800, name=name)
    assert counts.wrong + counts.refused > 0


WRONG_VALUES = {
    "json": (json_write, "_scalar", lambda value, style: '"wrong"'),
    "yaml": (yaml, "after_colon", lambda value, column, role, style: " wrong"),
    "toml": (toml_edit, "splice", lambda text, splices: text + "\nwrong = 1\n"),
}


@pytest.mark.parametrize(("name", "planted"), WRONG_VALUES.items(), ids=WRONG_VALUES)
def test_the_product_itself_refuses_a_wrong_value(fuzz, monkeypatch, name, planted):
    monkeypatch.setattr(*planted)
    counts = fuzz.run(seed=4, edits=400, name=name)
    assert counts.refused > 50
    assert not [one for one in counts.failures if "holds" in one]
