import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import QUICK, Recorder

import unweave
from unweave import progress
from unweave.config import SettingsError
from unweave.runs import checkpoint
from unweave.runs.lock import HOLDER
from unweave.runs.run import Run

TRAINING = {"images": 96, "batch": 16, "precision": "float32", "save": 48, "preview": 96, "warmup": 16}
DATA = {"name": "sprites", "size": 16}


def impatient() -> Recorder:
    """Interrupts after 64 images."""

    def stop(seen: int) -> None:
        if seen == 64:
            raise KeyboardInterrupt

    return Recorder(stop)


def control_c(at: int | None) -> Recorder:
    """Ctrl-C after so many images."""
    return Recorder(lambda seen: os.kill(os.getpid(), signal.SIGINT) if seen == at else None)


def terminated(at: int) -> Recorder:
    """SIGTERM after so many images, twice, as some queues send it."""

    def stop(seen: int) -> None:
        if seen == at:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    return Recorder(stop)


def test_sigterm_saves_as_ctrl_c_does(tmp_path: Path) -> None:
    for at in (48, TRAINING["images"]):  # on the way, and while the last checkpoint is still to be written
        again = {"data": DATA, "method": QUICK, "training": TRAINING, "run": tmp_path / str(at)}
        with progress.use(terminated(at)), pytest.raises(SystemExit) as end:
            unweave.train("encdiff", **again)
        assert end.value.code == 143
        assert Run(again["run"]).state()["seen"] == at
    assert unweave.train(tmp_path / "48", resume=True).digest() == Run(again["run"]).digest()


def test_a_run_has_everything_it_should(quick_run: Run) -> None:
    expected = {"checkpoints", "log.jsonl", "pictures", "run.json", "settings.toml", "unet", "units.safetensors"}
    assert expected <= {path.name for path in quick_run.path.iterdir()}
    assert [int(path.name) for path in checkpoint.complete(quick_run.path / "checkpoints")] == [96, 192]
    assert (quick_run.pictures / "preview-000000192.png").is_file()
    record = quick_run.record()
    assert record["images"] == 192
    assert {"device", "threads", "versions", "seconds", "command", "precision"} <= set(record)
    assert quick_run.history()[-1]["seen"] == 192
    assert "encdiff/denoising" in quick_run.history()[-1]


def test_an_interrupt_saves_and_resuming_gives_the_uninterrupted_run(tmp_path: Path) -> None:
    whole = unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "whole")

    recorder = impatient()
    again = {"data": DATA, "method": QUICK, "training": TRAINING, "run": tmp_path / "stopped"}
    with progress.use(recorder), pytest.raises(KeyboardInterrupt):
        unweave.train("encdiff", **again)
    assert any("--resume" in text for text in recorder.messages)
    assert (tmp_path / "stopped" / "units.safetensors").is_file()
    recorder = Recorder()
    with progress.use(recorder):
        resumed = unweave.train(tmp_path / "stopped", resume=True)
    assert recorder.seen[0] == 80
    one, other = (run.method("raw").state_dict() for run in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = (run.method("averaged").state_dict() for run in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    strip = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in run.history()] for run in (whole, resumed)
    ]
    assert strip[0] == strip[1]
    finished = Recorder()
    with progress.use(finished):
        unweave.train("encdiff", **again, resume=True)
    assert finished.seen == []
    assert "trained already" in finished.messages[0]


