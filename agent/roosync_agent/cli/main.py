"""`roosync`: the way in. The commonest questions, `status` and `ping`, are answered with the standard library alone.

Everything else is loaded when it is asked for: bare Python starts in 13 ms, click takes 53, a fresh
connection to the bus 300.
"""

import os
import sys

QUICK = {"status": "status", "get-status": "status", "ping": "ping"}
STOPPED = 130  # the exit code after Ctrl-C


def main() -> None:
    try:
        _speakable()
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while something was imported, or before there was anything to stop
        code = _stopped()
    except RuntimeError as error:  # so Python 3.11 calls a Ctrl-C while a class is made
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        code = _stopped()
    try:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command is over, and Python's own end shows a traceback
        code = _told_all(code)
    except KeyboardInterrupt:
        code = STOPPED
    sys.exit(code)


def _run(words: list[str]) -> int:
    if words and words[0] in QUICK and set(words[1:]) <= {"--json"}:
        from roosync_agent.cli.quick import quick

        code = quick(QUICK[words[0]], as_json="--json" in words)
        if code is not None:
            return code
    from roosync_agent.cli.app import run

    return run()


def _stopped() -> int:
    from roosync_agent.wording import tr

    print("\n" + tr("Stopped; nothing further was done."), file=sys.stderr)
    return STOPPED


def _speakable() -> None:
    """Streams that take every text: one that was closed swallows it, one of few letters spells the others."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed by who called: the next file that is opened must not be taken for it
            descriptor = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            setattr(sys, name, os.fdopen(descriptor, "r" if number == 0 else "w", encoding="utf-8"))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _told_all(code: int) -> int:
    """The exit code, when all that was said could be written; Python would complain about it after its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        from roosync_agent.wording import tr

        print(tr("Error: the answer could not be written: {why}", why=error.strerror), file=sys.stderr)
        code = 1
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
