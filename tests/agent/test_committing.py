"""A baseline in a real git repository: what is in the commit, what never is, and each way it can not be done."""

import os
import shutil
import subprocess

import pytest

from roosync_agent.operations.baseline.committing import commit_baseline, require_ready
from roosync_agent.operations.baseline.git import Repository
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_protocol.baseline import Commons
from roosync_protocol.baseline_file import BaselineFile, read
from roosync_protocol.entity import Entity, Kind


def git(folder, *words, check=True):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=check)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """No configuration of whoever runs the tests."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / "répo with space"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ana")
    git(folder, "config", "user.email", "ana@example.org")
    return folder


def baseline(version="1.2.0", revision=3, model="opus"):
    entity = Entity(key="claude.settings/model", kind=Kind.SETTING, value=model)
    return BaselineFile(version=version, revision=revision, commons=Commons(entities={entity.key: entity}), overlays={})


def test_the_commit_names_version_revision_and_signer_and_has_only_ours(repo):
    (repo / "theirs.txt").write_text("staged")
    (repo / "other.txt").write_text("not staged")
    git(repo, "add", "theirs.txt")
    done = commit_baseline(repo, baseline(), "operator-ana", "for the\nspring")
    assert done.made
    assert git(repo, "rev-parse", "HEAD") == done.commit
    assert git(repo, "show", "--format=", "--name-only", "HEAD").splitlines() == [
        "baseline.json", "configs/1.2.0/baseline.json",
    ]  # fmt: skip
    message = git(repo, "log", "-1", "--format=%B")
    assert message.splitlines()[0] == "Baseline 1.2.0, revision 3, signed by operator-ana"
    assert "for the spring" in message
    assert {"RooSync-Version: 1.2.0", "RooSync-Revision: 3", "RooSync-Signer: operator-ana"} <= {*message.splitlines()}
    assert git(repo, "status", "--porcelain").splitlines() == ["A  theirs.txt", "?? other.txt"]
    assert read((repo / "baseline.json").read_bytes()) == baseline()


def test_the_same_again_is_nothing_to_commit_and_the_next_is_a_commit(repo):
    first = commit_baseline(repo, baseline(), "operator-ana")
    again = commit_baseline(repo, baseline(), "operator-ana")
    assert (again.made, again.commit) == (False, first.commit)
    second = commit_baseline(repo, baseline("1.3.0", 4, "sonnet"), "operator-ana")
    assert second.made
    assert (repo / "configs/1.2.0/baseline.json").exists()
    assert git(repo, "rev-list", "--count", "HEAD") == "2"


def test_a_crash_between_writing_and_committing_is_carried_on(repo, monkeypatch):
    real = Repository.run
    monkeypatch.setattr(
        Repository, "run", lambda self, *words, **more: 1 / 0 if words[0] == "add" else real(self, *words, **more)
    )
    with pytest.raises(ZeroDivisionError):
        commit_baseline(repo, baseline(), "operator-ana")
    monkeypatch.setattr(Repository, "run", real)
    assert commit_baseline(repo, baseline(), "operator-ana").made
    assert git(repo, "status", "--porcelain") == ""


def test_no_hook_no_signing_no_environment_of_another_repository(repo, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    for hook in (
        "pre-commit",
        "commit-msg",
        "post-commit",
        "prepare-commit-msg",
        "reference-transaction",
        "post-index-change",
    ):
        path = repo / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\necho {hook} >> '{ran}'\nexit 1\n")
        path.chmod(0o755)
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\necho monitor >> '{ran}'\n")
    monitor.chmod(0o755)
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.program", str(monitor))
    git(repo, "config", "core.fsmonitor", str(monitor))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    done = commit_baseline(repo, baseline(), "operator-ana")
    monkeypatch.undo()
    assert done.made
    assert not ran.exists()
    assert git(repo, "log", "-1", "--format=%an") == "Ana"


def test_a_detached_worktree_is_fine(repo, tmp_path):
    commit_baseline(repo, baseline(), "operator-ana")
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    done = commit_baseline(tmp_path / "tree", baseline("1.3.0", 4, "haiku"), "operator-ana")
    assert done.made
    assert git(tmp_path / "tree", "rev-parse", "HEAD") == done.commit
    assert git(repo, "rev-parse", "main") != done.commit


def test_a_folder_inside_a_repository(repo):
    (repo / "sync").mkdir()
    commit_baseline(repo / "sync", baseline(), "operator-ana")
    assert "sync/baseline.json" in git(repo, "ls-files")


def spoil(repo, how, tmp_path):
    match how:
        case "no repository":
            return tmp_path
        case "no folder":
            return tmp_path / "nowhere"
        case "bare":
            git(tmp_path, "init", "-q", "--bare", "bare.git")
            return tmp_path / "bare.git"
        case "inside .git":
            return repo / ".git"
        case "dirty":
            commit_baseline(repo, baseline("1.0.0", 1), "operator-ana")
            (repo / "baseline.json").write_text("mine")
        case "untracked":
            (repo / "baseline.json").write_text("mine")
        case "staged":
            (repo / "baseline.json").write_text("mine")
            git(repo, "add", "baseline.json")
        case "link":
            (repo / "baseline.json").symlink_to(tmp_path / "outside.json")
        case "link inside":
            (repo / "real.json").write_text("x")
            (repo / "baseline.json").symlink_to("real.json")
        case "ignored":
            (repo / ".gitignore").write_text("*.json\n")
        case "merging":
            commit_baseline(repo, baseline("1.0.0", 1), "operator-ana")
            (repo / ".git" / "MERGE_HEAD").write_text(git(repo, "rev-parse", "HEAD") + "\n")
        case "nobody":
            git(repo, "config", "user.useConfigOnly", "true")
            git(repo, "config", "--unset", "user.email")
        case "locked":
            (repo / ".git" / "index.lock").write_text("")
    return repo


@pytest.mark.parametrize(
    ("how", "says", "early"),
    [
        ("no repository", "is not in a git repository", True),
        ("no folder", "is no folder", True),
        ("bare", "no work tree", True),
        ("inside .git", "no work tree", True),
        ("dirty", "has changes that are not committed", True),
        ("untracked", "has changes that are not committed", True),
        ("staged", "has changes that are not committed", True),
        ("link", "is a link", True),
        ("link inside", "is a link", True),
        ("ignored", "is ignored", True),
        ("merging", "in the middle of a merge", True),
        ("nobody", "git does not know who you are", True),
        ("locked", "could not be added", False),
    ],
)
def test_what_is_in_the_way_is_told_before_anything_is_written(repo, tmp_path, how, says, early):
    folder = spoil(repo, how, tmp_path)
    before = git(repo, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if early:
        with pytest.raises(RefusedRequestError, match=says):
            require_ready(folder)
    with pytest.raises(RefusedRequestError, match=says):
        commit_baseline(folder, baseline(), "operator-ana")
    assert git(repo, "rev-parse", "--verify", "--quiet", "HEAD", check=False) == before
    assert not (tmp_path / "outside.json").exists()
    assert how == "locked" or not (repo / "configs" / "1.2.0").exists()


def test_without_git_it_is_said(repo, monkeypatch):
    monkeypatch.setenv("PATH", str(repo))
    with pytest.raises(RefusedRequestError, match="git is not on the PATH"):
        require_ready(repo)


@pytest.mark.parametrize("version", ["../../x", "a/b\n", ""])
def test_a_version_never_leads_out(repo, version):
    with pytest.raises(RefusedRequestError):
        commit_baseline(repo, baseline(version), "operator-ana")
    assert not (repo / "baseline.json").exists()


# -- a repository that was written to harm whoever commits into it


def _filtered(kind, names="*"):
    def spoil(repo, program):
        (repo / ".gitattributes").write_text(f"{names} filter=e\n")
        git(repo, "config", f"filter.e.{kind}", str(program))
        git(repo, "config", "filter.e.required", "true")

    return spoil


def _included(repo, program):
    """A name that no command line can override, from a file that the configuration includes."""
    (repo / "more.cfg").write_text(f'[filter "e=x"]\n  clean = {program}\n')
    (repo / ".gitattributes").write_text("theirs.txt filter=e=x\n")
    git(repo, "config", "include.path", "../more.cfg")


def _fetching(*settings):
    """The tree of HEAD is missing: git would fetch it, with what the configuration names."""

    def spoil(repo, program):
        tree = git(repo, "rev-parse", "HEAD^{tree}")
        for name, value in (("extensions.partialClone", "e"), ("remote.e.promisor", "true"), *settings):
            git(repo, "config", name, value.format(repo=repo, program=program))
        git(repo, "config", "core.repositoryFormatVersion", "1")
        (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()

    return spoil


def _shadowed(repo, program):
    shutil.copy(program, repo / "git")


EXECUTES = {  # -> what the repository tries, and whether a commit is made all the same
    "a filter of ours": (_filtered("clean"), False),
    "a process of ours": (_filtered("process"), False),
    "a filter of another file": (_filtered("clean", "theirs.txt"), True),
    "a process of another file": (_filtered("process", "theirs.txt"), True),
    "a name with a sign": (_included, False),
    "a remote's own program": (_fetching(("remote.e.url", "{repo}"), ("remote.e.uploadpack", "{program}")), False),
    "a remote that is a program": (
        _fetching(("remote.e.url", "ext::{program}"), ("protocol.ext.allow", "always")),
        False,
    ),
    "a remote over its own ssh": (_fetching(("remote.e.url", "ssh://x/y"), ("core.sshCommand", "{program}")), False),
    "a program called git": (_shadowed, True),
}


@pytest.mark.parametrize(("spoil", "commits"), EXECUTES.values(), ids=EXECUTES)
def test_nothing_that_a_repository_names_is_executed(repo, tmp_path, monkeypatch, spoil, commits):
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho run >> '{ran}'\nexit 1\n")
    program.chmod(0o755)
    (repo / "theirs.txt").write_text("theirs")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "theirs")
    spoil(repo, program)
    ran.unlink(missing_ok=True)
    (repo / "theirs.txt").write_text("there is another size now")
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", os.environ["PATH"]]))
    if commits:
        assert commit_baseline(repo, baseline(), "operator-ana").made
    else:
        with pytest.raises(RefusedRequestError):
            commit_baseline(repo, baseline(), "operator-ana")
    assert not ran.exists()


@pytest.mark.parametrize("name", ["COMMIT_EDITMSG", "logs/HEAD", "logs/refs/heads/main", "index", "refs/heads", "logs"])
def test_git_writes_through_no_link(repo, tmp_path, name):
    """A line of the log has the committer's name, which the repository's configuration says: `x;rm -r ...`."""
    commit_baseline(repo, baseline(), "operator-ana")
    inside, outside = repo / ".git" / name, tmp_path / "outside"
    inside.rename(outside)
    inside.symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())
    with pytest.raises(RefusedRequestError, match="is a link"):
        commit_baseline(repo, baseline("1.3.0", 4), "operator-ana")
    assert (outside.read_bytes() if outside.is_file() else sorted(outside.iterdir())) == before


@pytest.mark.parametrize("how", ["file", "commondir"])
def test_a_tree_that_points_at_another_repository_is_refused(repo, tmp_path, how):
    git(repo, "commit", "-qm", "theirs", "--allow-empty")
    tree = tmp_path / "tree"
    tree.mkdir()
    if how == "file":
        (tree / ".git").write_text(f"gitdir: {repo / '.git'}\n")
    else:
        git(tree, "init", "-q", "-b", "main")
        (tree / ".git" / "commondir").write_text(f"{repo / '.git'}\n")
    with pytest.raises(RefusedRequestError, match="knows nothing of it"):
        commit_baseline(tree, baseline(), "operator-ana")
    assert git(repo, "rev-list", "--count", "HEAD") == "1"


def test_a_further_work_tree_and_a_submodule_are_repositories_too(repo, tmp_path):
    git(repo, "commit", "-qm", "first", "--allow-empty")
    git(repo, "worktree", "add", "-q", str(tmp_path / "more"))
    assert commit_baseline(tmp_path / "more", baseline(), "operator-ana").made
    above = tmp_path / "above"
    git(tmp_path, "init", "-q", str(above))
    git(above, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo), "below")
    for name in ("name", "email"):
        git(above / "below", "config", f"user.{name}", "ana@example.org")
    assert commit_baseline(above / "below", baseline(), "operator-ana").made
