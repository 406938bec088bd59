"""The questions that wait for the person: one at a time, in their order, and not more than a person can bear.

The same words asked twice are one question. A question whose askers all went away is withdrawn before it is shown,
unless it was asked to stay; an assistant that waits in turns asks so.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from roosync_agent.unlocking.asking import Answer
from roosync_agent.unlocking.rules import Asked

MOST = 10  # questions that wait
STAYS = 900.0  # seconds that a question stays after its asker went away
NO_MEANS_NO = 30.0  # seconds in which an assistant that asks the same again is told so, and the person is not asked
MOST_SAID = 200_000  # characters of what a command printed, for those who asked


class Outlet:
    """One asker's line: what it is told goes in here, and its own thread sends it."""

    def __init__(self, stays: bool, gone: Callable[[], bool] = lambda: False) -> None:
        """`gone` looks at this moment: its thread may not have noticed yet."""
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stays, self._gone = stays, gone
        self.answer: Answer | None = None
        self.left: float | None = None  # when it went away, by the monotonic clock

    def tell(self, answer: Answer) -> None:
        self.answer = answer
        self.lines.put({"answer": {name: getattr(answer, name) for name in Answer.__dataclass_fields__}})

    def wants(self, now: float) -> bool:
        if self.left is None:
            return self.stays or not self._gone()
        return self.stays and now - self.left < STAYS


class Question:
    """One command, and all who asked for it. Only what it prints after the person said yes is told to them."""

    def __init__(self, asked: Asked, who: str, claims: str) -> None:
        self.asked, self.who, self.claims = asked, who, claims
        self.outlets: list[Outlet] = []
        self.allowed = False  # did the person say yes to something?
        self.said: list[str] = []
        self._room = MOST_SAID

    @property
    def withdrawn(self) -> bool:
        now = time.monotonic()
        return not any(outlet.wants(now) for outlet in self.outlets)

    def tell(self, text: str, *, err: bool) -> None:
        if self.allowed and self._room > 0:
            text = text[: self._room]
            self._room -= len(text)
            self.said.append(text)
            for outlet in self.outlets:
                outlet.lines.put({"text": text, "err": err})

    def end(self, answer: Answer) -> None:
        """Tells it to all who asked. Of a question that is taken from the desk, `Desk.finish` does it."""
        for outlet in self.outlets:
            outlet.tell(answer)


class Desk:
    """Shared by the threads that listen, which put questions, and the one at the terminal, which takes them."""

    def __init__(self) -> None:
        self._waiting: deque[Question] = deque()
        self._now: Question | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._unheard: dict[tuple[str, ...], tuple[float, Answer]] = {}  # their askers wait in turns
        self._declined: dict[tuple[str, ...], tuple[float, Answer]] = {}  # and take a no for one, for a while
        self.turned_away = 0

    def put(self, question: Question, outlet: Outlet) -> int | None:
        """How many are before it; None when too many wait. An answer that nobody has heard yet is told at once."""
        with self._changed:
            self._clear()
            unheard = self._unheard.pop(question.asked.words, None) if outlet.stays else None
            if unheard is None and outlet.stays:
                unheard = self._declined.get(question.asked.words)
            if unheard is not None:
                outlet.tell(unheard[1])
                return 0
            same = (one for one in self._all() if one.asked.words == question.asked.words and not one.allowed)
            found = next(same, None)
            if found is None:
                if self._closed or len(self._waiting) >= MOST:
                    self.turned_away += 1
                    return None
                self._waiting.append(question)
                found = question
            found.outlets.append(outlet)
            self._changed.notify_all()
            return self._all().index(found)

    def take(self, seconds: float) -> Question | None:
        """The next one that somebody still wants, waited for; None when there is none within so long."""
        with self._changed:
            self._now = None
            self._clear()
            if not self._waiting:
                self._changed.wait(seconds)
                self._clear()
            self._now = self._waiting.popleft() if self._waiting else None
            return self._now

    def leave(self, question: Question, outlet: Outlet, *, heard: bool) -> None:
        """An asker is gone; `heard` tells whether it took its answer."""
        with self._changed:
            outlet.left = time.monotonic()
            if not heard:
                self._keep(question, outlet)

    def _keep(self, question: Question, outlet: Outlet) -> None:
        """For whoever asks again with the same words."""
        if outlet.stays and outlet.answer is not None:
            self._unheard[question.asked.words] = (time.monotonic(), outlet.answer)

    def finish(self, question: Question, answer: Answer) -> None:
        """From now on the same words are another question."""
        with self._changed:
            question.end(answer)
            self._now = None
            if answer.outcome == "declined" and not question.withdrawn:
                self._declined[question.asked.words] = (time.monotonic(), answer)
            for outlet in question.outlets:
                if outlet.left is not None:
                    self._keep(question, outlet)

    def waiting(self) -> int:
        """Behind the one that is asked now."""
        with self._changed:
            self._clear()
            return len(self._waiting)

    def close(self, why: str) -> None:
        """The key is locked: everybody is told, and nobody can ask any more."""
        with self._changed:
            self._closed = True
            for question in self._all():
                question.end(Answer("nobody", why, question.asked.command))
            self._waiting.clear()
            self._now = None

    def _all(self) -> list[Question]:
        return [*([self._now] if self._now else []), *self._waiting]

    def _clear(self) -> None:
        self._waiting = deque(one for one in self._waiting if not one.withdrawn)
        old = time.monotonic() - STAYS
        self._unheard = {words: told for words, told in self._unheard.items() if told[0] > old}
        lately = time.monotonic() - NO_MEANS_NO
        self._declined = {words: told for words, told in self._declined.items() if told[0] > lately}
