"""The edits of a person on one picture, one after the other: where all sliders were, to go back and forth in."""

from collections.abc import Sequence
from typing import NamedTuple

from unweave.app.places import SliderPlace

SliderPositions = tuple[SliderPlace, ...]
"""Where the sliders are."""


class EditHistory(NamedTuple):
    """Positions before, now, and those that were undone."""

    now: SliderPositions
    past: tuple[SliderPositions, ...] = ()
    future: tuple[SliderPositions, ...] = ()
    slider: int | None = None  # that moved last: moving it on is the same edit

    def moved(self, positions: Sequence[SliderPlace]) -> "EditHistory":
        """After an edit. A slider that goes on is one edit, however many places it stops at."""
        new = tuple(positions)
        changed = [index for index, (a, b) in enumerate(zip(self.now, new)) if a != b]
        if not changed:
            return self
        slider = changed[0] if len(changed) == 1 else None
        goes_on = slider is not None and slider == self.slider and self.past
        return EditHistory(new, self.past if goes_on else (*self.past, self.now), (), slider)

    def undo(self) -> "EditHistory":
        """One edit back; the same where there is none."""
        if not self.past:
            return self
        return EditHistory(self.past[-1], self.past[:-1], (self.now, *self.future))

    def redo(self) -> "EditHistory":
        """One edit forth; the same where none was undone."""
        if not self.future:
            return self
        return EditHistory(self.future[0], (*self.past, self.now), self.future[1:])
