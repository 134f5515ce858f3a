import os
import subprocess
import sys
import time

import pytest
import torch

from unweave import threads


def fresh(code: str, **environment: str) -> str:
    """What a new Python prints, in an environment that says nothing of threads but this."""
    said = (*threads.CHOSEN, "OPENBLAS_THREAD_TIMEOUT")
    clean = {name: value for name, value in os.environ.items() if name not in said}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**clean, **environment}).stdout


@pytest.mark.parametrize("entry", ["runpy.run_module('unweave', run_name='__main__')", "unweave.cli.main.main()"])
def test_every_way_in_lets_waiting_threads_sleep_before_torch_is_there(entry: str) -> None:
    code = (
        "import os, sys, runpy, contextlib, unweave.cli.main\nassert not {'numpy', 'torch'} & sys.modules.keys()\n"
        "sys.argv = ['unweave', '--version']\n"
        f"with contextlib.suppress(SystemExit): {entry}\n"
        "assert 'torch' not in sys.modules\nprint(os.environ['GOMP_SPINCOUNT'], os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    )
    assert fresh(code).splitlines()[-1] == f"{threads.SPINS} {threads.BLAS_SPINS}"
    assert fresh(code, GOMP_SPINCOUNT="7", OPENBLAS_THREAD_TIMEOUT="20").splitlines()[-1] == "7 20"


def test_a_program_asks_for_it_before_torch_and_hears_when_it_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "import unweave; unweave.sleep_at_barriers(); import os; print(os.environ['GOMP_SPINCOUNT'])"
    assert fresh("import warnings; warnings.simplefilter('error'); " + asked) == f"{threads.SPINS}\n"
    for name in threads.CHOSEN:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="GOMP_SPINCOUNT="):
        threads.sleep_at_barriers()
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    threads.sleep_at_barriers()
    assert "GOMP_SPINCOUNT" not in os.environ


def sleepy(best: int) -> object:
    """A piece of work that is fast with so many threads."""
    return lambda: time.sleep(0.001 if torch.get_num_threads() == best else 0.005)


@pytest.mark.parametrize("best", [1, 2])
def test_the_faster_number_is_found_and_torch_keeps_its_own(best: int) -> None:
    before = torch.get_num_threads()
    seconds = threads.time_threads(sleepy(best), (1, 2), seconds=0.02)
    assert min(seconds, key=seconds.__getitem__) == best
    assert torch.get_num_threads() == before


def test_a_choice_is_kept_for_a_while_and_then_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr(threads, "_small_network", lambda: sleepy(1))
        monkeypatch.setattr(threads, "SECONDS", 0.02)
        choice = threads.Threads(every=60.0)
        choice.choose()
        assert (choice.count, torch.get_num_threads()) == (1, 1)
        monkeypatch.setattr(threads, "_small_network", lambda: sleepy(2))
        torch.set_num_threads(2)
        choice.choose()
        assert (choice.count, torch.get_num_threads()) == (1, 1)
        choice.timed -= 61
        choice.choose()
        assert (choice.count, torch.get_num_threads()) == (2, 2)
        monkeypatch.setattr(threads, "_small_network", lambda: sleepy(1))
        with threads.chosen() as count:
            assert (count, torch.get_num_threads()) == (1, 1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
