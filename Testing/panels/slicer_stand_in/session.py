"""What a test of a panel shares with the stand-in: answers given beforehand, questions asked, errors that slots raised."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from typing import Any


class NotInStandIn(NotImplementedError):  # noqa: N818
    """Slicer has it, the stand-in does not: build it, or do without it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The stand-in for Slicer's Qt side lacks {what}. Add it in Testing/panels/slicer_stand_in, as Slicer 5.8.1 has it.")


class UnansweredQuestion(AssertionError):  # noqa: N818
    """A window that waits for the user was shown and the test gave no answer for it."""


@dataclass
class Session:
    """State of one test.

    Attributes:
        answers: what the user answers, in order: a button's number (or True, False) for a question, a path for a file dialog.
        asked: the text (or title) of each question that was answered.
        slot_errors: what slots raised; PythonQt prints it and goes on.
        opened: addresses that were handed to the desktop.
        clicks: how many real mouse clicks the test made.
    """

    answers: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    slot_errors: list[BaseException] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    clicks: int = 0

    def reset(self) -> None:
        self.answers.clear()
        self.asked.clear()
        self.slot_errors.clear()
        self.opened.clear()
        self.clicks = 0

    def ask(self, text: str) -> Any:
        """The test's next answer to a question that Slicer would wait for."""
        if not self.answers:
            raise UnansweredQuestion(f"A window would wait for the user: {text!r}. Give an answer beforehand (a_slicer.answers).")
        self.asked.append(text)
        return self.answers.pop(0)

    def keep_error(self, error: BaseException) -> None:
        """As PythonQt: print it and go on. Tests look at what was kept."""
        traceback.print_exception(error, file=sys.stderr)
        self.slot_errors.append(error)


SESSION = Session()
