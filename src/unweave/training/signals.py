"""What a signal does while something goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_signal(number: signal.Signals, function: Callable[[], None]) -> Iterator[None]:
    """The signal calls the function inside the `with`, and does nothing else; only the main thread has signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, lambda *_: function())
    try:
        yield
    finally:
        signal.signal(number, before)
