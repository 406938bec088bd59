"""Modes that we write are accepted by the assistant's own code: YAML as Roo Code reads it, then its own zod schema."""

import pytest

FILE = """# shared
customModes:
  # reads
  - slug: reader
    name: Reader  # said
    roleDefinition: "You read."
    groups: [read]
  - slug: writer
    name: 'Writer'
    roleDefinition: >-
      You write,
      and that is all.
    whenToUse: Often
    groups:
      - read
      - - edit
        - fileRegex: \\.(md|mdx)$
          description: Documents
    customInstructions: |-
      One.

      Two: three
"""
READER = {"slug": "reader", "name": "Reader", "roleDefinition": "You read.", "groups": ["read"]}
EDIT = ["edit", {"fileRegex": r"^(?!.*\.test\.ts$).*\.ts$", "description": "# no: test"}]
LONG = "Line one\n  indented: yes\n\n- item # not a comment\n\t tab\n'quotes' \"both\" \\ back\n💻 é \u2028 end"
WANTED = {
    "new": ("new-one", {"slug": "new-one", "name": "Neu: 💻", "roleDefinition": LONG, "groups": ["read", EDIT, "mcp"]}),
    "words that YAML reads as something else": (
        "on",
        {"slug": "on", "name": "1.0", "roleDefinition": "null", "whenToUse": "yes", "groups": []},
    ),
    "more groups": ("reader", READER | {"groups": ["read", "command", EDIT]}),
    "no groups": ("reader", READER | {"groups": []}),
    "instructions": ("reader", READER | {"customInstructions": LONG, "description": " lead and trail "}),
    "another pattern": (
        "writer",
        {
            "slug": "writer",
            "name": "Writer",
            "roleDefinition": "You write,\nand more.\n",
            "groups": [["edit", {"fileRegex": r"[a-z]+:\s#.*$"}]],
            "customInstructions": "One.\n\nTwo: three\n\nFour\n",
        },
    ),
    "gone": ("reader", None),
}
JSON = """{
  "customModes": [
    {"slug": "reader", "name": "R", "roleDefinition": "x", "groups": []}
  ]
}"""
SPELLED = {
    "YAML": (FILE, "\n"),
    "YAML, CRLF and a byte order mark": ("\ufeff" + FILE, "\r\n"),
    "YAML in one line": ("customModes: [{slug: reader, name: R, roleDefinition: x, groups: [read]}]", "\n"),
    "YAML, empty": ("customModes: []\n", "\n"),
    "JSON": (JSON, "\n"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "newline"), SPELLED.values(), ids=SPELLED)
def test_the_assistant_accepts_every_mode_that_was_applied(new_home, clients, text, newline):
    made = []
    for number, (slug, mode) in enumerate(WANTED.values()):
        home = new_home(f"ana{number}")
        home.write(home.MODES, text.replace("\n", newline))
        assert home.apply((f"roo.modes/{slug}", mode)).status == "applied"
        made.append((slug, mode, home.read(home.MODES)))
    answers = clients.parse("@roo-code/types", [written for *_, written in made])
    for (slug, mode, written), answer in zip(made, answers, strict=True):
        assert "error" not in answer, f"{answer['error']}\n{written}"
        read = {one["slug"]: one for one in answer["value"]["customModes"]}
        assert read.get(slug) == mode, written
