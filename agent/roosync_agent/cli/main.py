"""`roosync`: the way in. The commonest question, `status`, is answered with the standard library alone.

Everything else is loaded when it is asked for: bare Python starts in 13 ms, click takes 53, a fresh
connection to the bus 300.
"""

import sys

QUICK = {"status", "get-status"}


def main() -> None:
    words = sys.argv[1:]
    if words and words[0] in QUICK and set(words[1:]) <= {"--json"}:
        from roosync_agent.cli.quick import quick_status

        code = quick_status(as_json="--json" in words)
        if code is not None:
            sys.exit(code)
    from roosync_agent.cli.app import run

    sys.exit(run())
