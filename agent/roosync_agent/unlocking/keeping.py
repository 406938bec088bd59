"""`roosync unlock`: holds the operator's key, shows one question after the other, and runs what the person allows.

What is run is the command itself, in this process and in this terminal, so the card and the question are those of the
command line, and nothing else can sign. The key is in the memory of this process alone, and ends with it.
"""

import contextlib
import io
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click import termui

from roosync_agent.characters import harmless
from roosync_agent.columns import hanging, paint, want_colour, width
from roosync_agent.unlocking import held
from roosync_agent.unlocking.asking import Answer
from roosync_agent.unlocking.desk import Desk, Question
from roosync_agent.unlocking.door import Door
from roosync_agent.unlocking.rules import CommandLine, read
from roosync_agent.unlocking.span import Span
from roosync_agent.unlocking.terminal import Keyboard, NoAnswerError, Tee
from roosync_agent.wording import tr, trn
from roosync_agent.yes_no import confirm, understood
from roosync_broker.keys import KeyPair

STOPPED = 130  # exit code of a command that was stopped, or whose question ended without an answer
DECLINED = 1  # of one whose question was answered with no
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Ended:
    """What the command that ran told of itself."""

    values: list[Any]
    error: dict[str, str] | None = None

    def hear(self, end: dict[str, Any]) -> None:
        if "value" in end:
            self.values.append(json.loads(json.dumps(end["value"], default=str)))
        else:
            self.error = end["error"]


