"""The story of docs/guide.md: a person brings two homes into step, with nothing but terminals."""

from functools import partial
from typing import Any

from stories.terminal import KEY, MCP, PASSPHRASE, Story


def terminals_only(story: Story) -> None:
    found(story)
    first_baseline(story)
    in_step(story)


def found(story: Story) -> None:
    """Founding on the desk, and the laptop joins."""
    desk, up = story.terminal(story.desk), story.terminal(story.desk)
    desk.run("targets", "roosync targets")
    desk.run("init", "roosync init --machine desk", ("operator's key: ", PASSPHRASE), ("Once more: ", PASSPHRASE))
    up.begin("roosync up").until("Ctrl-C stops it.")
    up.show("up")
    story.wait("the agent answers", lambda: "machines" in story.ask(story.desk, "status"))
    invite, join = story.terminal(story.desk), story.terminal(story.laptop)
    invite.begin("roosync invite --address 127.0.0.1").until(*KEY)
    code = invite.until(r"roosync join (roosync1-\S+)")[1]
    join.begin(f"roosync join {code} --machine laptop").until("Waiting ...")
    invite.until(r"Admit it \[y/N\]: ", "y")
    invite.end()
    invite.show("invite")
    join.end()
    join.show("join")
    up_there = story.terminal(story.laptop)
    up_there.begin("roosync up").until("Ctrl-C stops it.")


def first_baseline(story: Story) -> None:
    """What is common is proposed, what differs is asked, a person signs it."""
    desk = story.terminal(story.desk)
    story.wait("a proposal of both", lambda: len(story.ask(story.desk, "baseline", "show").get("machines", ())) == 2)
    desk.run("status, before", "roosync status", code=3)
    desk.run("proposal", "roosync baseline show", code=3)
    desk.run("choose", "roosync baseline choose roo.mcp/github --take desk", KEY)
    desk.run("validate", "roosync baseline validate", KEY)
    desk.run("publish", "roosync baseline publish", KEY)


def in_step(story: Story) -> None:
    """The decisions that follow from the baseline, one approved after the other, and one taken back."""
    desk, laptop = story.terminal(story.desk), story.terminal(story.laptop)
    story.wait("two decisions", lambda: len(_decisions(story)) == 2)
    ids = {decision["entity"]: decision["id"] for decision in _decisions(story)}
    desk.run("diffs", "roosync diffs", code=3)
    for name in ("github", "fetch"):
        id_ = ids[f"roo.mcp/{name}"]
        desk.run(f"approve {name}", f"roosync decision approve {id_}", (r"Approve this \[y/N\]: ", "y"), KEY)
        story.wait(f"{name} is applied", partial(_applied, story, id_))
    laptop.run("the file", f"cat {MCP}")
    story.wait("both are in step", lambda: story.ask(story.desk, "status").get("status") == "synced")
    desk.run("status, in step", "roosync status")
    desk.run("rollback", f"roosync decision rollback {ids['roo.mcp/fetch']}", KEY)


def _decisions(story: Story) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = story.ask(story.desk, "decisions").get("decisions", [])
    return found


def _applied(story: Story, id_: str) -> bool:
    return bool(story.ask(story.desk, "decision", "show", id_).get("status") == "applied")
