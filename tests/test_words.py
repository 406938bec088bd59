"""What a person reads can be said in their language: no text of a face escapes its catalogue, and no catalogue lags.

`docs/translating.md` has the rules. A text that a test here names goes through `tr`, `trn` or `mark` where it is said,
or, when it is no sentence (a command, a name of a program), into `NO_SENTENCES`.
"""

import ast
import gettext
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_agent import wording
from roosync_agent.wording import LANGUAGES

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("make_catalogue", ROOT / "docs/make_catalogue.py")
catalogue = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(catalogue)

AGENT = ROOT / "agent/roosync_agent"
FACES = sorted([*(AGENT / "cli").rglob("*.py"), *(AGENT / "demo").rglob("*.py")])
# What a person types, and names, are the same in every language.
COMMAND = re.compile(r"\s*(\S+\$ )?(roosync|nats) [a-z{][^.;:(]*")
SAME = re.compile(r"roosync [a-z][a-z -]*|UTC|CHECKPOINT|nats-server -c nats-server.conf")
HEAD = re.compile(r"(?!SIG)[A-Z][A-Z0-9/%() -]+")  # of a column
# Keywords whose texts are found by themselves, or are no sentences.
NOT_READ = ("help", "short_help", "epilog", "prompt", "metavar", "format", "prefix", "prog_name", "strftime")
LOOKS_FOR = ("removeprefix", "removesuffix", "startswith", "endswith", "partition", "split")
NO_TEXTS = (
    "COMMANDS",
    "ALIASES",
    "CHECK",
    "MCP",
    "INSTALL",
    "WANTED",
    "ROUTES",
    "NAMED",
    "OF_WINDOWS",
    "source_template",
)  # tables and texts of other kinds, by their names
NO_SENTENCES = {  # file: literals that look like sentences and are none
    "cli/service.py": ("loginctl enable-linger",),
    "cli/messages.py": ("MEDIUM",),  # a priority, as mail has it on the bus
    "cli/watch/terminal.py": ("the terminal is closed",),  # met by who watches, and not shown
    "cli/mcp.py": ('export {TOKEN_VARIABLE}="$(cat {shell_word})"',),
    "cli/doctor_text.py": ("not looked at",),  # a state, for which a mark is shown
    "cli/edit.py": ("NAME", "VALUE"),  # as the usage calls them
    "demo/stage.py": ("check = {dumps}",),  # a line of TOML
    "demo/homes.py": (  # what a program did wrong that calls this
        "{name} is no sample; there are {MACHINES}",
        "{home} is not empty: samples are laid into an empty folder only",
    ),
}


def escaped(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and text of each literal that a person would read and that no catalogue has."""
    aside = set(_aside(tree))
    found = []
    for node in ast.walk(tree):
        if id(node) in aside or (text := catalogue.pattern(node)) is None:
            continue
        if _is_said(text, whole=isinstance(node, ast.Constant)):
            found.append((node.lineno, text))
    return found


def _is_said(text: str, whole: bool) -> bool:
    if COMMAND.fullmatch(text.replace("...", "").replace("roosync.>", "")):
        return False
    plain = SAME.sub(" ", re.sub(r"\{\w+\}", " ", text))
    if whole:
        head = HEAD.fullmatch(text)
        return bool(head) or catalogue.is_prose(plain) or bool(re.fullmatch(r"\W*[A-Za-z]{3,}[:.!?]\s*", text))
    return " " in text and bool(re.search(r"(?<![\w-])[A-Za-z]{3,}", plain))


def _aside(tree: ast.Module):
    """The ids of nodes that are no texts, or that the catalogue finds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from map(id, ast.walk(node.body[0])) if ast.get_docstring(node) is not None else ()
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:  # its pieces; the expressions in it are looked at
                piece = part.format_spec if isinstance(part, ast.FormattedValue) else part
                yield from map(id, ast.walk(piece)) if piece is not None else ()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in catalogue.SAYS:
            yield from map(id, node.args[: catalogue.SAYS[node.func.id]])  # what is filled in is looked at
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKS_FOR:
            yield from map(id, node.args)
        elif isinstance(node, ast.Call) and catalogue._is_aside(node.func):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.keyword) and node.arg in NOT_READ:
            yield from map(id, ast.walk(node.value))
        elif (isinstance(node, ast.AnnAssign | ast.Assign) and ast.unparse(_target(node)) in NO_TEXTS) or isinstance(
            node, ast.Compare | ast.Subscript | ast.Assert
        ):
            yield from map(id, ast.walk(node))
        elif isinstance(node, ast.Dict | ast.Set):  # what is looked for, not what is said
            yield from map(id, (node.keys if isinstance(node, ast.Dict) else node.elts))
        elif isinstance(node, ast.match_case):
            yield from map(id, ast.walk(node.pattern))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "os.environ.get", "os.getenv"):
            yield from map(id, node.args)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield from map(id, ast.walk(node.annotation))


