from pathlib import Path

import numpy as np
import pytest
from tests.conftest import QUICK

import unweave

TRAINING = {"images": 128, "batch": 16, "precision": "float32", "threads": 1}


def train(run: Path, **view: object) -> list[dict[str, float]]:
    data = {"name": "sprites", "size": 16, **({"view": view} if view else {})}
    return unweave.train("encdiff", data=data, method=QUICK, training=TRAINING, run=run).history()


def test_the_loss_of_images_that_are_left_out_is_in_the_log(tmp_path: Path) -> None:
    history = train(tmp_path / "part", split="train")
    held_out = [record for record in history if any(key.startswith("held_out/") for key in record)]
    assert len(held_out) == 8
    terms = [key for key in held_out[0] if key.startswith("held_out/")]
    assert all(key.removeprefix("held_out/") in history[0] for key in terms)
    assert all(np.isfinite(record[key]) for record in held_out for key in terms)
    assert not any(key.startswith("held_out/") for record in train(tmp_path / "all") for key in record)


def test_asking_changes_nothing_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = train(tmp_path / "asked", split="train")
    monkeypatch.setattr("unweave.training.callbacks.held_out_rows", lambda _: np.arange(0))
    alone = train(tmp_path / "alone", split="train")
    losses = [
        {key: value for key, value in record.items() if key != "seconds" and "held_out" not in key} for record in asked
    ]
    assert losses == [{key: value for key, value in record.items() if key != "seconds"} for record in alone]


def test_few_images_seen_often_bring_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.savez(tmp_path / "six.npz", images=np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8))
    training = {**TRAINING, "images": 12_016, "batch": 12_016 // 8}
    with pytest.raises(KeyboardInterrupt):
        _stop_at_once(tmp_path, training)
    assert "each of the 6 images of six is to be seen 2,002 times" in caplog.text


def _stop_at_once(folder: Path, training: dict[str, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unweave.training.prepare.open_whole_foundation", _interrupted)
        unweave.train(
            "encdiff", data={"name": "npz", "path": str(folder / "six.npz")}, method=QUICK, training=training,
            run=folder / "run",
        )  # fmt: skip


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
