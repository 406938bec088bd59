"""How long do `roosync --help` and `roosync status` take, beside what no command in Python can be faster than?

    python benchmarks/cli.py [--runs 20]

Each run executes the whole command and, beside it in turn, `python -c pass` and a program that says hello with click,
because other work on the computer changes the absolute numbers: compare ratios. In English and in French, whose
catalogues are read too. `status` is asked of a resident agent of a fleet of three.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from figures import against, median, tell
from fleet import Fleet
from status import PYTHON, command, seconds

BAR = 0.10  # seconds, for each of them
LANGUAGES = {"en": {"LANGUAGE": "en"}, "fr": {"LANGUAGE": "fr"}}
HELLO = "import click\n@click.command()\ndef hello():\n    click.echo('hello')\nhello()\n"


def measure(environment: dict[str, str], runs: int, hello: Path) -> dict[str, float]:
    """Medians; the commands take turns."""
    floors = {"python": [*PYTHON, "pass"], "click_hello": [sys.executable, str(hello)]}
    ours = {"help": ["--help"], "command_help": ["decision", "approve", "--help"], "status": ["status"]}
    asked = {name: (words, environment) for name, words in floors.items()}
    for language, variables in LANGUAGES.items():
        for name, words in ours.items():
            asked[f"{name}_{language}"] = [*command(), *words], environment | variables
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(runs + 1):
        for name, (words, variables) in asked.items():
            took = seconds(words, variables, (0, 2, 3))
            if turn:  # the first one fills caches
                taken[name].append(took)
    return {name: median(values) for name, values in taken.items()}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    async with Fleet(3) as fleet:
        await fleet.agree()
        with tempfile.TemporaryDirectory() as folder:
            hello = Path(folder) / "hello.py"
            hello.write_text(HELLO, "utf-8")
            found = await asyncio.to_thread(measure, fleet.first.environment, given.runs, hello)
    for name in ("python", "click_hello"):
        tell(f"cli_floor_{name}_s", found[name])
    for name, value in found.items():
        if name in ("python", "click_hello"):
            continue
        against(f"cli_{name}_s", value, BAR)
        tell(f"cli_{name}_over_python", value / found["python"])
        tell(f"cli_{name}_over_click_hello", value / found["click_hello"])


if __name__ == "__main__":
    asyncio.run(main())
