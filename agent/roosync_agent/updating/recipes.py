"""The recipes: how a version that a campaign names becomes a release on this machine.

The campaign gives data only (a version, a tag, a commit), which is checked again here and passed as single arguments;
every command is this machine's own, from its settings. Of the source nothing is executed while it is fetched and laid
out; what a build executes is the version that an operator signed for.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import ValidationError, convert

from roosync_agent.operations.baseline.git import command_of, environment_of
from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.settings import UpdateSettings
from roosync_agent.state import State
from roosync_agent.updating.journal import Release
from roosync_agent.updating.releases import SOURCE, Releases, links_out
from roosync_agent.updating.steps import Bounds, StepError, Steps, found
from roosync_protocol.messages.law import GitCommit, GitRevision, Version

MB = 1_000_000
NO_RECIPE = "no recipe is set up on this machine; see docs/updates.md"
WANTED = "refs/roosync/wanted"  # where the tag is kept in our own copy: its own name may be in the way of another's
PROTOCOLS = "file:git:http:https:ssh"  # none that runs a command
REACHING = ("SSH_AUTH_SOCK", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
            "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
NOT_HANDED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # of the release that runs, to the one that is made
_PLACES = re.compile(r"\{(version|tag|release|python)\}")


class RecipeError(Exception):
    """The release was not made. `refused`: it never can be, as the campaign stands."""

    def __init__(self, reason: str, log: tuple[str, ...] = (), *, refused: bool = False) -> None:
        super().__init__(reason)
        self.log, self.refused = log, refused


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a campaign asks for: data, checked again before use."""

    version: str
    tag: str = ""
    commit: str = ""

    def __post_init__(self) -> None:
        for value, kind in ((self.version, Version), (self.tag, GitRevision), (self.commit, GitCommit)):
            try:
                convert(value, kind)
            except ValidationError as error:
                raise RecipeError(f"the campaign names {value[:80]!r}, which is none", refused=True) from error

    @property
    def number(self) -> str:
        return self.version.removeprefix("v")


class Making:
    """One release in the making."""

    def __init__(self, state: State, settings: UpdateSettings, wanted: Wanted, environment: Mapping[str, str]) -> None:
        self.settings, self.wanted = settings, wanted
        self.releases = Releases(state)
        self.folder = self.releases.place(wanted.version)
        tag = wanted.tag or settings.tag.replace("{version}", wanted.number)
        self._places = {
            "version": wanted.number,
            "tag": tag,
            "release": str(self.folder),
            "python": sys.executable,
        }
        self.own = {name: self.filled(value) for name, value in settings.environment.items()}
        bounds = Bounds(
            timeout=settings.step_timeout, reserve=settings.disk_reserve_mb * MB, limit=settings.release_limit_mb * MB
        )
        self.steps = Steps(state, self.folder, dict(environment) | self.own, bounds)

    @property
    def tag(self) -> str:
        return self._places["tag"]

    def filled(self, word: str) -> str:
        """With {version}, {tag}, {release} and {python} in place, each once: what is put in is not looked at again."""
        return _PLACES.sub(lambda found: self._places[found[1]], word)

    def release(self, start: tuple[str, ...]) -> Release:
        program, *words = map(self.filled, self.settings.start or start)
        whole = str(found(program, self.folder, self.steps.environment))  # it is started from another folder
        return Release(
            version=self.wanted.version, folder=self.folder.name, start=(whole, *words), environment=self.own
        )

    async def build(self, default: tuple[tuple[str, ...], ...] = ()) -> None:
        build = default if self.settings.build is None else self.settings.build
        for words in build:
            await self.steps.run([self.filled(word) for word in words])


async def make(state: State, settings: UpdateSettings, wanted: Wanted, environment: Mapping[str, str]) -> Release:
    """The whole release, beside what runs. RecipeError when it is not made: then nothing of it is left.

    `environment`: that of the agent; what belongs to the release that runs, and roosync's own names, go no further.
    """
    if settings.recipe not in RECIPES:
        raise RecipeError(NO_RECIPE, refused=True)
    own = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("ROOSYNC_", "_ROOSYNC_")) and name not in NOT_HANDED_ON
    }
    making = Making(state, settings, wanted, own)
    making.releases.prepare()
    try:
        await asyncio.to_thread(making.releases.clear, making.folder)
        making.folder.mkdir(mode=0o700)
        return await RECIPES[settings.recipe](making)
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(making.releases.clear, making.folder))
        match error:
            case StepError():
                raise RecipeError(str(error), error.log) from error
            case OSError():
                raise RecipeError(f"{error.filename or making.folder}: {error.strerror}") from error
            case RefusedRequestError():
                raise RecipeError(str(error)) from error
        raise


