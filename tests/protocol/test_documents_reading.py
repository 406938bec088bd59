"""Reading is tolerant where people and tools are careless, and ends in DocumentError where the file is wrong."""

import pytest

from roosync_protocol.documents import (
    FORMATS,
    Delete,
    DocumentError,
    EditRefused,
    Limits,
    Set,
    comments_within,
    edit,
    parse,
    sniff,
)

BOM = b"\xef\xbb\xbf"

READABLE = {
    "nothing": ("json", b"", {}),
    "white space": ("jsonc", b" \r\n\t", {}),
    "nothing but a mark": ("json", BOM, {}),
    "the mark twice": ("json", BOM + BOM + b'{"a": 1}', {"a": 1}),
    "comments only": ("jsonc", b"// x\n/* y */", {}),
    "comments in json": ("json", b'{"a": 1, // one\n /* two */ "b": 2}', {"a": 1, "b": 2}),
    "trailing commas": ("json", b'{"a": [1, 2,], /* x */ }', {"a": [1, 2]}),
    "a comma behind a long comment": ("json", b"[1 /*" + b"x" * 500 + b"*/ ,]", [1]),
    "what looks like a comment in a string": ("json", b'{"a": "http://x /* no */", }', {"a": "http://x /* no */"}),
    "CRLF and tabs": ("json", b'{\r\n\t"a":\t1\r\n}\r\n', {"a": 1}),
    "a great number": ("json", b"[12345678901234567890123]", [12345678901234567890123]),
    "beyond the first plane": ("json", '{"a": "𝒳", "b": "\\ud835\\udcb3"}'.encode(), {"a": "𝒳", "b": "𝒳"}),
    "half a pair": ("json", b'["\\ud800"]', ["\ud800"]),
    "types": ("json", b"[1, 1.0, true, null]", [1, 1.0, True, None]),
    "200 deep": ("json", b"[" * 200 + b"]" * 200, None),
    "yaml: nothing": ("yaml", b"", {}),
    "yaml: null": ("yaml", b"# x\n---\n~\n", {}),
    "yaml: words of 1.2": ("yaml", b"[on, yes, 017, 0o17, 1_000, 1:30, 2001-01-01]", None),
    "yaml: numbers": ("yaml", b"[1, -1, 0x1F, 1.5, 1e3, .5, +2]", [1, -1, 31, 1.5, 1000.0, 0.5, 2]),
    "yaml: names are strings": ("yaml", b"1: a\ntrue: b\n'2': c", {"1": "a", "true": "b", "2": "c"}),
    "yaml: an alias": ("yaml", b"a: &x {k: 1}\nb: *x", {"a": {"k": 1}, "b": {"k": 1}}),
    "yaml: a merge": ("yaml", b"- &x {k: 1, l: 2}\n- <<: *x\n  l: 3", [{"k": 1, "l": 2}, {"l": 3, "k": 1}]),
    "yaml: tags of the core": ("yaml", b"[!!str 1, !!float 1, !!int 1, ! 1]", ["1", 1.0, 1, "1"]),
    "yaml: what ended lines in 1.1": ("yaml", "a: x\u2028y\u0085z".encode(), {"a": "x\u2028y\u0085z"}),
    "yaml: json": ("yaml", b'{"a": [1, "x"]}', {"a": [1, "x"]}),
    "yaml: CRLF in a literal": ("yaml", b"a: |\r\n  x\r\n  y\r\n", {"a": "x\ny\n"}),
    "toml: nothing": ("toml", b"", {}),
    "toml: tables": (
        "toml", b"a.b=1\n[c]\nd=[1,]\n[[e]]\n[[e]]\nf=1", {"a": {"b": 1}, "c": {"d": [1]}, "e": [{}, {"f": 1}]},
    ),
    "toml: dates": ("toml", b"a=1979-05-27\nb=07:32:00", {"a": "1979-05-27", "b": "07:32:00"}),
    "text: CRLF": ("text", BOM + b"a\r\nb", "a\nb"),
    "text: nothing": ("markdown", b"", ""),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "value"), READABLE.values(), ids=READABLE)
def test_what_is_careless_is_read(name, data, value):
    document = parse(data, name)
    assert document.data == data
    if value is not None:
        assert repr(document.value) == repr(value)


def test_yaml_1_1_words_are_strings():
    value = parse(READABLE["yaml: words of 1.2"][1], "yaml").value
    assert value == ["on", "yes", 17, 15, "1_000", "1:30", "2001-01-01"]


