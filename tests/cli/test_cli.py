import errno
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import QUICK

from unweave.cli import main as cli
from unweave.editing import attribute
from unweave.editing.attribute_direction import FitSettings
from unweave.runs.run import Run

SMALL = [f"method.{key}={json.dumps(value)}" for key, value in QUICK.items()]
FEW = ["--steps", "2", "--sampler", "ddim"]


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command line, in this process."""
    monkeypatch.setattr("sys.argv", ["unweave", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.long
def test_from_images_to_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    place = str(tmp_path / "run")
    words = ["data=sprites", "data.size=16", "training.images=32", "training.batch=16", "training.precision=float32"]
    assert run(monkeypatch, "train", "encdiff", *words, *SMALL, "--run", place) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == place
    assert "images" in captured.err
    assert run(monkeypatch, "evaluate", place, "--rows", "200", "--protocol", "mig@1", "--repeats", "1", "--json") == 0
    assert "mig@1" in json.loads(capsys.readouterr().out)["protocols"]
    for verb in ("swap", "traverse", "interpolate", "reconstruct", "heatmap", "attention"):
        assert run(monkeypatch, "edit", verb, place, *FEW, "--json") == 0, verb
        files = json.loads(capsys.readouterr().out)["files"]
        assert all(Path(file).exists() for file in files)
    codes = str(tmp_path / "codes.npz")
    assert run(monkeypatch, "encode", place, "-o", codes) == 0
    assert capsys.readouterr().out.strip() == codes
    scored = ("evaluate", "--codes", codes, "--factors", codes, "--protocol", "mig@1", "--repeats", "1")
    assert run(monkeypatch, *scored) == 0
    assert "mig@1" in capsys.readouterr().out
    assert run(monkeypatch, "info", place, "--picture", str(tmp_path / "loss.png")) == 0
    assert "images seen" in capsys.readouterr().out
    assert Image.open(tmp_path / "loss.png").size[0] > 100
    assert run(monkeypatch, "cite", place) == 0
    assert "2402.09712" in capsys.readouterr().out
    assert run(monkeypatch, "train", place, "--resume") == 0
    assert "trained already" in capsys.readouterr().err
    assert run(monkeypatch, "name", place, "1", "wall colour") == 0
    assert capsys.readouterr().out == "1\twall colour\n"
    assert run(monkeypatch, "report", place, "--steps", "2", "--json", "--quiet") == 0
    captured = capsys.readouterr()
    assert "wall colour" in [unit["name"] for unit in json.loads(captured.out)["units"]]
    assert captured.err == ""
    assert run(monkeypatch, "report", place, "--steps", "2") == 0
    captured = capsys.readouterr()
    assert Path(captured.out.strip()) == Path(place) / "report.html"
    assert any(words in captured.err for words in ("next: open the page", "no unit moves the pictures: train longer"))
    assert run(monkeypatch, "compare", place) == 1
    assert "at least two" in capsys.readouterr().err


def test_anybodys_codes_are_compared_with_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    lines = [f"{i % 3},{i % 2}" for i in range(60)]
    (tmp_path / "y.csv").write_text("hue,size\n" + "\n".join(lines))
    (tmp_path / "z.csv").write_text("\n".join(f"{line}.5" for line in lines))
    tables = ("--codes", str(tmp_path / "z.csv"), "--factors", str(tmp_path / "y.csv"), "--data", "shapes3d")
    chosen = ("--protocol", "mig@1", "--protocol", "factorvae@1", "--repeats", "1")
    places = ("--figures", str(tmp_path / "drawn"), "-o", str(tmp_path / "scores.json"))
    assert run(monkeypatch, "evaluate", *tables, *chosen, *places, "--compare") == 0
    out = capsys.readouterr().out
    assert "yours" in out
    assert "EncDiff" in out
    assert "NOT THE PUBLISHED DATA" in out
    assert Image.open(tmp_path / "drawn" / "information-mig-1.png").size[0] > 100
    assert json.loads((tmp_path / "scores.json").read_text())["data"]["factor_names"] == ["hue", "size"]
    assert run(monkeypatch, "evaluate", *tables, *chosen, *places) == 1
    assert "is there already" in capsys.readouterr().err


def test_what_cannot_be_measured_takes_nothing_with_it_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    tables = Path(__file__).parents[1] / "data" / "tables"
    rare = (
        "evaluate",
        "--codes",
        str(tables / "rare_z.npy"),
        "--factors",
        str(tables / "rare_y.npy"),
        "--repeats",
        "1",
    )
    chosen = ("--protocol", "mig@1", "--protocol", "explicitness@1", "-o", str(tmp_path / "scores.json"), "--compare")
    assert run(monkeypatch, *rare, *chosen, "--data", "shapes3d") == 3
    captured = capsys.readouterr()
    assert "mig@1" in captured.out
    assert "not measured: explicitness@1: every factor is constant in the test rows" in captured.err
    written = json.loads((tmp_path / "scores.json").read_text())
    assert list(written["protocols"]) == ["mig@1"]
    assert list(written["not_measured"]) == ["explicitness@1"]
    assert run(monkeypatch, *rare, "--protocol", "mig@1") == 0
    assert run(monkeypatch, *rare, "--protocol", "explicitness@1") == 1
    assert "explicitness@1 cannot be measured" in capsys.readouterr().err


def test_what_was_taken_of_a_table_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    tables = Path(__file__).parents[1] / "data" / "tables"
    words = ("evaluate", "--codes", str(tables / "z_tab.csv"), "--factors", str(tables / "index_unnamed.csv"))
    assert run(monkeypatch, *words, "--protocol", "mig@1", "--repeats", "1", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["protocols"]["mig@1"]["mig"]["value"] > 0.95
    assert "240 rows, 3 columns separated by TABs; 3 units." in captured.err
    assert "shape (3 classes), colour (4 classes)" in captured.err
    assert "Left out: column 1, as it counts the rows." in captured.err


def test_a_run_on_a_split_is_scored_and_encoded_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    place, codes = str(tmp_path / "run"), str(tmp_path / "codes.npz")
    words = ["data=sprites", "data.size=16", "training.images=32", "training.batch=16", "training.precision=float32"]
    view = ["data.view.split=train", "data.view.keep.shape=[0,1]"]
    assert run(monkeypatch, "train", "betavae", *view, *words, "--run", place, "--quiet") == 0
    assert Run(place).dataset().name == "sprites (train; keep shape 0,1)"
    capsys.readouterr()
    scored = ("--rows", "200", "--protocol", "mig@1", "--repeats", "1")
    assert run(monkeypatch, "evaluate", place, *scored) == 0
    assert "of the 200 rows scored, all are in the run's training set" in " ".join(capsys.readouterr().out.split())
    assert run(monkeypatch, "evaluate", place, "--split", "test", *scored) == 0
    assert "sprites (test): of the 200 rows scored, none are in" in " ".join(capsys.readouterr().out.split())
    assert run(monkeypatch, "evaluate", place, "--split", "test", *scored, "--json") == 0
    assert json.loads(capsys.readouterr().out)["data"]["in_training"] == 0
    assert run(monkeypatch, "encode", place, "--split", "test", "-o", codes) == 0
    assert len(np.load(codes)["rows"]) == 3_686
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", place, "--split", "tset") == 1
    assert "Did you mean 'test'" in capsys.readouterr().err
    assert run(monkeypatch, "evaluate", "--codes", codes, "--factors", codes, "--split", "test") == 1
    assert "--split needs a run" in capsys.readouterr().err


@pytest.mark.long
def test_several_runs_give_an_interval_of_the_method(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = ["data=sprites", "data.size=16", "training.images=32", "training.batch=16", "training.precision=float32"]
    places = [str(tmp_path / f"seed-{seed}") for seed in range(3)]
    for seed, place in enumerate(places):
        assert run(monkeypatch, "train", "betavae", *words, f"training.seed={seed}", "--run", place, "--quiet") == 0
    scored = ["--rows", "200", "--protocol", "mig@1", "--repeats", "1"]
    assert run(monkeypatch, "evaluate", *places, *scored) == 0
    out = capsys.readouterr().out
    assert "t-interval" in out
    assert "udr-lasso@1" in out
    for others, message in (
        ([places[0]], "are the same"),
        ([str(quick_run.path)], "differ in more than training.seed"),
    ):
        assert run(monkeypatch, "evaluate", places[0], *others, *scored) == 1
        assert message in capsys.readouterr().err


def test_info_and_list_know_every_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run(monkeypatch, "list", "--json") == 0
    known = json.loads(capsys.readouterr().out)
    assert run(monkeypatch, "info", "sprites", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 36_864
    for method in known["methods"]:
        assert run(monkeypatch, "info", method) == 0
        assert "preset=laptop" in capsys.readouterr().out
        assert run(monkeypatch, "info", method, "--json") == 0
        assert json.loads(capsys.readouterr().out)["settings"]["properties"]


def test_help_of_a_method_lists_its_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run(monkeypatch, "train", "encdiff", "--help") == 0
    out = capsys.readouterr().out
    assert "method.units" in out
    assert "training.images" in out


def npz(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return f"data={path}"


IMAGES = np.zeros((4, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "encdif"], "Did you mean 'encdiff'"),
        (["train", "encdiff", "data=room"], "Did you mean 'rooms'"),
        (["train", "encdiff", "training.image=3"], "Did you mean 'images'"),
        (["train", "encdiff", "training.images"], "expected dotted.key=value"),
        (["train", "encdiff", "data=sprites", "data.view.keep.shap=[0]"], "Did you mean 'shape'"),
        (["train", "encdiff", "data=sprites", "data.view.keep.shape=[3]"], "classes of shape are 0..2, got 3"),
        (["train", "encdiff", "data=sprites", "data.view=train"], "data.view must be a table"),
        (["train", "encdiff", "data={tmp}/none.npz"], "no file or folder"),
        (["train", "encdiff", "data={tmp}/nokey.npz"], "images"),
        (["train", "encdiff", "data={tmp}/complex.npz"], "must be numbers"),
        (["train", "encdiff", "data={tmp}/cut.npz"], "cut.npz"),
        (["train", "encdiff", "data={tmp}/empty"], "no image"),
        (["train", "{tmp}/none.toml"], "no settings file"),
        (["evaluate", "{tmp}"], "is not a run"),
        (["evaluate"], "give runs, or both"),
        (["evaluate", "--codes", "{tmp}/nan.npy", "--factors", "{tmp}/factors.npy"], "NaN"),
        (["evaluate", "--codes", "{tmp}/none.npy", "--factors", "{tmp}/factors.npy"], "no file"),
        (["evaluate", "{quick}", "--protocol", "mgi@1"], "Did you mean 'mig@1'"),
        (["evaluate", "{quick}", "--prepare", "white"], "raw, standardised or unit-length, got 'white'"),
        (["evaluate", "{quick}", "--figures", "{tmp}/f"], "goes with --codes"),
        (["evaluate", "--codes", "{tmp}/y.npy", "--factors", "{tmp}/y.npy", "--edits"], "needs a run"),
        (["evaluate", "--codes", "{tmp}/y.npy", "--factors", "{tmp}/y.npy", "--jacobian"], "needs a run"),
        (["evaluate", "--codes", "{tmp}/y.npy", "--factors", "{tmp}/y.npy", "--compare"], "needs --data"),
        (
            ["evaluate", "--codes", "{tmp}/y.npy", "--factors", "{tmp}/y.npy", "--compare", "--data", "shapes3"],
            "Did you mean 'shapes3d'",
        ),
        (["encode", "{quick}", "{tmp}/none/"], "none"),
        (["edit", "swap", "{quick}", "1", "--partners", "2", "--units", "9"], "unit must be in 0..3, got 9"),
        (["edit", "swap", "{quick}", "1", "--partners", "2", "--units", "a"], "numbers separated by commas"),
        (["edit", "swap", "{tmp}"], "is not a run"),
        (["edit", "swap", "{quick}", "{tmp}/cut.png", "--partners", "1"], "cut.png"),
        (["edit", "swap", "{quick}", "--sampler", "euler"], "sampler must be one of"),
        (["info", "nothing"], "no run and no method"),
        (["cite", "{tmp}"], "is not a run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gives_one_clear_message(
    words: list[str],
    message: str,
    tmp_path: Path,
    quick_run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    npz(tmp_path / "nokey.npz", pictures=IMAGES)
    npz(tmp_path / "complex.npz", images=IMAGES.astype(np.complex64))
    npz(tmp_path / "whole.npz", images=IMAGES)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:200])
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    codes = np.zeros((5, 2))
    codes[1, 1] = np.nan
    np.save(tmp_path / "nan.npy", codes)
    np.save(tmp_path / "factors.npy", np.arange(10).reshape(5, 2))
    monkeypatch.chdir(tmp_path)
    given = [word.format(tmp=tmp_path, quick=quick_run.path) for word in words]
    assert run(monkeypatch, *given) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: "), captured.err
    assert message.lower() in captured.err.lower()
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "runs").exists(), "a run was begun"


def test_a_corrupt_image_is_named_skipped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    for i, size in enumerate([(20, 20), (30, 24), (16, 40)]):
        Image.new("RGB" if i else "L", size, i * 40).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a jpeg")
    assert run(monkeypatch, "info", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3
    assert "broken.jpg" in caplog.text
    assert "1 of 4" in caplog.text


def test_a_full_disk_is_one_sentence() -> None:
    said = cli.explained(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert said.startswith("error: a disk is full ([Errno")
    assert "free some space" in said


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LookupError):
        run(monkeypatch, "info", "nothing", "--debug")


@pytest.mark.parametrize(
    ("words", "warned"),
    [([], False), (["--host", "localhost"], False), (["--host", "0.0.0.0"], True), (["--share"], True),
     (["--allow-host", "studio.example"], True)],
)  # fmt: skip
def test_who_can_reach_the_page_is_said(
    quick_run: Run, words: list[str], warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    interface, studio = (pytest.importorskip(f"unweave.app.{name}") for name in ("interface", "studio"))
    asked = {"share": False}
    monkeypatch.setattr("unweave.cli.app.signal.signal", lambda *_: None)
    monkeypatch.setattr(interface, "launch", lambda explorer, **options: asked.update(options))
    monkeypatch.setattr(studio, "serve", lambda *runs, **options: asked.update(options))
    assert run(monkeypatch, "app", str(quick_run.path), *words) == 0
    assert ("warning: everyone" in capsys.readouterr().err) == warned
    assert asked["host"] == (words[1] if "--host" in words else "127.0.0.1")
    assert asked["share"] == ("--share" in words)


@pytest.mark.long
def test_a_diti_from_the_command_line(
    diti_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Its blocks and times as units, counterfactuals, manipulation, probes and the theory."""
    place = str(diti_run.path)
    edit = ("edit", "swap", place, "1", "--partners", "2", "--units", "b0-1,t500-999", *FEW)
    assert run(monkeypatch, *edit, "-o", str(tmp_path / "s.png"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [1, 2, 3, 16, 16]
    way = ("--units", "b2-5", "--noise", "--alpha", "0,0.25,1", "--inversion-steps", "4", *FEW)
    words = ("edit", "interpolate", place, "1", "--partners", "2", *way, "-o", str(tmp_path / "i.png"), "--json")
    assert run(monkeypatch, *words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["shape"] == [3, 1, 3, 16, 16]
    assert told["sampling"]["inversion"] == 4
    monkeypatch.setattr(attribute, "FitSettings", lambda kept: FitSettings(kept=kept, steps=200))
    words = ("edit", "manipulate", place, "--attribute", "shape=1", "--amount", "0.3", "3", "--kept", "4", *FEW)
    assert run(monkeypatch, *words, "-o", str(tmp_path / "m.png")) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(tmp_path / "m.png")
    assert "learning the direction of shape=1" in captured.err
    assert "from 4 numbers of the code" in captured.err
    copy = str(shutil.copytree(diti_run.path, tmp_path / "copy"))  # a probe is written into the run
    assert run(monkeypatch, "probe", copy, "--labels", "5", "--rows", "200") == 0
    assert "orientation" in capsys.readouterr().out
    words = ("figure", "attribute-loss", place, "--pairs", "2", "--times", "50,900", "-o", str(tmp_path / "a.png"))
    assert run(monkeypatch, *words) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "a.png"), str(tmp_path / "a.json")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["edit", "swap", "{diti}", "1", "--units", "t5-1000"], "must lie in 0..999"),
        (["edit", "swap", "{diti}", "1", "--units", "b8"], "blocks must lie in 0..7"),
        (["edit", "swap", "{diti}", "1", "--units", "20-30"], "unit must be in 0..23, got 24"),
        (["edit", "interpolate", "{diti}", "1", "--alpha", "0,2"], "(alpha) is from 0, the image, to 1"),
        (["edit", "interpolate", "{diti}", "1", "--alpha", "a"], "--alpha must be numbers"),
        (["edit", "interpolate", "{diti}", "1", "--inversion-steps", "900"], "inversion steps must be in 2..500"),
        (["edit", "interpolate", "{diti}", "1", "--alpha", "0,1", "--points", "3"], "give one of them"),
        (["edit", "interpolate", "{diti}", "1", "--inversion-steps", "9", "--seed", "0"], "give one of them"),
        (["edit", "manipulate", "{diti}", "1", "--attribute", "shap=1"], "Did you mean 'shape'"),
        (["figure", "attribute-loss", "{diti}", "--times", "1000"], "times must be in 0..999"),
        (["figure", "attribute-loss", "{quick}"], "stands on no unconditional diffusion model"),
        (["probe", "{diti}", "--published"], "leave published out"),
        (["probe", "{diti}", "--targets", "{tmp}/empty.csv"], "it is empty"),
        (["train", "diti", "data=sprites", "method.widths=[1]"], "must have one number a stage"),
        (["train", "diti", "data=sprites", "method.widths=[1,25,327,100,50]"], "must sum to method.dim (512)"),
        (["train", "diti", "data=sprites", "data.size=16", "foundation.denoiser.from={tmp}/short"], "500 time-steps"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_to_diti_gives_one_clear_message(
    words: list[str],
    message: str,
    tmp_path: Path,
    diti_run: Run,
    quick_run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / "empty.csv").write_text("")
    denoiser = diti_run.network_sources().networks()["denoiser"].origin
    shutil.copytree(denoiser, tmp_path / "short")
    config = tmp_path / "short" / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_train_timesteps": 500}))
    monkeypatch.chdir(tmp_path)
    places = {"tmp": str(tmp_path), "diti": str(diti_run.path), "quick": str(quick_run.path)}
    assert run(monkeypatch, *(word.format(**places) if "{" in word else word for word in words)) != 0
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said


def test_help_of_a_method_takes_no_option_for_a_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, "train", "encdiff", "--run=runs/a", "preset=release", "--help") == 0
    assert "preset=release" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--serve"], ["photos", "--serve"], ["--share"], ["--allow-host", "a"], ["--host", "0.0.0.0"]]
)
def test_others_get_a_named_run_and_nothing_else(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("gradio")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unweave.cli.app.signal.signal", lambda *_: None)
    assert run(monkeypatch, "app", *words) == 1
    assert "name one" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_a_closed_terminal_ends_the_studio_as_sigterm_does_but_not_with_nohup() -> None:
    import signal

    from unweave.cli.app import _end_on_signals

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _end_on_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _end_on_signals()
        with pytest.raises(SystemExit) as end:
            signal.raise_signal(signal.SIGHUP)
        assert end.value.code == 128 + signal.SIGHUP
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
