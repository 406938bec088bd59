"""JSON whose owner knows comments (VS Code): the same as `json`, and new comments are written too."""

from collections.abc import Iterator

from roosync_protocol.documents import json
from roosync_protocol.documents.json import comments_above, comments_within, read
from roosync_protocol.documents.steps import Step

__all__ = ["comments_above", "comments_within", "read", "ways"]


def ways(text: str, tree: object, step: Step, newline: str) -> Iterator[str]:
    """See `formats.Format`."""
    return json.ways(text, tree, step, newline, comments=True)