WRONG = {  # what is said, and in which line
    "a name twice": ("json", b'{"a": 1,\n "b": {"c": 1,\n "c": 2}}', "'c' is there twice", 3),
    "a name twice, in other letters": ("json", b'{"a": 1,\n"\\u0061": 2}', "'a' is there twice", 2),
    "a name twice, in a file with comments": ("jsonc", b'{// x\n"a": 1,\n"a": 2}', "'a' is there twice", 3),
    "no comma": ("json", b'{\n\n"a": 1 "b": 2}', "delimiter", 3),
    "no comma, behind comments": ("jsonc", b'/*\n*/{"a": 1 // x\n"b": 2}', "delimiter", 3),
    "a comma alone": ("json", b"[,]", "Expecting", 1),
    "two commas": ("json", b"[1,,]", "Expecting", 1),
    "a comma for a value": ("json", b'{"a":,}', "Expecting", 1),
    "a comment that does not end": ("json", b"{} /* x", "Extra data", 1),
    "a comment that ends too soon": ("json", b"{} /*/", "Extra data", 1),
    "a string over lines": ("json", b'{"a": "x\n"}', "control character", 1),
    "a string over lines that looks like a comment": ("json", b'{"a": "/*\n*/"}', "control character", 1),
    "not a number": ("json", b"[NaN]", "NaN", None),
    "too many digits": ("json", b"9" * 5000, "digits", None),
    "Latin 1": ("json", b'{\n"a": "\xe9"}', "UTF-8", 2),
    "UTF-16": ("json", "{}".encode("utf-16"), "UTF-16", None),
    "zero bytes in text": ("text", b"a\n\0", "zero byte", 2),
    "zero bytes in yaml": ("yaml", b"a: \0", "not allow", 1),
    "yaml: a name twice": ("yaml", b"a: 1\nb: 2\na: 3", "'a' is there twice", 3),
    "yaml: two documents": ("yaml", b"a: 1\n---\nb: 2", "more than one document", 2),
    "yaml: a tag": ("yaml", b"a: 1\nb: !!python/object:os.system x", "python/object", 2),
    "yaml: binary": ("yaml", b"a: !!binary aGk=", "!!binary", 1),
    "yaml: not what its tag says": ("yaml", b"a: !!int secret", "!!int", 1),
    "yaml: says it is 1.1": ("yaml", b"%YAML 1.1\n---\na: on", "1.1", None),
    "yaml: a list as name": ("yaml", b"? [a]\n: b", "plain text", 1),
    "yaml: no anchor": ("yaml", b"a: *x", "no anchor", 1),
    "yaml: inside of itself": ("yaml", b"a: &a [*a]", "inside of", 1),
    "yaml: a merge of itself": ("yaml", b"&a {<<: *a}", "inside of", 1),
    "yaml: tab": ("yaml", b"a:\n\tb: 1", "token", 2),
    "toml: a name twice": ("toml", b"a = 1\na = 2", "overwrite", None),
    "toml: broken": ("toml", b"a = 1\nb = \n", "Invalid value", 2),
    "toml: no such day": ("toml", b"a = 1979-02-31", "day|date", None),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "reason", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_line(name, data, reason, line):
    with pytest.raises(DocumentError, match=reason) as caught:
        parse(data, name)
    assert line is None or caught.value.line == line
    assert "secret" not in str(caught.value)


N = 10_000
BOMB = b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)
)
HOSTILE = {
    "open brackets": ("json", b"[" * N),
    "deep lists": ("json", b"[" * N + b"]" * N),
    "deep lists with comments": ("jsonc", b"[/**/" * N + b"]" * N),
    "deep objects": ("json", b'{"a":' * N + b"1" + b"}" * N),
    "one too deep": ("json", b"[" * 201 + b"]" * 201),
    "yaml: open brackets": ("yaml", b"[" * N),
    "yaml: deep lists": ("yaml", b"[" * N + b"]" * N),
    "yaml: deep dashes": ("yaml", b"- " * N + b"x"),
    "yaml: deep names": ("yaml", b"? " * N + b"x"),
    "yaml: a bomb": ("yaml", BOMB),
    "yaml: a bomb of one string": ("yaml", b"a: &a '" + b"x" * 10**6 + b"'\nb: [" + b",".join([b"*a"] * 100) + b"]"),
    "toml: deep lists": ("toml", b"a=" + b"[" * N + b"]" * N),
    "toml: deep tables": ("toml", b"a=" + b"{a=" * N + b"1" + b"}" * N),
    "toml: values": ("toml", b"a = [" + b"1," * 600_000 + b"]"),
    "toml: dots": ("toml", b"a." * N + b"b=1"),
    "toml: dots between quotes": ("toml", b'["a"' + b'. "a"' * N + b"]"),
    "comments that never end": ("json", b"/*" * 200_000),
    "quotes that never end": ("json", b'"' + b'\\"' * 200_000 + b"\n"),
    "commas": ("json", b"[" + b", " * 200_000),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("name", "data"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_ends_in_the_same_error(name, data):
    with pytest.raises(DocumentError):
        parse(data, name)


@pytest.mark.parametrize("name", FORMATS)
def test_the_size_is_limited(name):
    with pytest.raises(DocumentError, match="limit of 100"):
        parse(b" " * 101, name, limits=Limits(size=100))
    assert parse(b" " * 100, name, limits=Limits(size=100)).data


def test_an_edit_keeps_to_the_limits():
    document = parse(b'{"a": 1}', "json", limits=Limits(size=20, depth=3))
    for value in ("x" * 30, [[[1]]], [[[[]]]]):
        with pytest.raises(EditRefused):
            edit(document, [Set(("a",), value)])
    assert edit(document, [Set(("a",), [[1]])]).limits == document.limits


def test_an_unknown_format_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="xml"):
        parse(b"", "xml")


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (b'{"customModes": []}', ".roomodes", "json"),
        (BOM + b'\n  {"customModes": []}', "/x/.roomodes", "json"),
        (b"// c\n{}", ".roomodes", "json"),
        (b"customModes: []", ".roomodes", "yaml"),
        (b"", ".roomodes", "yaml"),
        (b"", "settings.json", "json"),
        (b"", "x.code-workspace", "jsonc"),
        (b"", "custom_modes.YAML", "yaml"),
        (BOM + b'\n{"customModes": []}\n', "custom_modes.yaml", "json"),
        (b'{"a": NaN}', "custom_modes.yaml", "yaml"),
        (b"{customModes: []}", "custom_modes.yaml", "yaml"),
        (b'{"customModes": []} # said', "custom_modes.yaml", "yaml"),
        (b"[" * 100_000, "custom_modes.yaml", "yaml"),
        (b"{" * 100_000, "custom_modes.yaml", "yaml"),
        (b"", "config.toml", "toml"),
        (b"", "CLAUDE.md", "markdown"),
        (b"{}", "unknown", "json"),
        (b"x", "unknown", "text"),
    ],
)
def test_sniff(data, name, wanted):
    assert sniff(data, name) == wanted


