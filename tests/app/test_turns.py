from threading import Thread
from time import sleep

import pytest

from unweave.app import turns as module
from unweave.app.turns import Turns


def order_of(turns: Turns, *patient: bool) -> list[int]:
    """In which order those that wait have their turn, each asked for a little after the one before."""
    done: list[int] = []

    def work(number: int) -> None:
        with turns.turn(patient[number]):
            done.append(number)
            sleep(0.02)

    threads = [Thread(target=work, args=(number,)) for number in range(len(patient))]
    with turns.turn():
        for thread in threads:
            thread.start()
            sleep(0.01)
    for thread in threads:
        thread.join()
    return done


def test_what_can_wait_waits() -> None:
    assert order_of(Turns(), True, False, True, False)[:2] in ([1, 3], [3, 1])


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    assert sorted(order_of(Turns(), True, True, False)) == [0, 1, 2]


def test_an_error_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    with turns.turn(patient=True):
        assert turns.busy
