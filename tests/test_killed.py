"""Real processes, killed by SIGKILL at any moment, end bit-identical to one that was left alone."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests.conftest import QUICK

from unweave.runs import checkpoint
from unweave.runs.run import Run

SMALL = {
    "encdiff": QUICK,
    "factorvae": {"units": 4, "critic_width": 16},
    "protovae": {"units": 4, "after": 1_000, "rise": 2_000, "prototypes": 1.0, "latents": 2, "changes": 16},
    "dotvae": {"units": 4, "rest": 2, "pretraining": 1_000, "every": 1_000},
    "csdismo": {"content": 8, "style": 4, "width": 8, "encoders_after": 4_000},
    "disdiff": {"units": 3, "dim": 2, "encoder_width": 16, "encoder_halvings": 2, "weight_after": 240},
}
TRAINING = {"batch": 16, "preview": 100_000, "precision": "float32", "threads": 1}
BUDGET = {
    "encdiff": 2_400,
    "factorvae": 16_000,
    "protovae": 8_000,
    "dotvae": 8_000,
    "csdismo": 8_000,
    "disdiff": 1_600,
}  # seconds, of which the kills below need less than half

IN_A_SAVE = """
import os, signal
import safetensors.torch
whole, count = safetensors.torch.save_file, []
def torn(tensors, path):
    count.append(path)
    whole(tensors, path)
    if len(count) >= 6:  # the second checkpoint has begun: half of a file, and no record yet
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
safetensors.torch.save_file = torn
"""
MAIN = """
import sys
from unweave.cli.main import main
main()
"""


def start(method: str, place: Path, before: str = "", on: Path | None = None) -> subprocess.Popen[str]:
    tables = {"method": SMALL[method], "training": {**TRAINING, "images": BUDGET[method], "save": BUDGET[method] // 15}}
    words = [f"{table}.{key}={json.dumps(value)}" for table, keys in tables.items() for key, value in keys.items()]
    words += [] if on is None else ["preset=laptop-pixels", f"foundation.denoiser.from={on}"]
    command = [sys.executable, "-c", before + MAIN, "train", method, "data=sprites", "data.size=16", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--run", str(place), "--resume"], stderr=subprocess.PIPE, text=True, env=environment
    )


def end(process: subprocess.Popen[str]) -> str:
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    return stderr


def killed_while_training(method: str, place: Path, rng: random.Random, on: Path | None) -> None:
    process = start(method, place, on=on)
    before = (place / "log.jsonl").stat().st_size if (place / "log.jsonl").exists() else 0
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (place / "log.jsonl").exists() and (place / "log.jsonl").stat().st_size > before:
            break
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.25))
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.long
@pytest.mark.parametrize("method", ["encdiff", "factorvae", "protovae", "dotvae", "csdismo", "disdiff"])
def test_killed_runs_end_bit_identical(tmp_path: Path, method: str, disdiff_run: Run) -> None:
    on = Path(disdiff_run.network_sources().networks()["denoiser"].origin) if method == "disdiff" else None
    rng = random.Random(0)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    end(start(method, whole, on=on))
    torn = start(method, stopped, IN_A_SAVE, on)
    torn.communicate(timeout=240)
    assert torn.returncode == -signal.SIGKILL
    killed_while_training(method, stopped, rng, on)
    killed_while_training(method, stopped, rng, on)
    newest = checkpoint.newest(stopped / "checkpoints", lambda text: None)
    damaged = newest is not None and checkpoint.complete(stopped / "checkpoints")[-1].name != f"{BUDGET[method]:012d}"
    if damaged:
        (newest / "average.safetensors").write_bytes(b"")
    said = end(start(method, stopped, on=on))
    assert ("average.safetensors" in said) == damaged
    one, other = Run(whole).checkpoint(), Run(stopped).checkpoint()
    assert one.name == other.name == f"{BUDGET[method]:012d}"
    for name in ("weights", "average", "optimiser", "generators"):
        expected, got = (load_file(path / f"{name}.safetensors") for path in (one, other))
        assert expected.keys() == got.keys()
        for key, tensor in expected.items():
            assert tensor.equal(got[key]), f"{name}: {key}"
    logs = [[{**record, "seconds": 0} for record in Run(path).history()] for path in (whole, stopped)]
    assert logs[0] == logs[1]


VERBS = {
    "evaluate": ["evaluate", "{run}", "--rows", "400", "--repeats", "1", "--protocol", "mig@1"],
    "report": ["report", "{run}", "--steps", "2"],
    "name": ["name", "{run}", "1", "wall colour"],
}


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("verb", VERBS)
def test_a_killed_verb_leaves_whole_files_and_can_be_repeated(
    tmp_path: Path, quick_run: Run, verb: str, number: signal.Signals
) -> None:
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    command = [sys.executable, "-m", "unweave", *(word.format(run=run.path) for word in VERBS[verb])]
    environment, rng, whole = {**os.environ, "OMP_NUM_THREADS": "1"}, random.Random(int(number)), run.digest()
    began = time.monotonic()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    seconds = time.monotonic() - began
    files = {path.name for path in run.path.glob("*.json")}
    for _ in range(4):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        process.send_signal(number)
        assert process.wait(timeout=60) in (-number, 128 + number, 0)
        for path in run.path.glob("*.json"):
            assert json.loads(path.read_text("utf-8"))
        assert files <= {path.name for path in run.path.glob("*.json")} | {"report.json"}
        if number == signal.SIGTERM:
            assert not [path for path in run.path.glob(".*") if path.suffix in (".json", ".html", ".npz")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert Run(run.path).digest() == whole
    checkpoint.verified(run.checkpoint())
    assert not list(run.path.glob("scores-*.json"))
