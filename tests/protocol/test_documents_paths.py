"""Paths as people write them: what `show` prints is read back; what is wrong is said with its place."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_protocol.documents.edits import get, show
from roosync_protocol.documents.paths import PathError, Where, near, parse, resolve, selector, typed

READ = {
    "customModes[0].slug": ("customModes", 0, "slug"),
    "mcpServers.github.env": ("mcpServers", "github", "env"),
    'mcpServers["a.b"]': ("mcpServers", "a.b"),
    "mcpServers['a.b'].x": ("mcpServers", "a.b", "x"),
    "customModes[slug=code].name": ("customModes", Where("slug", "code"), "name"),
    'a[slug="x ]y"]': ("a", Where("slug", "x ]y", quoted=True)),
    "a[\"x=\"='1'][-1]": ("a", Where("x=", "1", quoted=True), -1),
    "a[b=]": ("a", Where("b", "")),
    ".": (),
    ".a.b": ("a", "b"),
    ".[0]": (0,),
    "[0][1]": (0, 1),
    "a.0": ("a", "0"),
    "$schema": ("$schema",),
    "[editor.x y='1']": (Where("editor.x y", "1", quoted=True),),
    '["[python]"]["editor.tabSize"]': ("[python]", "editor.tabSize"),
    'a["\\u00e9\\ud83d\\ude00\\n\\x41\\U0001F600\\\\\\""]': ("a", 'é😀\nA😀\\"'),
    'a[""]': ("a", ""),
    "a b.c'd.e=f": ("a b", "c'd", "e=f"),
}
UNCLEAR = {  # path: the character at which it is not understood, and what is said
    "a..b": (3, "a name is missing"),
    "a.": (3, "a name is missing"),
    "a[": (3, "in brackets stands"),
    "a[x]": (3, "in brackets stands"),
    "a[1.5]": (3, "in brackets stands"),
    "a[]": (3, "in brackets stands"),
    "a[x=1": (6, "here should be ]"),
    "a[x=1[": (6, "here should be ]"),
    'a["x': (3, "not closed"),
    'a["x"': (6, "] or ="),
    "a]b": (2, "without ["),
    'a."b"': (3, '["like this"]'),
    "a[0]b": (5, "after ]"),
    'a["ab\\q"]': (6, "\\q is no escape"),
    'a["\\u12"]': (4, "is no escape"),
    'a["\\UFFFFFFFF"]': (4, "is no escape"),
}
VALUE = {
    "customModes": [{"slug": "code", "n": 1}, {"slug": "ask", "id": 3, "on": True}, {"slug": "twin"}, {"slug": "twin"}],
    "mcpServers": {"github": {"env": {}}, "0": 1},
    "none": None,
    "text": "x",
}
FOUND = {
    "customModes[slug=ask].id": ("customModes", 1, "id"),
    "customModes[id=3]": ("customModes", 1),
    "customModes[on=true]": ("customModes", 1),
    "customModes.0.slug": ("customModes", 0, "slug"),
    "customModes[-4].slug": ("customModes", 0, "slug"),
    "mcpServers.0": ("mcpServers", "0"),
    ".": (),
}
MADE = {  # what need not be there yet
    "mcpServers.new.env.X": ("mcpServers", "new", "env", "X"),
    "none.a[0]": ("none", "a", 0),
    "customModes[4].slug": ("customModes", 4, "slug"),
}
NOWHERE = {
    "mcpServers.gihtub.env": "mcpServers has no 'gihtub'; did you mean 'github'?",
    "mcpServers.zzz": "mcpServers has no 'zzz'; it has 'github', '0'",
    "mcpServers.github.env.A": "mcpServers.github.env has no 'A'; it is empty",
    "mcpServers[0]": "mcpServers is a map, and [0] an index: a name is written mcpServers.0",
    "mcpServers[a=b]": "mcpServers is a map: its members have names, and [a=b] finds elements of lists",
    "customModes.code": "and 'code' a name: write an index or a choice: 'customModes[0]' or 'customModes[slug=code]'",
    "customModes[5]": "customModes has 4 elements, and [5] is none of them",
    "customModes[-5]": "customModes has 4 elements, and [-5] is none of them",
    "customModes[slug=cod]": "no element of customModes has slug=cod; did you mean 'code'?",
    "customModes[sluk=code]": "no element of customModes has a 'sluk'",
    "customModes[id='3']": "no element of customModes has id=3",
    "customModes[slug=twin]": "customModes has 2 elements with slug=twin: say 'customModes[2]' or 'customModes[3]'",
    "text.a": "text is a text, and nothing is inside of it",
    "none.a": "none is null, and nothing is inside of it",
    "customModes[0].n.x": "customModes[0].n is a number, and nothing is inside of it",
}


@pytest.mark.parametrize("text", READ)
def test_a_path_is_read(text):
    assert parse(text) == READ[text]


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_not_understood_is_said_with_its_place(text):
    at, what = UNCLEAR[text]
    with pytest.raises(PathError) as refused:
        parse(text)
    assert f"at character {at}:" in str(refused.value)
    assert what in str(refused.value)


def test_an_empty_path_is_no_document():
    with pytest.raises(PathError, match=r"write \. for the whole"):
        parse("")


@pytest.mark.parametrize("text", FOUND)
def test_a_place_is_found(text):
    path = resolve(VALUE, parse(text))
    assert path == FOUND[text]
    get(VALUE, path)  # it is there


@pytest.mark.parametrize("text", MADE)
def test_a_place_may_be_new(text):
    assert resolve(VALUE, parse(text), new=True) == MADE[text]
    with pytest.raises(PathError):
        resolve(VALUE, parse(text))


@pytest.mark.parametrize("text", NOWHERE)
def test_what_is_nowhere_is_said_with_what_is_near(text):
    with pytest.raises(PathError) as refused:
        resolve(VALUE, parse(text))
    assert NOWHERE[text] in str(refused.value)


@pytest.mark.parametrize("text", ["customModes[slug=none]", "new[slug=code]", "text.a", "mcpServers[0]"])
def test_what_can_not_be_made_is_refused_also_as_new(text):
    with pytest.raises(PathError):
        resolve(VALUE, parse(text), new=True)


def test_a_selector_alone():
    assert selector("slug=code") == Where("slug", "code")
    assert selector("code") is None
    assert selector("0") is None
    assert selector("a=b]c") is None


def test_many_names_are_listed_in_part():
    assert near("zz", [f"name{n}" for n in range(9)]).endswith("'name5', ...")


names = st.text(max_size=8) | st.text("a.[]'\"\\=\n\r\t$ 0é\u200b\x1b", max_size=8)
paths = st.lists(names | st.integers(0, 999), min_size=1, max_size=6).map(tuple)


@given(paths)
def test_what_is_shown_is_read_back(path):
    assert parse(show(path)) == path


@given(st.text('ab.[]"\\x=0-\n', max_size=12))
def test_any_text_is_a_path_or_refused_in_words(text):
    try:
        steps = parse(text)
    except PathError:
        return
    assert steps or text == "."


@given(names, names.filter(bool))
def test_an_element_is_found_by_any_value_that_can_be_written(value, name):
    quoted = [f"[{part!r}" for part in (name, value)]
    steps = parse(f"{quoted[0]}={quoted[1][1:]}]")
    assert resolve([{name: "other" + value}, {name: value}], steps) == (1,)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield from places(inner, (*path, step))


@given(values)
def test_every_place_of_a_value_is_found_by_what_is_shown_of_it(value):
    for path in places(value):
        if path:
            assert resolve(value, parse(show(path))) == path
            assert resolve(value, parse(show(path)), new=True) == path


TYPED = {
    ("customModes", 0, "slug"): "'customModes[0].slug'",
    ("editor.size",): """'["editor.size"]'""",
    ("a", "b-c", "d"): "a.b-c.d",
    ("it's",): """'it'"'"'s'""",
    (): ".",
}


@pytest.mark.parametrize("path", TYPED)
def test_a_path_is_typed_in_a_shell(path):
    assert typed(path) == TYPED[path]


@given(st.lists(st.text(max_size=4) | st.integers(0, 9), max_size=4).map(tuple))
def test_what_a_shell_leaves_of_a_typed_path_is_the_path(path):
    (word,) = shlex.split(typed(path))
    assert parse(word) == path
