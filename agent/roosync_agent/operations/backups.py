"""The snapshots of this machine, for people. Contents stay where they are: they hold secrets."""

from pathlib import Path
from typing import Any

from roosync_agent.applying.snapshots import every
from roosync_agent.files.door import RealDoor


def list_snapshots(state: Path) -> list[dict[str, Any]]:
    """Newest last."""
    return [
        {
            "id": snapshot.id,
            "time": snapshot.time.isoformat(),
            "label": snapshot.label,
            "files": [saved.label for saved in snapshot.files],
            "entities": [key for saved in snapshot.files for key in saved.keys],
        }
        for snapshot in every(RealDoor(), state)
    ]
