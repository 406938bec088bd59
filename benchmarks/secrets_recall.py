"""How many secrets are hidden, and how much that is none? Beside detect-secrets, on one corpus in the same run.

    python benchmarks/secrets_recall.py [--seed 1] [--verbose] [--alone]

The corpus (`secrets_corpus`) is drawn from the seed: 500 secrets of more than 100 vendors' shapes and 500 innocent
look-alikes, where they stand in the files of coding assistants. A secret counts as found by us only when no piece of
six signs of it (of half of it, when it is shorter) is left in the public form; a look-alike counts as a false positive
when anything of its entity is hidden. detect-secrets reads the same as files, with its default plugins and filters: a
secret counts as found when it reports a line on which a piece of it stands, a look-alike when it reports a line of it.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path

from figures import tell
from secrets_corpus import Case, innocent_cases, secret_cases, strings

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.secrets import find_secrets, hide, reveal

Judge = Callable[[Case], bool]


def pieces(secret: str) -> set[str]:
    """Every piece of a line of it that would give something away."""
    size = max(1, min(6, (len(secret) + 1) // 2))
    return {secret[at : at + size] for at in range(len(secret) - size + 1)}


def left(case: Case, public: Entity) -> list[str]:
    """The pieces of the secret that stand in the public form, and would not without it."""
    shown = "\n".join(strings(public.value))
    given = {piece for secret in case.secrets for piece in pieces(secret)}
    return sorted(piece for piece in given if piece in shown and piece not in case.around)


def hidden(case: Case) -> bool:
    """Is nothing of the secret left? Also checks that the public form passes the gate and gives the value back."""
    public, secrets = hide(case.entity)
    if reveal(public, secrets) != case.entity or find_secrets(public.value):
        raise RuntimeError(f"hiding and revealing do not invert each other: {case.name}")
    return not left(case, public)


def taken(case: Case) -> bool:
    return bool(hide(case.entity)[1])


def lines_of(case: Case) -> set[int]:
    """The lines of the file with a piece of the secret, or of the look-alike."""
    text = case.file[1]
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        for secret in case.secrets:
            parts = [part for part in secret.splitlines() if part.strip()]
            if any(part in line or part.replace("\\", "\\\\").replace('"', '\\"') in line for part in parts):
                found.add(number)
    return found or set(range(1, len(text.splitlines()) + 1))


class Peer:
    """detect-secrets over files in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scan = import_module("detect_secrets.core.scan").scan_file
        self.settings: Callable[[], AbstractContextManager[object]] = import_module(
            "detect_secrets.settings"
        ).default_settings

    def lines(self, case: Case) -> set[int]:
        end, text = case.file
        return self.of_text(text, end)

    def of_text(self, text: str, end: str) -> set[int]:
        path = self.folder / f"file{end}"
        path.write_text(text, encoding="utf-8")
        return {finding.line_number for finding in self.scan(str(path))}

    def sees(self, case: Case) -> bool:
        return bool(self.lines(case) & lines_of(case))


def count(title: str, cases: list[Case], judge: Judge, wanted: bool, verbose: bool) -> None:
    """One figure, and with --verbose the figures by place and what was judged wrongly."""
    wrong = [case for case in cases if judge(case) is not wanted]
    tell(title, f"{len(cases) - len(wrong) if wanted else len(wrong)} of {len(cases)}")
    if not verbose:
        return
    total, missed = Counter(case.place for case in cases), Counter(case.place for case in wrong)
    for place, number in sorted(total.items()):
        tell(f"  {title} in {place}", f"{number - missed[place] if wanted else missed[place]} of {number}")
    for case in wrong:
        print(f"    {title}, {'missed' if wanted else 'taken'}: {case.name}")


def speed(title: str, work: Callable[[str], object], texts: Iterable[str]) -> None:
    """Seconds of processor time for each MB of text."""
    start, size = time.process_time(), 0
    for text in texts:
        work(text)
        size += len(text.encode())
    tell(f"{title}_s_per_mb", (time.process_time() - start) / size * 1e6)


def hide_text(text: str) -> object:
    return hide(Entity(key="roo.rules/a.md", kind=Kind.TEXT, value=text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without detect-secrets")
    options = parser.parse_args()
    secrets, innocent = secret_cases(options.seed), innocent_cases(options.seed)
    text = "\n".join(case.file[1] for case in (*secrets, *innocent))
    tell("vendors_shapes", len({case.name.split(" ", 1)[1].split(" (")[0] for case in secrets}))
    count("recall", secrets, hidden, True, options.verbose)
    count("false_positives", innocent, taken, False, options.verbose)
    speed("one_text", hide_text, [text])
    if options.alone:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            peer = Peer(Path(folder))
        except ImportError:
            tell("detect_secrets", "not installed")
            return
        with peer.settings():
            count("detect_secrets_recall", secrets, peer.sees, True, options.verbose)
            count("detect_secrets_false_positives", innocent, peer.sees, False, options.verbose)
            speed("detect_secrets_one_text", lambda text: peer.of_text(text, ".md"), [text])


if __name__ == "__main__":
    main()
