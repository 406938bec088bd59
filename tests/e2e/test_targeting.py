"""Machines are chosen by signed labels and by facts, from the command line, on real agents and a real broker."""

import pytest


@pytest.fixture(scope="module")
def three(fleets, waiting):
    fleet = fleets()
    a, b, c = fleet.site("lab-a"), fleet.site("lab-b"), fleet.site("pc-c")
    c.state.mkdir(parents=True, exist_ok=True)
    c.settings('[this_machine]\nlabels = { room = "blue", role = "dev" }\n')
    fleet.found(a)
    fleet.join(a, b)
    fleet.join(a, c)
    waiting("everybody told what it is", lambda: all(one["has_known"] for one in a.ask("machines")["machines"]))
    return a, b, c


def meant(site, *words):
    return [one["machine"] for one in site.json("machines", *words)]


def test_labels_are_given_shown_and_chosen_by(three, waiting):
    a, b, _ = three
    a.roosync("label", "lab-a", "role=dev", "site=paris")
    shown = a.roosync("label", "--on", "lab-* or pc-c", "ring=1", "--preview").out
    assert "Would sign: sign other labels (machines: 3)" in shown
    assert meant(a, "lab-b") == ["lab-b"]
    a.fails("label", "--on", "lab-*", "ring=1", "--json", says="--yes")
    done = a.json("label", "--on", "lab-*", "ring=1", "--yes")
    assert [one["after"] for one in done["changed"]] == [
        {"ring": "1", "role": "dev", "site": "paris"},
        {"ring": "1"},
    ]
    listed = {one["machine"]: one["labels"] for one in a.json("label")}
    assert listed == {"lab-a": {"ring": "1", "role": "dev", "site": "paris"}, "lab-b": {"ring": "1"}, "pc-c": {}}
    waiting("every machine reads the law", lambda: meant(b, "ring=1") == ["lab-a", "lab-b"])
    assert meant(b, "role=dev") == ["lab-a"], "a machine's own word is no label"
    assert meant(b, "local.role=dev and local.room=blue") == ["pc-c"]
    assert meant(b, "not role=*") == ["lab-b", "pc-c"]
    a.roosync("label", "lab-a", "site-")
    waiting("taken away", lambda: "site" not in next(iter(b.json("machines", "lab-a")))["labels"])


def test_facts_files_limits_and_mistakes(three, tmp_path):
    a, _, c = three
    system = a.json("machines", "lab-a")[0]["facts"]["os"]
    assert meant(a, f"os={system} and present=yes") == ["lab-a", "lab-b", "pc-c"]
    assert meant(a, "version>=0.0.1 and not lab-*") == ["pc-c"]
    assert meant(a, "has:python3 or all", "--limit", "2", "--seed", "x") == meant(
        c, "all", "--limit", "60%", "--seed", "x"
    ), "the same on every machine"
    names = tmp_path / "names"
    names.write_text("# tonight\nlab-b   # the second\n\nlocal.room=blue and not lab-a\n")
    assert meant(a, f"@{names}") == ["lab-b", "pc-c"]
    assert meant(a, f"not @{names}") == ["lab-a"]
    names.write_text("lab-b\nlab-z or (\n")
    a.fails("machines", f"@{names}", says=["names, line 2", "something has to follow", "^"])
    a.fails("machines", "lab-a and rol=dev", says=["no machine has a label 'rol'", "            ^^^"])
    a.fails("machines", "x-*", says=["means no machine of this fleet", "lab-a, lab-b, pc-c"])
    a.fails("machines", "--on", "lab-a", "--on", "lab-b", says="--on is given twice")
    a.fails("machines", "@/nowhere/at/all", says="can not be read")
    a.fails("label", "lab-a", "os=linux", says="means something else")
    a.fails("label", "lab-z", "role=dev", says=["no machine of this fleet", "did you mean lab-"])


def test_what_chooses_elsewhere(three, waiting):
    a, b, c = three
    answered = a.json("ping", "ring=1 or pc-c")
    assert [row["machine"] for row in answered["machines"]] == ["lab-a", "lab-b", "pc-c"]
    a.fails("ping", "pc-x", says="is no machine of this fleet")
    shown = a.roosync("cycle", "start", "--route", "deployment", "--on", "ring=1", "--preview").out
    assert "2 of 3: lab-a; lab-b" in shown
    assert a.json("cycle", "list") == []
    some = ("cycle", "start", "--route", "deployment", "--on", "ring=1 or pc-c", "--seed", "1")
    a.fails(*some, "--limit", "1", says="packages of 2 machines at least")
    assert len(a.json(*some, "--limit", "2")["participants"]) == 2
    a.roosync("cycle", "abort")
    asked = a.json("request", "role=dev or pc-c", "--action", "publish", "--wait", "20")
    assert [(one["to"], one["status"]) for one in asked["requests"]] == [("lab-a", "done"), ("pc-c", "done")]
    sent = c.json("message", "send", "ring=1 and not role=dev", "--subject", "Hello", "--body", "you")
    assert sent["to"] == ["lab-b"]
    waiting("it came", lambda: [one["subject"] for one in b.json("message", "inbox")["messages"]] == ["Hello"])


def test_they_outlive_a_renewal_and_end_with_a_revocation(three, waiting):
    a, b, _ = three
    a.roosync("renew")
    assert meant(a, "ring=1") == ["lab-a", "lab-b"]
    b.stop()
    a.roosync("revoke", "lab-b", "--yes")
    waiting("nobody chooses it", lambda: meant(a, "ring=1") == ["lab-a"])
    a.fails("machines", "lab-b", says="no machine of this fleet")


def test_the_table_fits_80_columns(three):
    a, *_ = three
    for words in ([], ["all or lab-*"], ["--facts"], ["role=dev or lab-a"]):
        out = a.roosync("machines", *words, env={"COLUMNS": "80"}).out
        print(out)
        assert max(map(len, out.splitlines())) <= 80, out
    assert "role=dev" in a.roosync("machines", env={"COLUMNS": "80"}).out