def _target(node: ast.AnnAssign | ast.Assign) -> ast.expr:
    return node.target if isinstance(node, ast.AnnAssign) else node.targets[0]


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.relative_to(AGENT).as_posix())
def test_no_text_escapes_the_catalogue(path):
    name = path.relative_to(AGENT).as_posix()
    tree = ast.parse(path.read_text("utf-8"))
    found = [(line, text) for line, text in escaped(tree) if text not in NO_SENTENCES.get(name, ())]
    told = "".join(f"\n  {name}:{line}: {text!r}" for line, text in found)
    assert not found, f"say these with tr(), trn() or mark() (docs/translating.md):{told}"


# -- the catalogues


@pytest.fixture(scope="module")
def said():
    """Every sentence of the sources, by catalogue."""
    return {domain: list(find()) for domain, find in catalogue.CATALOGUES.items()}


def messages(language, domain):
    """Rows of the .po: the English forms, the other language's."""
    for message in catalogue.load(language, domain):
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            told = message.string if isinstance(message.string, tuple) else (message.string,)
            yield forms, told


EACH = pytest.mark.parametrize(
    ("language", "domain"), [(one, domain) for one in LANGUAGES for domain in catalogue.CATALOGUES]
)


def test_each_language_has_a_folder_and_each_folder_is_a_language():
    assert {path.name for path in catalogue.LOCALE.iterdir() if path.is_dir()} == set(LANGUAGES)


@EACH
def test_the_catalogue_has_the_sentences_of_the_sources_and_no_others(language, domain, said):
    kept = {forms[0] for forms, _ in messages(language, domain)}
    wanted = {one[0] if isinstance(one, tuple) else one for one in said[domain]}
    assert wanted == kept, "run `python docs/make_catalogue.py`, and translate what it then calls missing"


@EACH
def test_no_sentence_lacks_its_translation(language, domain):
    lacking = [forms[0] for forms, told in messages(language, domain) if not all(told)]
    assert not lacking, "`python docs/make_catalogue.py missing` lists them, `... put FILE` takes translations in"


@EACH
def test_a_translation_keeps_the_names_and_its_beginning_and_end(language, domain):
    wrong = [
        text
        for forms, told in messages(language, domain)
        for text in filter(None, told)
        if not catalogue.names(text) <= catalogue.names(*forms) or _blanks(text) != _blanks(forms[-1])
    ] + [
        forms[0]
        for forms, told in messages(language, domain)
        if all(told) and catalogue.names(*told) != catalogue.names(*forms)
    ]
    assert not wrong


def _blanks(text):
    text = re.sub(r"^ (?=[:;?!])", "", text)  # as French has it before these
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


@EACH
def test_what_is_read_at_run_time_is_what_translators_wrote(language, domain):
    spoken = gettext.translation(domain, catalogue.LOCALE, [language])
    for forms, told in messages(language, domain):
        if all(told) and len(forms) > 1:
            assert (spoken.ngettext(*forms, 1), spoken.ngettext(*forms, 2)) == told
        elif all(told):
            assert spoken.gettext(forms[0]) == told[0]


# -- how it is said


SPOKEN = {  # what the environment says -> the language
    "nothing": ({}, "en"),
    "the language": ({"LANG": "fr_FR.UTF-8"}, "fr"),
    "of another country": ({"LANG": "fr_CA"}, "fr"),
    "one that nobody translated": ({"LANG": "tlh_KX"}, "en"),
    "the first of several that there is": ({"LANGUAGE": "tlh:fr:en", "LANG": "C"}, "fr"),
    "English before": ({"LANGUAGE": "en:fr"}, "en"),
    "messages before everything else": ({"LC_MESSAGES": "C", "LANG": "fr_FR"}, "en"),
    "all before messages": ({"LC_ALL": "fr_FR", "LC_MESSAGES": "C"}, "fr"),
}


