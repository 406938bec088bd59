"""What a fleet says to a French person has no English sentence left in it, whichever room said it first.

Two machines whose files are in French, and a person who uses most commands, rightly and wrongly. Everything that is
printed is looked through for the small words without which no English sentence can be.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

ENGLISH = (
    "the", "is", "of", "not", "was", "that", "are", "with", "which", "what", "nothing", "has", "will", "be", "it", "by",
    "from", "and", "who", "yet", "already", "until", "there", "this", "its", "when", "been", "have", "were",
)  # fmt: skip
SMALL = re.compile(rf"(?<![\w.'/-])({'|'.join(ENGLISH)})(?![\w'/-]|\.\w)", re.IGNORECASE)
STATES = r"\bnot (set up|here|read)\b"  # of targets: the same in every language, as all states
MODES = """# les modes de l'équipe
customModes:
  - slug: revue
    name: Revue
    roleDefinition: Tu relis les changements.   # court
    groups: [read]
"""
MCP = '{"mcpServers": {"github": {"command": "npx", "args": ["-y", "server-github"], "env": {"TOKEN": "%s"}}}}\n'
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ456789"

RIGHT = (  # what is asked of a fleet in step, and of one whose memory was edited on beta
    "status", "machines", "machines --facts", "label", "label beta role=dev", "targets", "collect", "collect --dry-run",
    "publish", "compare", "compare --other beta", "diffs", "apply --dry-run", "decisions", "decisions --all", "secrets",
    "baseline show", "baseline versions", "baseline export {folder}/law.json", "baseline propose", "topology", "locks",
    "ping", "history", "history beta --since 1h", "policy show", "policy set medium=automatic --yes", "snapshots",
    "quarantine show", "mcp-servers", "mcp-servers show github", "explain roo.mcp/github", "explain .claude/CLAUDE.md",
    "explain beta:roo.mcp/github", "cycle start --timeout 5", "cycle list", "cycle show", "cycle metrics", "requests",
    "request beta --action compare --timeout 1", "message send beta --subject Bonjour --body Salut", "message inbox",
    "rollout list", "update show", "report status", "export {folder}/export", "imported", "pause", "resume --fleet",
    "renew", "edit {folder}/a.json --set a 1 --dry-run", "edit {folder}/a.json --set a 1 --yes", "inventory",
    "cycle report", "observer create", "label beta role=new --preview", "doctor", "doctor --all",
    "broker nodes {folder}/nodes --node a=127.0.0.1:5000 --node b=127.0.0.1:5001 --node c=127.0.0.1:5002",
)  # fmt: skip
WRONG = (
    "nonsense", "decision show d-000000000000", "decision approve d-000000000000", "label zzz role=dev",
    "compare --other zzz", "machines 'role=('", "explain /nowhere", "cycle show c-1", "rollout show r-1",
    "message read m-1", "join code", "baseline restore", "baseline restore 9.9.9",
    "baseline choose nothing --take alpha", "history --since soon", "edit {folder}/none.json --set a 1",
    "edit {folder}/a.json", "edit {folder}/a.json --delete zzz", "tail nothing", "import-share {folder}/none",
    "imported compare zzz", "quarantine release roo.mcp", "snapshots restore s-1", "update require 9.9",
    "policy set medium=maybe", "collect zzz", "apply zzz", "secrets set zzz", "revoke zzz --yes", "admit", "init",
    "label beta role=!", "request zzz --action compare", "cycle start --targets ,", "ping zzz",
)  # fmt: skip


@pytest.fixture(scope="module")
def fleet(fleets):
    made = fleets()
    for name in ("alpha", "beta"):
        site = made.site(name)
        site.extra = {"LANGUAGE": "fr"}
        site.write(".roo/mcp.json", "{}")
        site.write(".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", MCP % TOKEN)
        site.write(".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/custom_modes.yaml", MODES)
        site.write(".claude/CLAUDE.md", f"# Mémoire\n\nJe suis {name}.\n")
    made.in_step(*made.sites.values())
    return made


def english(text):
    """The lines of `text` that have a small English word in them, what a person types and states aside."""
    lines = (re.sub(rf"`[^`]*`|roosync [^;()]*|{STATES}", "", line) for line in text.splitlines())
    return [line for line in lines if SMALL.search(line)]


def test_nothing_that_is_said_stays_english(fleet, waiting, tmp_path):
    alpha, beta = fleet.sites.values()
    (tmp_path / "a.json").write_text("{}\n")
    left = {}

    def say(site, words):
        ran = site.roosync(*(word.strip("'").format(folder=tmp_path) for word in words.split(" ")), codes=None)
        if found := english(ran.out + ran.err):
            left[f"{site.name}: {words}"] = found

    for words in RIGHT:
        say(alpha, words)
    with ThreadPoolExecutor(3) as pool:  # none of these changes anything for another
        list(pool.map(partial(say, alpha), WRONG))
    beta.write(".claude/CLAUDE.md", "# Mémoire\n\nAutre chose.\n")
    waiting("the edit is a decision", lambda: alpha.decisions(machine="beta", status="pending"))
    one = alpha.decisions(machine="beta", status="pending")[0]["id"]
    for words in ("status", "diffs", "decisions", f"decision show {one}", f"decision approve {one} --yes",
                  f"decision approve {one} --yes", f"explain {'beta:claude.memory/CLAUDE.md'}"):  # fmt: skip
        say(alpha, words)
    alpha.decision("applied", machine="beta")
    for words in (f"decision show {one}", f"decision rollback {one}", f"history {one}", "report divergence " + one):
        say(alpha, words)
    for words in ("snapshots", "compare", "message inbox", "apply", "quarantine show"):
        say(beta, words)
    beta.write(".claude.json", '{"mcpServers": ')
    waiting("alpha is told", lambda: alpha.row("beta")["unread"])
    say(alpha, "status")
    say(beta, "compare")
    founding = english("".join(alpha.said[:2] + beta.said))
    assert not left, "\n".join(f"{words}\n    " + "\n    ".join(lines) for words, lines in left.items())
    assert not founding