async def _git(making: Making) -> Release:
    commit = await _fetched(making)
    await _laid_out(making, commit)
    python = _python(making.folder / ".venv")
    await making.build(
        (
            ("{python}", "-m", "venv", "{release}/.venv"),
            (str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "{release}"),
        )
    )
    return making.release((str(python), "-P", "-m", "roosync_agent"))


async def _uv(making: Making) -> Release:
    """A folder of its own for the tool, so that the one that runs is not touched."""
    places = {"UV_TOOL_DIR": str(making.folder / "tools"), "UV_TOOL_BIN_DIR": str(making.folder / "bin")}
    asked = f"{making.settings.package}=={making.wanted.number}"
    environment = making.steps.environment | places
    await making.steps.run(["uv", "--no-progress", "tool", "install", asked], environment=environment)
    await making.build()
    name = making.settings.package.partition("[")[0]
    return making.release((str(_python(making.folder / "tools" / name)), "-P", "-m", "roosync_agent"))


async def _custom(making: Making) -> Release:
    await making.build()
    return making.release(())


RECIPES: dict[str, Callable[[Making], Awaitable[Release]]] = {"git": _git, "uv": _uv, "custom": _custom}


def _python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


async def _fetched(making: Making) -> str:
    """The commit that the tag names, fetched into our own copy."""
    bare, source, wanted = making.releases.folder / SOURCE, making.settings.source, making.wanted
    for again in (True, False):
        new = not bare.is_dir() or bare.is_symlink()
        try:
            if new:
                await asyncio.to_thread(making.releases.clear, bare)
                await _run(making, "init", "--quiet", "--bare", "--template=", str(bare))
            refs = f"+refs/tags/{making.tag}:{WANTED}"
            await _run(
                *(making, "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head"),
                *("--no-recurse-submodules", "--", source, refs),
                bare=bare,
                makes=bare,
            )
            break
        except StepError as error:
            if any("couldn't find remote ref" in line or "invalid refspec" in line for line in error.log):
                raise RecipeError(f"there is no tag {making.tag} at the source", error.log, refused=True) from error
            await asyncio.to_thread(making.releases.clear, bare)  # a source may send until the disk is full
            if new or not again:  # a copy that was left half locked by a crash is made anew, once
                raise RecipeError(f"the source could not be fetched: {error}", error.log) from error
    try:
        commit = (await _run(making, "rev-parse", "--verify", f"{WANTED}^{{commit}}", bare=bare))[-1]
    except StepError as error:
        raise RecipeError(f"the tag {making.tag} names no commit", error.log, refused=True) from error
    if wanted.commit and commit != wanted.commit:
        moved = f"the tag was moved: {making.tag} names {commit}, and the operator signed {wanted.commit}"
        raise RecipeError(moved, refused=True)
    return commit


async def _laid_out(making: Making, commit: str) -> None:
    """The files of a commit, as they were committed: no filter, no hook, no submodule, no link that leads out."""
    bare, index = making.releases.folder / SOURCE, making.releases.folder / f"index-{making.folder.name}"
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_INDEX_FILE": str(index)}
    try:
        await _run(making, "read-tree", commit, bare=bare, more=plain)
        await _run(making, "checkout-index", "--all", "--force", bare=bare, tree=making.folder, more=plain)
    finally:
        making.releases.clear(index)
    for link in await asyncio.to_thread(list, links_out(making.folder)):
        raise RecipeError(f"{link} is a link that leads out of the release; nothing was built", refused=True)


async def _run(
    making: Making,
    *words: str,
    bare: Path | None = None,
    tree: Path | None = None,
    makes: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """git, of which nothing that stands in a repository is executed."""
    where = [*([f"--git-dir={bare}"] if bare else []), *([f"--work-tree={tree}"] if tree else [])]
    config = {"transfer.fsckObjects": "true", "submodule.recurse": "false", "protocol.ext.allow": "never"}
    environment = environment_of(REACHING) | {"GIT_ALLOW_PROTOCOL": PROTOCOLS} | dict(more or {})
    return await making.steps.run(
        command_of([*where, *words], config),
        shown=f"git {words[0]}",
        folder=tree or making.releases.folder,
        environment=environment,
        makes=makes,
    )


def possible(settings: UpdateSettings) -> str:
    """Why a campaign has to be refused before anything is tried; "" when it need not."""
    if settings.recipe not in RECIPES:
        return NO_RECIPE
    if settings.recipe == "uv" and shutil.which("uv") is None:
        return "the recipe needs uv, and there is none on the PATH of the agent"
    return ""