@pytest.mark.parametrize(("data", "name"), [(b'{"a": 1}', "json"), (b"a: 1\n", "yaml"), (b"a = 1\n", "toml")])
def test_a_refused_edit_changes_nothing_and_tells_no_value(data, name):
    document = parse(data, name)
    for change in (Delete(("b",)), Set(("a", "b"), "secret"), Set(("b",), {"x": "secret", "y": {1: 2}}), Delete(())):
        with pytest.raises(EditRefused) as caught:
            edit(document, [Set(("a",), 2), change])
        assert "secret" not in str(caught.value)
    assert document.data == data
    assert document.value == {"a": 1}


WITHIN = {
    "JSON has none": ("json", '{"a": {"x": 1}}', ("a",), {}),
    "JSONC": ("jsonc", '{"a": {\n// why\n// so\n"x": 1,\n"y": 2 // aside\n}}', ("a",), {"x": ("why", "so")}),
    "a list": ("jsonc", '{"a": [\n// why\n1,\n2\n]}', ("a",), {0: ("why",)}),
    "YAML": ("yaml", "a:\n  # why\n  x: 1\n  y: 2\n", ("a",), {"x": ("why",)}),
    "a list in YAML": ("yaml", "a:\n  - 1\n  # why\n  - 2\n", ("a",), {1: ("why",)}),
    "what a merge brings": ("yaml", "b: &b\n  # why\n  x: 1\na:\n  <<: *b\n  # own\n  y: 2\n", ("a",), {"y": ("own",)}),
    "what an alias repeats": ("yaml", "b: &b\n  # why\n  x: 1\na: *b\n", ("a",), {}),
    "TOML": ("toml", "[a]\n# why\nx = 1\n# who\n[a.y]\nz = 1\n", ("a",), {"x": ("why",), "y": ("who",)}),
    "nothing there": ("yaml", "a: 1\n", ("b",), {}),
    "no container": ("yaml", "a: 1\n", ("a",), {}),
    "text": ("text", "# why\nx\n", (), {}),
}


@pytest.mark.parametrize(("name", "text", "path", "wanted"), WITHIN.values(), ids=WITHIN)
def test_comments_within_a_container(name, text, path, wanted):
    assert comments_within(parse(text.encode(), name), path) == wanted
