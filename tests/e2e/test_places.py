"""What is new on a machine stands where its owner put it, with the comment above it, on every other machine too."""

MODES = """# modes of the team
customModes:
  # who reads
  - slug: review
    name: Review
    roleDefinition: You review changes.
    groups: [read]

  # who writes:
  # see the handbook
  - slug: docs
    name: Docs
    roleDefinition: You write.
    groups: [read, edit]

  - slug: last
    name: Last
    roleDefinition: You come last.
    groups: [mcp]
"""
SERVERS = """{
  "mcpServers": {
    "first": {"command": "first"},
    // slow in the morning
    "second": {"command": "second", "timeout": 300},
    "third": {"command": "third"}
  }
}
"""
NEW = """
  # who looks for holes
  - slug: security
    name: Security
    roleDefinition: You look for holes.
    groups: [read]
"""


def without(text, start, end):
    return text.replace(text[text.index(start) : text.index(end)], "")


def test_it_stands_where_its_owner_put_it(new_fleet, homes, waiting):
    alpha, beta = new_fleet.site("alpha"), new_fleet.site("beta")
    alpha.write(homes.modes, MODES)
    alpha.write(homes.mcp, SERVERS)
    beta.write(homes.modes, without(MODES, "  # who writes", "  - slug: last").replace("\n", "\r\n"))
    beta.write(homes.mcp, without(SERVERS, "    // slow", '    "third"'))
    new_fleet.found(alpha)
    new_fleet.join(alpha, beta)

    # from another machine, before there is a baseline
    waiting("alpha's package", lambda: beta.json("compare", "--other", "alpha")["divergences"])
    beta.roosync("apply", "--source", "alpha", "mcp", codes=None)
    beta.roosync("approve", "--all", "--risk", "critical", "--yes", codes=None)

    # from the baseline
    new_fleet.publish(alpha)
    shown = alpha.roosync("baseline", "show").out
    assert "roo.modes/docs: who writes: / see the handbook" in shown, "what will be signed is seen"
    new_fleet.settle(alpha)
    assert beta.read(homes.mcp).decode() == SERVERS
    assert beta.read(homes.modes).decode() == MODES.replace("\n", "\r\n")

    # what one machine adds, and gives to all
    text = MODES.replace("\n  # who writes", NEW + "\n  # who writes")
    beta.write(homes.modes, text.replace("\n", "\r\n"))
    waiting("it is counted", lambda: "roo.modes/security" in beta.ask("compare")["only_here"])
    beta.roosync("publish")
    waiting("it is proposed", lambda: "roo.modes/security" in alpha.json("baseline", "propose")["commons"])
    new_fleet.agree(alpha)
    assert alpha.read(homes.modes).decode() == text
