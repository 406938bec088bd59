"""What may be asked for where the key is unlocked: the table against the commands, and words that mean harm."""

import inspect
import shlex

import click
import pytest

from roosync_agent.cli.app import roosync
from roosync_agent.cli.unlock import command_line
from roosync_agent.unlocking.rules import NotAskedForError
from roosync_agent.unlocking.rules import read as read_by
from roosync_agent.unlocking.table import FREE, RULES

ASKED = {  # words -> the command that runs
    "decision approve d-1": "roosync decision approve d-1",
    "approve-decision d-1 --action merge --json": "roosync decision approve --action merge d-1",
    "decision reject d-1 --reason=--yes": "roosync decision reject --reason=--yes d-1",
    "decision reject d-1 --reason 'a; rm -rf /'": "roosync decision reject --reason 'a; rm -rf /' d-1",
    "decision reject d-1 --reason \x1b[2Jno": "roosync decision reject --reason 'no<U+001B>[2J' d-1",
    "pause beta": "roosync pause beta",
    "pause --fleet": "roosync pause --fleet",
    "label beta role=dev site-": "roosync label beta role=dev site-",
    "label -- beta -x": None,
    "rollout start --all --risk low": "roosync rollout start --no-watch --all --risk low",
    "message send bob --subject x --body y --as-operator": None,
    "approve --all --risk low --wait 10": "roosync approve --risk low --all --wait 10.0",
    "policy set medium=one": "roosync policy set medium=one",
}
REFUSED = {  # words -> why
    "decision approve d-1 --yes": "--yes is not asked for",
    "approve --all --risk critical --yes": "--yes is not asked for",
    "revoke beta --yes": "--yes is not asked for",
    "admit --yes": "--yes is not asked for",
    "init": "none of the commands",
    "init --no-passphrase": "none of the commands",
    "unlock": "none of the commands",
    "service install": "none of the commands",
    "observer create": "none of the commands",
    "edit x --set a b": "none of the commands",
    "decision": "none of the commands",
    "decision show d-1": "none of the commands",
    "decision apply d-1": "none of the commands",
    "decision approve": "Missing argument",
    "decision approve d-1 d-2": "unexpected extra argument",
    "decision approve d-1 --no-such": "No such option",
    "decision approve d-1 --here": None,
    "decision approve --help": "help",
    "decision approve -h": "help",
    "baseline publish --commit /tmp": "--commit is not asked for",
    "baseline restore --file /etc/passwd": "",
    "label @/etc/passwd role=dev": "a file of names",
    "label --on @- role=dev": "a file of names",
    "rollout start --on '(@/etc/passwd)' --all": "a file of names",
    "update require 1.2.3 --on @-": "a file of names",
    "rollout start --all --on=@/etc/passwd": "a file of names",
    "label --on=@- role=dev": "a file of names",
    "update require 1.2.3 --on='(@\"/etc/passwd\")'": "a file of names",
    "message send bob --subject x --as-operator": "signs nothing",
    "message send bob --subject x --body y": "signs nothing",
    "message send bob --subject x --body-file /etc/passwd --as-operator": "--body-file",
    "message read m-1 --as-operator --save /tmp": "--save",
    "pause": "signs nothing",
    "label": "signs nothing",
    "label beta": "signs nothing",
    "": "none of the commands",
    "--version": "none of the commands",
    "invite --json": "--json of it",
}


def read(words):
    return read_by(words, command_line())


@pytest.mark.parametrize(("words", "command"), ASKED.items(), ids=ASKED)
def test_what_is_shown_is_what_runs(words, command):
    asked = read(shlex.split(words))
    if "\x1b" in words:
        assert "\x1b" not in asked.command
        assert "<U+001B>" in asked.command
    elif command:
        assert asked.command == command
    again = read(asked.words)
    assert again.words == asked.words, "the words mean the same when they are read again"


@pytest.mark.parametrize(("words", "why"), REFUSED.items(), ids=REFUSED)
def test_what_may_not_be_asked_for(words, why, capsys):
    if why is None:
        assert "--here" not in read(shlex.split(words)).words
        return
    with pytest.raises(NotAskedForError) as told:
        read(shlex.split(words) or [""])
    assert why in str(told.value)
    assert capsys.readouterr() == ("", ""), "nothing is printed where the key is"


@pytest.mark.parametrize("form", ["--on=@{}", "--on=beta or @{}", '--on=@"{}"', "--on=(@{})"])
def test_no_file_is_opened_to_understand_words(form, tmp_path):
    """A name in it would come back in the message; of `@-` the person's next keys."""
    file = tmp_path / "names"
    file.write_text("token: sk-123 abc\n")
    for words in (["rollout", "start", "--all"], ["update", "require", "1.2.3"], ["label", "role=dev"]):
        with pytest.raises(NotAskedForError) as told:
            read([*words, form.format(file)])
        assert "sk-123" not in str(told.value)
        assert "a file of names" in str(told.value)


def test_floods_of_words():
    for words in ([], ["renew"] * 10_000, ["decision", "reject", "d", "--reason", "x" * 10_000_000]):
        with pytest.raises(NotAskedForError):
            read(words)


def command_of(path):
    command = roosync
    for name in path.split():
        command = command.get_command(click.Context(roosync), name)
    return command


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_the_table_names_what_the_commands_have(rule):
    parameters = {one.name: one for one in command_of(rule.path).params}
    named = {*rule.given, *rule.one_of, *rule.needs, *rule.names}
    assert named <= set(parameters), named - set(parameters)
    assert not named & {"yes", "dry_run", "preview", *FREE}
    for name in named:
        assert not isinstance(parameters[name].type, click.Path | click.File), f"{name} names a file"
    if rule.follows:
        assert "no_watch" in parameters
        assert command_of(rule.follows)
    assert "here" in parameters, "each of them can be signed where it was typed"


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.asks], ids=lambda rule: rule.path)
def test_what_asks_no_question_of_its_own_can_show_what_it_would_sign(rule):
    assert any("--dry-run" in one.opts for one in command_of(rule.path).params)


LEFT_OUT = {"observer create"}  # prints a credential


def test_no_command_that_signs_was_forgotten():
    paths = {rule.path for rule in RULES} | LEFT_OUT
    signing = {path for path, command in leaves(roosync) if "signed" in called(inspect.unwrap(command.callback))}
    # RooSync 2's name of `message mark`, hidden; it signs with --as-operator alone, as each of them
    assert signing - paths == {"message mark-read"}
    assert paths <= signing


def leaves(group, before=""):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield before + name, command


def called(function, seen=None):
    """Names of all that it calls, and what those call, as far as they are of the command line's own modules."""
    seen = set() if seen is None else seen
    for name in names_in(function.__code__) - seen:
        seen.add(name)
        found = function.__globals__.get(name)
        if inspect.isfunction(found) and found.__module__.startswith("roosync_agent.cli"):
            called(inspect.unwrap(found), seen)
    return seen


def names_in(code):
    below = [names_in(one) for one in code.co_consts if inspect.iscode(one)]
    return set(code.co_names).union(*below)