def test_a_run_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    again = {"data": DATA, "method": QUICK, "run": tmp_path / "run"}
    short = {**TRAINING, "images": 16}
    unweave.train("encdiff", **again, training=short)
    with pytest.raises(FileExistsError, match="--resume"):
        unweave.train("encdiff", **again, training=short)
    with pytest.raises(SettingsError, match=r"other settings \(training\.images\)"):
        unweave.train("encdiff", **again, training=TRAINING, resume=True)
    with pytest.raises(SettingsError, match="go on with it by --resume"):
        unweave.train(tmp_path / "run")
    unweave.train("encdiff", **again, training={**short, "seed": 1}, overwrite=True)
    assert Run(tmp_path / "run").settings.training.seed == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="leaves it alone"):
        unweave.train("encdiff", data=DATA, method=QUICK, run=tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_a_resumed_run_may_have_other_threads_and_previews_but_a_finished_one_keeps_its_record(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    again = {"data": DATA, "method": QUICK, "run": tmp_path / "run", "resume": True}
    with progress.use(impatient()), pytest.raises(KeyboardInterrupt):
        unweave.train("encdiff", **again, training={**TRAINING, "save": 16})
    unweave.train("encdiff", **again, training={**TRAINING, "save": 8, "threads": 1})
    settings = Run(tmp_path / "run").settings.training
    assert (settings.save, settings.threads) == (8, 1)
    assert Run(tmp_path / "run").record()["images"] == TRAINING["images"]
    unweave.train("encdiff", **again, training={**TRAINING, "threads": 2})
    assert Run(tmp_path / "run").settings.training.threads == 1
    with pytest.raises(SettingsError, match=r"other settings \(training\.rate\)"):
        unweave.train("encdiff", **again, training={**TRAINING, "threads": 2, "rate": 1e-5})


def test_the_name_of_a_method_goes_before_a_directory_of_that_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("encdiff").mkdir()
    made = unweave.train("encdiff", data=DATA, method=QUICK, training={**TRAINING, "images": 16}, run="made")
    assert made.record()["images"] == 16
    with pytest.raises(LookupError, match=r"no settings\.toml"):
        unweave.train("./encdiff", resume=True)
    with pytest.raises(LookupError, match=r"no settings\.toml"):
        unweave.train(Path("encdiff"), resume=True)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_term(tmp_path: Path) -> None:
    wild = {**TRAINING, "rate": 1e30, "warmup": 0}
    with pytest.raises(FloatingPointError, match=r"encdiff/denoising is (nan|inf)"):
        unweave.train("encdiff", data=DATA, method=QUICK, training=wild, run=tmp_path / "run")


def test_an_exploding_loss_stops_the_run_keeps_the_checkpoint_and_names_the_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unweave.methods.encdiff import EncDiff

    whole = EncDiff.forward

    def exploding(self, batch, rng):
        loss = whole(self, batch, rng)
        if batch.seen < 64:
            return loss
        return loss._replace(terms={**loss.terms, "denoising": loss.terms["denoising"] * 1e6})

    monkeypatch.setattr(EncDiff, "forward", exploding)
    with pytest.raises(FloatingPointError, match=r"encdiff/denoising has exploded from .* the last checkpoint is kept"):
        unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "run")
    assert Run(tmp_path / "run").checkpoint().name == f"{48:012d}"


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unweave.training.trainer import Trainer

    whole = Trainer.fit

    def fit(trainer: Trainer) -> None:
        def spoil(seen: int) -> None:
            if seen == 80:
                with torch.no_grad():
                    trainer.state.method.lift.layers[0].bias[0] = torch.nan

        with progress.use(Recorder(spoil)):
            whole(trainer)

    monkeypatch.setattr(Trainer, "fit", fit)
    saves = {**TRAINING, "save": 40}
    with pytest.raises(FloatingPointError, match=r"(weights lift.layers.0.bias|encdiff/denoising)"):
        unweave.train("encdiff", data=DATA, method=QUICK, training=saves, run=tmp_path / "run")
    kept = Run(tmp_path / "run").method("raw").state_dict()
    assert all(tensor.isfinite().all() for tensor in kept.values())


def test_a_tracker_by_name_gets_every_term(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracked = {**TRAINING, "tracker": "tensorboard"}
    run = unweave.train("encdiff", data=DATA, method=QUICK, training=tracked, run=tmp_path / "run")
    events = EventAccumulator(str(run.path / "unweave")).Reload()
    scalars = events.Scalars("encdiff/denoising")
    assert [event.step for event in scalars] == [record["seen"] for record in run.history()]
    assert scalars[-1].value == pytest.approx(run.history()[-1]["encdiff/denoising"], rel=1e-5)
    with pytest.raises(SettingsError, match=r"tracker=tensorbord cannot be used.*tensorboard"):
        unweave.train("encdiff", data=DATA, training={**TRAINING, "tracker": "tensorbord"}, run=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_damaged_checkpoint_is_put_aside_and_training_goes_on_from_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "whole")
    digest, newest = whole.digest(), whole.checkpoint()
    (newest / "optimiser.safetensors").write_bytes(b"torn")
    recorder = Recorder()
    with progress.use(recorder):
        unweave.train(whole.path, resume=True)
    assert "optimiser.safetensors" in caplog.text
    assert recorder.seen[0] == 64
    assert whole.digest() == digest
    assert (newest.parent / f"damaged-{newest.name}").is_dir()


def test_precision_is_probed_logged_and_kept(tmp_path: Path) -> None:
    auto = {**TRAINING, "precision": "auto", "images": 32}
    recorder = Recorder()
    with progress.use(recorder):
        run = unweave.train("encdiff", data=DATA, method=QUICK, training=auto, run=tmp_path / "run")
    assert run.record()["precision"] in ("float32", "bfloat16")
    assert set(run.record()["precision_probe_ms"]) == {"float32", "bfloat16"}
    assert any(text.startswith("precision: ") for text in recorder.messages)


def test_dropout_resumes_exactly_too(tmp_path: Path) -> None:
    method = {**QUICK, "dropout": 0.3}
    runs = []
    for name, stop in (("whole", None), ("stopped", 48)):
        again = {"data": DATA, "method": method, "training": TRAINING, "run": tmp_path / name}
        try:
            with progress.use(control_c(stop)):
                runs.append(unweave.train("encdiff", **again))
        except KeyboardInterrupt:
            torch.rand(5)  # another process has drawn other numbers
            runs.append(unweave.train(tmp_path / name, resume=True))
    one, other = (run.method("raw").state_dict() for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_resume_without_a_place_finds_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    again = {"data": DATA, "method": QUICK, "training": {**TRAINING, "images": 16}}
    first = unweave.train("encdiff", **again)
    assert unweave.train("encdiff", **again, resume=True).path == first.path
    assert unweave.train("encdiff", **again).path != first.path
    with pytest.raises(SettingsError, match="give one of them"):
        unweave.train("encdiff", **again, resume=True, overwrite=True)
    with pytest.raises(LookupError, match="no such directory"):
        unweave.train("runs/typo", resume=True)


def test_a_run_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    again = {"data": str(tmp_path / "mine.npz"), "method": QUICK, "run": tmp_path / "run"}
    settings = [{"data": {"size": 16}}, {"training": TRAINING}]

    with progress.use(control_c(48)), pytest.raises(KeyboardInterrupt):
        unweave.train("encdiff", *settings, **again)
    np.savez(tmp_path / "mine.npz", images=images[::-1])
    with pytest.raises(SettingsError, match=r"images of mine have changed"):
        unweave.train(tmp_path / "run", resume=True)
    np.savez(tmp_path / "mine.npz", images=images)
    assert unweave.train(tmp_path / "run", resume=True).state()["seen"] == 96


def test_a_run_killed_after_its_last_step_is_closed_on_resume(quick_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    record = {key: value for key, value in run.record().items() if key not in ("finished", "images", "seconds")}
    (run.path / "run.json").write_text(json.dumps(record))
    run.forget_statistics()
    assert not (run.path / "unet").exists()
    unweave.train(run.path, resume=True)
    assert run.record()["images"] == 192
    assert (run.path / "unet" / "config.json").is_file()


def test_a_run_killed_before_its_statistics_gets_them_on_resume(tmp_path: Path) -> None:
    again = {"data": DATA, "method": QUICK, "training": {**TRAINING, "images": 16}, "run": tmp_path / "run"}
    run = unweave.train("encdiff", **again)
    run.forget_statistics()
    unweave.train(run.path, resume=True)
    assert run.has_statistics()


def test_a_preview_shows_the_first_units_of_many(tmp_path: Path) -> None:
    widths = []
    for units in (24, 40):
        run = unweave.train(
            "betavae",
            data={"name": "sprites", "size": 32},
            method={"units": units},
            training={**TRAINING, "images": 32, "preview": 32},
            run=tmp_path / str(units),
        )
        widths.append(Image.open(run.preview()).width)
    assert widths[0] == widths[1] < 4_000


def test_previews_do_not_change_training(tmp_path: Path) -> None:
    often = {**TRAINING, "preview": 16}
    one = unweave.train("encdiff", data=DATA, method=QUICK, training=often, run=tmp_path / "often")
    other = unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "once")
    assert len(list(one.pictures.iterdir())) == 6
    assert one.digest() == other.digest()


@pytest.mark.long
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_a_real_process_saves_and_says_how_to_go_on(tmp_path: Path, number: int, status: int) -> None:
    place = tmp_path / "run"
    words = [f"method.{key}={json.dumps(value)}" for key, value in QUICK.items()]
    command = [sys.executable, "-m", "unweave.cli.main", "train", "encdiff", "data=sprites", "data.size=16", *words]
    command += ["training.images=1000000", "training.batch=16", "training.precision=float32", "--run", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 60
    log = place / "log.jsonl"
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == status
    assert f"go on with: unweave train {place} --resume" in stderr
    assert "Traceback" not in stderr
    state = json.loads((Run(place).checkpoint() / "state.json").read_text())
    assert state["seen"] > 0
    assert not (place / HOLDER).exists()


def test_the_four_functions_of_a_training_can_be_called_alone(tmp_path: Path) -> None:
    from unweave.training.experiment import resolve
    from unweave.training.prepare import prepare
    from unweave.training.train import make_foundations

    tables = {"data": DATA, "method": QUICK, "training": {**TRAINING, "images": 32}}
    experiment = resolve("encdiff", tables, run=tmp_path / "run")
    assert experiment.settings.training.images == 32
    assert experiment.run_dir == tmp_path / "run"
    make_foundations(experiment)
    assert not list(tmp_path.iterdir()), "nothing is made before it is all known to work"
    trainer = prepare(experiment)
    assert (trainer.seen, trainer.run.path) == (0, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()
    trainer.fit()
    assert trainer.run.state()["seen"] == trainer.seen == 32
    whole = unweave.train("encdiff", tables, run=tmp_path / "whole")
    assert whole.digest() == trainer.run.digest()


def test_a_finished_run_goes_on_to_a_larger_budget_and_to_nothing_else(tmp_path: Path) -> None:
    unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "run")
    recorder = Recorder()
    with progress.use(recorder):
        longer = unweave.train(tmp_path / "run", training={"images": 160}, resume=True)
    assert (recorder.first, recorder.seen[-1]) == ([96], 160)
    assert (longer.settings.training.images, longer.state()["seen"], longer.record()["images"]) == (160, 160, 160)
    assert longer.history()[-1]["seen"] == 160
    assert longer.has_statistics()
    for tables, words in (
        ({"training": {"images": 128}}, "less than the 160"),
        ({"training": {"images": 320, "rate": 1e-5}}, "more images"),
        ({"method": {"units": 5}}, "more images"),
    ):
        with pytest.raises(SettingsError, match=words):
            unweave.train(tmp_path / "run", resume=True, **tables)
    with pytest.raises(SettingsError, match="it may go on to more images"):
        unweave.train(tmp_path / "run", {"training": 5}, resume=True)
