import signal

import pytest

from unweave.training.signals import held_back


def test_a_signal_that_is_held_back_comes_after_what_must_not_be_cut() -> None:
    steps: list[int] = []

    def write() -> None:
        with held_back(signal.SIGINT):
            signal.raise_signal(signal.SIGINT)
            steps.append(1)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert steps == [1]
    with held_back(signal.SIGINT):
        steps.append(2)
    assert steps == [1, 2]
