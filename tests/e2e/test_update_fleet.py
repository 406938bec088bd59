"""An operator requires a version of three machines, with real processes and a real git repository of tags.

Two end in the new version, one goes back by itself and is named; once what kept it is mended, it is tried again.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_protocol import __version__

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

ROOT = Path(__file__).parents[2]
ROOMS = ("protocol", "broker", "agent")
NAMES = ("alpha", "beta", "gamma")
RUN = "agent/roosync_agent/running/agent.py"
BEGINS = "    try:\n        stop = stop_event()\n"
KEPT = """    import os, pathlib
    if (pathlib.Path(os.environ["ROOSYNC_STATE"]) / "kept-back").exists():
        raise RuntimeError("this machine is kept back")
"""
NEXT = "{}.{}.0".format(__version__.split(".")[0], int(__version__.split(".")[1]) + 1)
SETTINGS = """
[update]
recipe = "git"
source = "{source}"
build = [["{{python}}", "-m", "compileall", "-q", "{{release}}/agent/roosync_agent/running"]]
start = ["{python}", "-P", "-m", "roosync_agent"]
environment = {{ PYTHONPATH = "{{release}}/protocol:{{release}}/broker:{{release}}/agent" }}
health_timeout = 20
disk_reserve_mb = 1
"""


def git(folder, *words):
    own = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@x", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@x"}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=os.environ | own)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A repository with one tag: the next version, which does not start where a machine is kept back."""
    folder = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    version, run = folder / "protocol/roosync_protocol/__init__.py", folder / RUN
    version.write_text(version.read_text().replace(f'"{__version__}"', f'"{NEXT}"'))
    assert BEGINS in run.read_text()
    run.write_text(run.read_text().replace(BEGINS, KEPT + BEGINS))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "next")
    git(folder, "tag", f"v{NEXT}")
    return folder


@pytest.fixture(scope="module")
def three(fleets, source):
    fleet = fleets()
    for name in NAMES:
        site = fleet.site(name)
        site.write(".claude/settings.json", '{"model": "opus"}\n')
        site.settings(SETTINGS.format(source=source, python=sys.executable))
    alpha, *others = fleet.sites.values()
    fleet.found(alpha)
    for site in others:
        fleet.join(alpha, site, start=False)
        site.up("up")
    return fleet


def states(answer):
    return {row["machine"]: row["state"] for row in answer["machines"]}


REFUSED = {  # what is asked -> what is said
    "no version": (("require", "latest"), "is no version"),
    "the same version": (("require", __version__, "--revision", f"v{__version__}"), "every machine that is meant runs"),
    "an older version": (("require", "0.0.1", "--revision", "v0.0.1"), "takes nobody back"),
    "an option as a tag": (("require", NEXT, "--revision", "--upload-pack=x"), "is no name of a tag"),
    "half a commit": (("require", NEXT, "--revision", f"v{NEXT}", "--commit", "abc123"), "is no commit"),
    "nobody": (("require", NEXT, "--on", "nobody-*"), "nobody-*"),
    "a wave of nobody": (("require", NEXT, "--waves", "0%"), "is nobody"),
    "nothing to withdraw": (("withdraw",), "nothing to withdraw"),
    "nothing to show": (("show",), "no update was required yet"),
}


@pytest.mark.parametrize(("words", "says"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_before_anything_is_signed(three, words, says):
    alpha = three.sites["alpha"]
    alpha.fails("update", *words, *(["--yes"] if words[0] == "require" else []), says=says)
    assert alpha.json("rollout", "list") == []


def test_a_preview_shows_who_begins_when_and_signs_nothing(three):
    alpha = three.sites["alpha"]
    told = alpha.roosync("update", "require", NEXT, "--revision", f"v{NEXT}", "--preview", env={"COLUMNS": "80"}).out
    assert "Wave 1      1 machine   beta" in told
    assert f"They run    {__version__}" in told
    assert alpha.json("rollout", "list") == []


def test_a_tag_that_does_not_exist_is_refused_by_the_canary_and_nobody_else_begins(three):
    alpha = three.sites["alpha"]
    words = ("update", "require", NEXT, "--revision", "v99.9.9", "--yes")
    ran = alpha.roosync(*words, codes=(4,), env={"COLUMNS": "80"})
    assert "1 refused" in ran.out
    shown = alpha.json("update", "show")
    assert states(shown) == {"alpha": "not_begun", "beta": "refused", "gamma": "not_begun"}
    assert "v99.9.9" in shown["machines"][0]["reason"]
    alpha.fails("update", "require", NEXT, "--revision", f"v{NEXT}", says=["is halted", "--replace"])


def test_two_end_in_the_new_version_and_one_goes_back_and_is_named(three, waiting):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    (gamma.state / "kept-back").touch()
    words = ("update", "require", NEXT, "--revision", f"v{NEXT}", "--replace", "--canary", "alpha,beta", "--yes")
    ran = alpha.roosync(*words, codes=(4,), env={"COLUMNS": "80"}, timeout=150)
    assert "2 changed, 1 FAILED (of 3 machines)" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80, ran.out
    shown = alpha.json("update", "show")
    rows = {row["machine"]: row for row in shown["machines"]}
    assert states(shown) == {"alpha": "changed", "beta": "changed", "gamma": "failed"}
    assert rows["gamma"]["phase"] == "returned"
    assert any("kept back" in line for line in rows["gamma"]["log"]), rows["gamma"]
    waiting("gamma is back", lambda: gamma.row("gamma"))
    assert {name: row["runs"] for name, row in rows.items()} == {"alpha": NEXT, "beta": NEXT, "gamma": __version__}


def test_what_went_back_is_tried_again_when_a_person_says_so(three):
    alpha, gamma = three.sites["alpha"], three.sites["gamma"]
    (gamma.state / "kept-back").unlink()
    done = alpha.json("update", "resume", "--yes", codes=(0,), timeout=150)
    assert states(done) == {"alpha": "changed", "beta": "changed", "gamma": "changed"}
    assert alpha.roosync("update", "show").code == 0
    alpha.fails("update", "require", NEXT, "--revision", f"v{NEXT}", says="every machine that is meant runs")


def test_a_deployment_takes_the_version_that_is_required(three, waiting):
    alpha = three.sites["alpha"]
    alpha.roosync("cycle", "start", "--route", "deployment", "--timeout", "2")
    waiting("all have the version", lambda: "version" in
            [one["checkpoint"] for one in alpha.ask("cycle_show", id_=None)["reached"]])  # fmt: skip
    withdrawn = alpha.json("update", "withdraw")
    assert withdrawn["withdrawn"]
    assert not withdrawn["in_force"]
    alpha.fails("update", "withdraw", says="nothing to withdraw")