@pytest.mark.parametrize(("given", "language"), SPOKEN.values(), ids=SPOKEN)
def test_the_language_is_the_environments(given, language, monkeypatch):
    speak(monkeypatch, **given)
    assert wording.language() == language


def speak(monkeypatch, **given):
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def test_a_value_is_never_taken_for_a_text_with_names(monkeypatch):
    speak(monkeypatch, LANGUAGE="fr")
    hostile = "{machine.__class__} {0} {"
    assert wording.tr("{machine} is excused", machine=hostile) == f"{hostile} est excusée"


def test_a_translation_that_lost_a_name_is_not_said(monkeypatch):
    speak(monkeypatch, LANGUAGE="fr")
    broken = gettext.NullTranslations()
    broken.gettext = lambda text: "il reste {nombre}"
    monkeypatch.setattr(wording, "_faces", lambda: broken)
    assert wording.tr("{number} are left", number=3) == "3 are left"


HELPED = {  # words -> what its help says in French, of several paragraphs, of an option, of click itself
    "the command line": ((), "Premiers pas :     roosync demo"),
    "lines that stay apart": (("edit",), "VALUE  du JSON si c'en est, un texte sinon"),
    "a second paragraph": (("locks",), "Code de sortie : 0 tous ceux qui tiennent sont là"),
    "of a command below": (("cycle", "watch"), "Suivre un cycle jusqu'à ce qu'il finisse"),
    "an option": (("cycle", "abort"), "Pourquoi."),
    "click's own words": (("locks",), "Afficher cette aide et quitter."),
}


@pytest.mark.parametrize(("words", "told"), HELPED.values(), ids=HELPED)
def test_help_is_said_in_the_persons_language(words, told):
    assert told in run(*words, "--help", LANGUAGE="fr")


EVERY_HELP = """
import click
from roosync_agent.cli.app import roosync
from roosync_agent.cli.spoken import spoken
from roosync_agent.wording import speak_to_click

def tell(command, words, parent=None):
    context = click.Context(command, parent, words[-1], max_content_width=500, terminal_width=500)
    print(f"== {' '.join(words)}", command.get_help(context), sep="\\n")
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        tell(command.get_command(context, name), [*words, name], context)

speak_to_click()
tell(spoken(roosync), ["roosync"])
"""
ENGLISH = re.compile(
    r"\b(the|is|of|and|not|was|that|are|with|which|what|nothing|has|will|be|it|by|from|this|its)\b", re.I
)
TYPED = re.compile(r"`[^`]*`|'[^']*'|and or not \( \)|^ *(-\w, )?--\S+|^ *roosync .*")


def test_no_command_has_help_that_stays_english():
    told = run(code=EVERY_HELP, LANGUAGE="fr")
    assert told.count("\n== roosync ") > 100, told[-500:]
    command, left = "", []
    for line in told.splitlines():
        command = line if line.startswith("== ") else command
        left += [f"{command}: {line}"] if ENGLISH.search(TYPED.sub(" ", line)) else []
    assert not left, "\n".join(left)


def test_an_error_is_french_for_a_person_and_english_for_a_program(tmp_path):
    (tmp_path / "own.json").write_text("{}\n")
    words = ("edit", str(tmp_path / "own.json"))
    assert "dites ce qu'il faut changer : --set PATH VALUE" in run(*words, LANGUAGE="fr")
    told = json.loads(run(*words, "--json", LANGUAGE="fr"))
    assert told["error"]["message"].startswith("say what to change: --set PATH VALUE")


def run(*words, code=None, **given):
    """What a command, or Python code, prints, in a process of its own where the help of no command was said yet."""
    environment = {name: value for name, value in os.environ.items() if name not in ("LANGUAGE", "LC_ALL", "LANG")}
    done = subprocess.run(
        [sys.executable, "-c", code] if code else [sys.executable, "-m", "roosync_agent", *words],
        env=environment | given | {"COLUMNS": "200", "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr).decode().replace("\u00a0", " ")  # before a colon, in French
