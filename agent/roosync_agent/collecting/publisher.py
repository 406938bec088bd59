"""Publishing this machine's package: contents first, then the announcement; only what is not there yet.

The announcement is made again only when the files it lists changed, so a re-collection of an unchanged
machine publishes nothing.
"""

from msgspec import Struct

from roosync_agent.collecting.local import Looked
from roosync_agent.session import Session
from roosync_agent.state import State
from roosync_protocol import package
from roosync_protocol.baseline import next_version
from roosync_protocol.digest import digest_bytes
from roosync_protocol.messages import PackageReport

NAME = "published.json"


class Published(Struct, frozen=True, kw_only=True):
    """What was announced last, kept in the state folder."""

    version: str
    files: str  # hash over the list of files; the manifest itself has a time in it
    manifest: str
    complete: bool


class Publisher:
    def __init__(self, session: Session, state: State) -> None:
        self._session = session
        self._state = state
        self._last = state.read(NAME, Published)

    async def publish_if_changed(self, looked: Looked) -> Published:
        """The package as the bus has it after this."""
        built = self._build(looked, None)
        known = self._session.fleet.package(self._session.name)
        same = self._last and self._last.files == built.files and self._last.complete == built.complete
        if self._last and same and known and known.manifest == self._last.manifest:
            return self._last
        return await self.publish(looked)

    async def publish(self, looked: Looked, version: str | None = None, description: str = "") -> Published:
        """Publishes now, with the next version or a given one. ValueError when the version is none."""
        built = self._build(looked, version, description)
        for sha, data in built.package.contents.items():
            if sha != built.package.manifest_hash:
                await self._session.contents.put(data)
        await self._session.contents.put(built.package.contents[built.package.manifest_hash])
        manifest = built.package.manifest
        report = PackageReport(
            agent=self._session.name,
            timestamp=self._session.now(),
            version=manifest.version,
            manifest=built.package.manifest_hash,
            files=len(manifest.files),
            entities=len(looked.entities),
            complete=built.complete,
            targets=tuple(sorted(looked.trusted)),
            skipped=tuple(f"{s.path}: {s.reason}"[:500] for s in looked.collection.skipped[:100]),
        )
        await self._session.say(report)
        self._last = Published(
            version=manifest.version,
            files=built.files,
            manifest=built.package.manifest_hash,
            complete=built.complete,
        )
        self._state.write(NAME, self._last)
        return self._last

    def _build(self, looked: Looked, version: str | None, description: str = "") -> "_Built":
        previous = self._last.version if self._last else None
        chosen = next_version(previous, version) if version or previous else next_version(None, None)
        files = [file for file in looked.collection.contents() if file.target in looked.trusted]
        built = package.build(self._session.name, chosen, self._session.now(), files, description)
        listed = "\n".join(f"{file.path} {file.hash}" for file in built.manifest.files)
        complete = bool(files) and not looked.quarantine
        return _Built(package=built, files=digest_bytes(listed.encode()), complete=complete)


class _Built(Struct, frozen=True, kw_only=True):
    package: package.Package
    files: str
    complete: bool
