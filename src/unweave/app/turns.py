"""Whose turn it is to draw: one at a time, and pictures that somebody waits for before those that can wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

PATIENCE = 5.0  # seconds after which what can wait is drawn all the same


class Turns:
    """Turns at one model."""

    def __init__(self) -> None:
        self.condition, self.busy, self.urgent = Condition(), False, 0

    @contextmanager
    def turn(self, patient: bool = False) -> Iterator[None]:
        """A turn, once it is free; a patient one lets all others go first, for a while."""
        with self.condition:
            self.urgent += not patient
            until = monotonic() + PATIENCE
            while self.busy or (patient and self.urgent and monotonic() < until):
                self.condition.wait(PATIENCE)
            self.urgent -= not patient
            self.busy = True
        try:
            yield
        finally:
            with self.condition:
                self.busy = False
                self.condition.notify_all()
