"""Twenty agents take one approved change in waves; it halts in the middle, a person looks, and it goes on.

Real processes, and everything is seen as a person sees it: what the commands print, and what lies on the disks.
"""

import json
from itertools import chain

import pytest

SETTINGS = ".claude/settings.json"
MODEL = "claude.settings/model"
TWENTY = tuple(f"m{number:02}" for number in range(1, 21))
WAVES = (TWENTY[:1], TWENTY[1:6], TWENTY[6:11], TWENTY[11:16], TWENTY[16:])
STRICT = "m09"  # in the third wave: its own check refuses the model


def settings(model):
    return json.dumps({"model": model}, indent=2) + "\n"


@pytest.fixture(scope="module")
def fleet(fleets):
    """A desk, from where the person works, and twenty machines, all in step."""
    made = fleets()
    desk = made.site("desk")
    for site in (desk, *(made.site(name) for name in TWENTY)):
        site.write(SETTINGS, settings("opus"))
    made.found(desk)
    codes = {name: made.invite(desk, "--machine", name) for name in TWENTY}
    admitting = desk.begin("admit", "--yes", "--minutes", "5")
    for name, code in codes.items():
        made.sites[name].roosync("join", code)
    admitting.terminate()
    admitting.wait(40)
    strict(made.sites[STRICT])
    for name in TWENTY:
        made.sites[name].process = made.sites[name].begin("agent")
    made.publish(desk)
    desk.until_synced()
    return made


def strict(site):
    check = f"! grep -q haiku '{site.path(SETTINGS)}' || {{ echo 'no haiku here'; false; }}"
    site.settings(f"[apply]\ncheck = {json.dumps(['sh', '-c', check])}\n")


def having(fleet, model):
    return tuple(name for name in TWENTY if json.loads(fleet.sites[name].read(SETTINGS))["model"] == model)


def test_it_halts_in_the_middle_and_names_everybody(fleet, waiting):
    desk = fleet.sites["desk"]
    desk.write(SETTINGS, settings("haiku"))
    decision = desk.decision("pending", machine="desk", entity=MODEL)
    desk.roosync("decision", "approve", decision["id"], "--action", "override_remote", "--yes")
    waiting("the twenty are asked", lambda: len(desk.decisions(status="pending", entity=MODEL)) == len(TWENTY))
    told = desk.roosync("rollout", "start", "--entity", MODEL, "--yes", codes=(4,), env={"COLUMNS": "80"}).out
    assert "on 20 machines, the same on each" in told
    assert "no haiku here" in told
    assert "roosync rollout resume" in told
    assert max(map(len, told.splitlines())) <= 80
    shown = desk.json("rollout", "show", codes=(4,))
    ends = {row["machine"]: row["state"] for row in shown["machines"]}
    assert {name for name in TWENTY if ends[name] == "changed"} == set(chain(*WAVES[:3])) - {STRICT}
    assert (ends[STRICT], {ends[name] for name in chain(*WAVES[3:])}) == ("failed", {"not_begun"})
    assert set(having(fleet, "haiku")) == set(chain(*WAVES[:3])) - {STRICT}, "nobody else was touched"
    assert "rollout show" in desk.roosync("status", codes=(4,)).out


def test_what_failed_is_mended_and_it_goes_on_to_the_end(fleet, waiting):
    desk, mended = fleet.sites["desk"], fleet.sites[STRICT]
    mended.stop()
    mended.settings("")
    mended.up("agent")
    done = desk.json("rollout", "resume", "--yes", codes=(0,))
    assert {row["machine"]: row["state"] for row in done["machines"]} == dict.fromkeys(TWENTY, "changed")
    assert having(fleet, "haiku") == TWENTY
    attempts = {d["machine"]: d["attempt"] for d in desk.decisions(entity=MODEL) if d["machine"] in TWENTY}
    assert attempts == {name: 2 if name == STRICT else 1 for name in TWENTY}, "only what failed was tried again"
    desk.until_synced()
    assert "20 changed" in desk.roosync("rollout", "show").out