class Keeper:
    """The whole of it, in the main thread; `Door` and its askers are others."""

    def __init__(self, state: Path, pair: KeyPair, seconds: float, line: CommandLine) -> None:
        self._pair = pair
        self._span = Span(seconds)
        self._until = time.strftime("%H:%M", time.localtime(self._span.until))
        self._desk = Desk()
        where = {"pid": os.getpid(), "terminal": _terminal_name()}
        self._line = line
        self._door = Door(state, self._desk, where, lambda words: read(words, line))
        self._signalled = False
        self._declined = False
        self._question: Question | None = None
        self._keyboard = Keyboard(self._is_over, lambda: self._question is None or not self._question.withdrawn)

    def run(self) -> str:
        """Until Ctrl-C, a hang-up, or the end of the time; says why it ended."""
        keep_to_ourselves()
        with self._hearing_signals(), _asking_with(self._answer):
            try:
                held.key = self._pair
                self._door.open()
                click.echo(self.standing())
                while not self._is_over():
                    question = self._desk.take(min(max(self._span.left(), 0.01), 1.0))
                    if question is not None:
                        self._put(question)
            except KeyboardInterrupt:
                pass
            finally:
                self._lock()
        return "stopped" if self._signalled else "expired"

    def _lock(self) -> None:
        for name in ENDING:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        held.key = None
        del self._pair
        self._door.close()
        self._desk.close("the key was locked before this was answered; nothing was signed")
        time.sleep(0.05)  # those who asked are told by their own threads

    def _is_over(self) -> bool:
        return self._signalled or not self._span.left()

    def _put(self, question: Question) -> None:
        """Shows one question, runs it when the person says yes, and tells whoever asked."""
        self._question, self._declined = question, False
        command = question.asked.command
        click.echo("\n" + "\n".join(self._head(question)))
        code, ended = self._ran(question)
        says = _COLOUR.sub("", "".join(question.said)).strip()
        if question.withdrawn and not question.allowed:
            click.echo(tr("Whoever asked went away: nothing was signed."))
            answer = Answer("declined", "nobody waited for it any more", command)
        elif code == STOPPED and self._is_over():
            middle = "it was stopped in the middle: `roosync history` tells what was signed"
            early = "the key was locked before this was answered; nothing was signed"
            answer = Answer(*(("failed", middle) if question.allowed else ("nobody", early)), command)
        elif self._declined:
            answer = Answer("declined", "the person said no; nothing was signed", command, code)
        elif ended.error or code in (1, STOPPED):
            says = ended.error["message"] if ended.error else says
            answer = Answer("failed", says, command, code, ended.values, ended.error)
        else:
            answer = Answer("done", says, command, code, ended.values)
        self._desk.finish(question, answer)
        self._question = None
        if self._signalled:
            raise KeyboardInterrupt
        click.echo("\n" + self.standing())

    def _ran(self, question: Question) -> tuple[int, Ended]:
        """The command's exit code, and what it told; every error has been said by then."""
        ended, rule = Ended([]), question.asked.rule
        out = Tee(sys.stdout, lambda text: question.tell(_COLOUR.sub("", text), err=False))
        err = Tee(sys.stderr, lambda text: question.tell(_COLOUR.sub("", text), err=True))
        before, others = (sys.argv, sys.stdin), held.of_another.set(True)
        sys.argv = ["roosync", *question.asked.words]
        sys.stdin = io.StringIO()  # no command reads what the person types
        held.listeners.append(ended.hear)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                if not rule.asks:
                    if (shown := self._shown(question, ended)) is None:
                        return 1, ended
                    if code := self._allowed_first():
                        return code, ended
                    held.shown = shown
                    sys.argv = ["roosync", *question.asked.words]
                return self._line.run(), ended
        except Exception as error:  # noqa: BLE001 - with ROOSYNC_DEBUG, or where there is no stdout: the key is kept
            traceback.print_exc()
            ended.error = {"kind": "internal", "message": f"a fault of roosync itself: {type(error).__name__}"}
            return 1, ended
        finally:
            held.listeners.remove(ended.hear)
            held.shown = None
            held.of_another.reset(others)
            sys.argv, sys.stdin = before

    def _shown(self, question: Question, ended: Ended) -> str | None:
        """Shows what the command would sign; a digest of that, or None when it could not be shown, and why was said."""
        path, words = question.asked.rule.path.split(" "), question.asked.words
        sys.argv = ["roosync", *path, "--dry-run", *words[len(path) :]]
        code = self._line.run()
        preview = ended.values[-1] if ended.values else None
        ended.values.clear()
        seen = preview.get("seen") if isinstance(preview, dict) else None
        click.echo("")
        if code or not isinstance(seen, str) or not seen:
            click.echo(tr("What it would sign can not be shown, so it is not signed."))
            why = "what it would sign can not be shown, so it is not signed"
            ended.error = ended.error or {"kind": "request", "message": why}
            return None
        return seen

    def _allowed_first(self) -> int:
        """Of a command that signs without a question of its own: 0 to run it, or the exit code instead of it."""
        try:
            return 0 if confirm(tr("Run it, and sign")) else DECLINED
        except click.Abort:
            return STOPPED

    def _answer(self, prompt: str = "") -> str:
        """In place of `input` for every question of a command: the same, asked with care."""
        sys.stdout.flush()
        try:
            said = self._keyboard.line(prompt).strip().lower()
        except EOFError:  # Ctrl-D is no; the key stays unlocked
            said = ""
        except NoAnswerError:
            click.echo("")
            raise
        except OSError:  # the terminal is gone
            self._signalled = True
            raise NoAnswerError from None
        meant = understood(said)
        if meant and self._question is not None:
            self._question.allowed = True
        elif meant is False or not said:
            self._declined = True
        return said

    def _head(self, question: Question) -> list[str]:
        """Who asks for what, before the command shows its card."""
        room = width() or 80
        waiting = self._desk.waiting()
        more = trn("{count} more waits", "{count} more wait", waiting) if waiting else tr("nothing else waits")
        title = f"── {time.strftime('%H:%M:%S')}  {more} "
        lines = [paint(title + "─" * max(room - len(title), 0), "bold", want_colour())]
        lines += hanging(tr("Asked to run   {command}", command=question.asked.command), room, 15)
        if question.who:
            lines += hanging(tr("Asked by       {who}", who=harmless(question.who)), room, 15)
        if question.claims:
            claim = tr("It says it is  {claim}   (its own word)", claim=harmless(question.claims))
            lines += hanging(claim, room, 15)
        return [*lines, ""]

    def standing(self) -> str:
        waiting = self._desk.waiting()
        more = trn("{count} question waits", "{count} questions wait", waiting) if waiting else tr("nothing waits")
        away = self._desk.turned_away
        if away:
            more += "; " + trn("{count} was turned away", "{count} were turned away", away)
        return tr("Unlocked until {time}; {more}. Ctrl-C locks.", time=self._until, more=more)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        def hear(_number: int, _frame: Any) -> None:
            self._signalled = True
            raise KeyboardInterrupt

        for name in ENDING:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), hear)
        yield


@contextlib.contextmanager
def _asking_with(answer: Any) -> Iterator[None]:
    """Every question of a command is asked by us; nothing hidden is ever asked for here."""

    def no_secret(prompt: str) -> str:
        raise NoAnswerError

    before = termui.visible_prompt_func, termui.hidden_prompt_func
    termui.visible_prompt_func, termui.hidden_prompt_func = answer, no_secret
    try:
        yield
    finally:
        termui.visible_prompt_func, termui.hidden_prompt_func = before


def keep_to_ourselves() -> None:
    """No core file, and no other program of this user reads our memory: on Linux a debugger is refused."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: no


def _terminal_name() -> str:
    try:
        return os.ttyname(0) if hasattr(os, "ttyname") else ""
    except OSError:
        return ""
