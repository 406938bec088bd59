"""`roosync`: the way in. The commonest questions, `status` and `ping`, are answered with the standard library alone.

Everything else is loaded when it is asked for: bare Python starts in 13 ms, click takes 53, a fresh
connection to the bus 300.
"""

import sys

QUICK = {"status": "status", "get-status": "status", "ping": "ping"}


def main() -> None:
    words = sys.argv[1:]
    if words and words[0] in QUICK and set(words[1:]) <= {"--json"}:
        from roosync_agent.cli.quick import quick

        code = quick(QUICK[words[0]], as_json="--json" in words)
        if code is not None:
            sys.exit(code)
    from roosync_agent.cli.app import run

    sys.exit(run())
