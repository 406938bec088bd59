"""Between what a file says and what is compared: the seam where one thing has several spellings.

    file --common--> common form --secrets hidden, paths as tokens--> public form
    file <-spelled-- common form <--this machine's paths and secrets-- public form

Each assistant spells an MCP server in its own way (`servers`), and gives its profiles ids that no other machine
knows (`profiles`). A form turns that into one value that is the same everywhere, and back into the spelling of the
file at hand. It must lose nothing: what it does not know passes through under its own name, and `spelled` of an
unchanged value is the file's own.
"""

from typing import Protocol

from roosync_protocol.names import Value


class FormError(ValueError):
    """The value can not be read, or not be said, in this spelling; the text says why and is safe to be shown."""


class Form(Protocol):
    """`name` is the entity's, `whole` the whole document that it stands in (for what one part says of another)."""

    def common(self, name: str, value: Value, whole: Value) -> Value:
        """The file's value in common form. FormError when the file contradicts itself."""
        ...

    def spelled(self, name: str, value: Value, now: Value | None, whole: Value) -> Value:
        """A common value as this file says it; `now` is what stands there, whose spelling is kept where it can be.

        FormError when this file has no words for it.
        """
        ...
