"""Commands and blocks of Python of the pages are run, on small data and with small budgets.

It is run in a folder in which the pages' names are there (`small_place`), with the words of `FEW` and `small` behind
those of the page. What a machine without a network, a cluster or a browser cannot do is in `ELSEWHERE`, with its test.
"""

import ast
import contextlib
import functools
import glob
import io
import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import QUICK
from tests.docs import small_place
from tests.docs.page_commands import PAGES, ROOT, command_line, commands, help_text, python_blocks

import unweave
from unweave.cli import main as cli
from unweave.training import recipes

CLAIMS = "laws/test_demo_laws.py::test_its_claim_holds_and_fails_where_its_own_term_is_off"
OWN_METHOD = "studies/test_new_method.py::test_what_is_written_keeps_the_contract_and_can_be_swept"
SPOILT = "test_a_run_is_spoilt_with_its_stored_factors_or_those_that_are_found"
ELSEWHERE = {
    r"^pip ": "test_packaging.py::test_extras_that_pages_name_are_there",
    r"^make papers": CLAIMS,
    r"^make ": "test_packaging.py::test_what_pages_make_is_made_by_continuous_integration",
    r"^python benchmarks/": "test_benchmarks.py::test_script",
    r"unweave-edit\.png": "app/test_explorer.py::test_the_command_makes_the_same_picture",
    r"^unweave demo \w": CLAIMS,
    r"^torchrun|^accelerate": "test_several.py::test_a_whole_run_on_two_processes_stops_and_resumes",
    r"training\.processes=2": "training/test_processes.py::test_a_run_of_two_processes_is_like_any_other",
    r"data=hf://": "data/formats/test_huggingface.py::test_a_data_set_of_the_hub",
    r"data get ": "data/download/test_download.py::test_a_set_is_fetched_with_its_licence_shown_before",
    r"data=shapes3d": "data/sets/test_shapes3d.py::test_an_hdf5_in_the_original_format",
    r"google/ddpm": "models/test_foundation.py::test_a_name_on_the_hub_is_downloaded_and_its_commit_kept",
    r"--data lfw": "evaluation/test_probe.py::test_scores_of_lfw_are_matched_by_file",
    r"celeba|--published": "evaluation/test_probe.py::test_the_evaluation_of_celeba_runs_on_faces_in_its_layout",
    r"evaluate (RUN|runs/\S+) --compare": "cli/test_cli.py::test_anybodys_codes_are_compared_with_what_is_published",
    r"diti .*preset=gap": CLAIMS,
    r"preset=release": "methods/test_encdiff.py::test_the_release_preset_is_the_release",
    r"--push": "runs/test_hub.py::test_what_is_pushed_can_be_opened",
    r"encode .*--backend ray": "runs/test_ray_codes.py::test_a_killed_encoder_costs_the_part_that_it_was_at",
    r"--backend ray": "studies/test_ray_engine.py::test_ray_gives_the_scores_of_local_though_a_worker_is_killed",
    r"--backend slurm": "studies/test_slurm_engine.py::test_an_array_is_done_and_a_job_that_vanishes_has_failed",
    r"^unweave tune": "studies/test_tune.py::test_the_best_third_goes_on_and_a_stopped_tuning_too",
    r"app .*--serve": "cli/test_cli.py::test_others_get_a_named_run_and_nothing_else",
    r"app .*--allow-host": "app/test_guard.py::test_a_proxy_that_is_named_may_ask_from_its_own_pages",
    r"app runs/a runs/b": "app/test_side_by_side.py::test_both_see_the_same_picture",
    r"app( photos/)?$": "app/test_studio.py::test_a_zip_is_learned_from_paused_and_gone_on_with",
    r"app builtin:rooms": "app/test_studio.py::test_the_model_of_the_package_is_tried_at_three_widths",
    r"app runs/[\w-]+$": "app/test_interface.py::test_a_visit",
    r"\bmine(/|$| method)": OWN_METHOD,
    r"(train|method) pca": "test_examples.py::test_a_method_outside_the_package_works_like_one_inside",
    r"sweep studies/": "studies/test_shipped.py::test_a_study_that_ships_can_be_planned",
    r"report .* --check": f"evaluation/test_verdict_check.py::{SPOILT}",
}
"""What needs a network, a cluster, a browser or minutes, by a pattern of commands, and the test of it."""

HELP = "help"
RUNS = {
    "ideas/classvae": "runs/classvae-classes",
    "contrastive": "runs/byol-sprites",
    "csdismo": "runs/csdismo-classes",
    "diti": "runs/diti-rooms",
}
RUNS |= {"foundations": "runs/disdiff-rooms", "architecture": "runs/encdiff-photos", HELP: "runs/a"}
"""What RUN is on a page; elsewhere it is runs/a."""
STAND_INS = {
    "FOLDER": "photos/",
    "data=FOLDER": "data=classes/",
    "PATH": "photos/",
    "OTHER-RUN": "runs/a",
    "STUDY.toml": "study.toml",
}
STAND_INS |= {"NAME": "rooms", "training.images=MORE": "training.images=64"}
STAND_INS |= {"training.images=200000": "training.images=64", "training.images=60000": "training.images=64"}
STAND_INS |= {"codes-labelled/": "codes/"}
STAND_INS |= {"runs/verdicts/runs/*-rooms-*": "runs/seed-*", "runs/builtin": "runs/study", "runs/vae": "runs/second"}
STAND_INS |= {"runs/another": "runs/second"}
STAND_INS |= {"data.channels=0,2": "data.channels=0,1"}  # the small cells have two channels
STAND_INS |= {"runs/diti": "runs/diti-rooms", "runs/denoiser_rooms": "runs/denoiser-rooms"}
STAND_INS |= {"foundation.denoiser.from=runs/d": "foundation.denoiser.from=runs/denoiser-rooms"}
INSTEAD = {
    "unweave share runs/disdiff-rooms photos/": "unweave share runs/disdiff-rooms shared/rooms",
    "unweave train configs/my.toml --run runs/a": "unweave train configs/my.toml --run runs/mine",
    "unweave evaluate runs/a runs/a runs/a": "unweave evaluate runs/seed-0 runs/seed-1",
    "unweave edit directions runs/a 12 --mask 20,20,44,52": "unweave edit directions builtin:rooms 12 --mask 8,8,44,52",
    "unweave data info photos/ labels=folders size=128": "unweave data info classes/ labels=folders size=128",
    "unweave report cells/ data.labels=plates.csv data.aside=plate": "unweave report classes/ data.labels=plates.csv "
    "data.aside=plate",
    "unweave data info mine.zip --picture sheet.png": "unweave data info mine.zip --picture pictures.png",
}
"""Commands whose words say more than the small place has."""
DENOISER = "unweave train denoiser data=rooms"
STUDIES = ["unweave sweep study.toml", "unweave sweep study.toml -o runs/second"]
BEFORE = {
    "contrastive": ["unweave train byol data=sprites data.size=16"],
    "foundations": [DENOISER, "unweave train byol data=rooms"],
    "howto/study": STUDIES,
    "ideas/classvae": ["unweave train classvae data=classes/"],
    "reference/overview": STUDIES,
    HELP: [
        *STUDIES, DENOISER, "unweave train diti data=rooms", "unweave train disdiff data=rooms",
        "unweave name runs/a 8 'wall colour'", "unweave name runs/a 5 'wall hue'", "unweave name runs/a 6 shape",
        "unweave encode runs/a -o codes.npz",
    ],
}  # fmt: skip
"""Commands that a page takes for done."""
FEW = {"--steps": "2", "--pairs": "4", "--rows": "400", "--repeats": "1", "--processes": "1"}
"""Options that are added where a command has them."""
TRAINING = [f"training.{key}={value}" for key, value in small_place.FEW.items()]
SETTINGS = {
    "encdiff": [f"method.{key}={json.dumps(value)}" for key, value in QUICK.items()],
    "dotvae": ["method.pretraining=8", "method.every=2", "method.rise_after=8", "method.rise=8"],
    "csdismo": ["method.encoders_after=16"],
    "lord": ["method.encoders_after=16"],
}


@functools.cache
def pages() -> dict[str, list[str]]:
    """The commands that are run of each page, in their order; one that several pages have, on the first of them."""
    texts = {page.relative_to(ROOT).as_posix().removeprefix("docs/").removesuffix(".md"): page for page in PAGES}
    seen, todo = set[str](), dict[str, list[str]]()
    for page, text in {**{name: path.read_text() for name, path in texts.items()}, HELP: help_text()}.items():
        own = [with_names(command, page) for command in commands(text)]
        todo[page] = [command for command in own if command not in seen and where(command) is None]
        seen |= set(own)
    return {page: todo[page] for page in todo if todo[page]}


def with_names(command: str, page: str) -> str:
    names = {**STAND_INS, "RUN": RUNS.get(page, "runs/a")}
    if "contrast" in command and "--by" in command:
        names |= {"RUN": "runs/encdiff-cells", "cells/": "classes/"}
    named = shlex.join(names.get(word, word) for word in shlex.split(command))
    return INSTEAD.get(named, named)


def where(command: str) -> str | None:
    """The test of a command that is not run here."""
    return next((test for pattern, test in ELSEWHERE.items() if re.search(pattern, command)), None)


def small(words: list[str]) -> list[str]:
    """A command with a budget of seconds."""
    verb = command_line()
    rest = list(words)
    while rest and rest[0] in vars(verb).get("commands", {}):
        verb = vars(verb)["commands"][rest.pop(0)]
    options = {name for option in verb.params for name in option.opts}
    words = [*words, *(word for name, value in FEW.items() if name in options - set(words) for word in (name, value))]
    images = [word for word in rest if Path(word).is_dir() and not Path(word, "settings.toml").exists()]
    learns = words[0] == "train" or (words[0] in ("report", "contrast") and rest[:1] == images[:1])
    if not learns or {"--resume", "--help"} & set(words):
        return words
    named = words[words.index("--method") + 1] if "--method" in words else "encdiff"
    method = rest[0] if words[0] == "train" else named
    keys = {word.partition("=")[0] for word in words}
    own = [word for word in SETTINGS.get(method, []) if word.partition("=")[0] not in keys and "preset" not in keys]
    return [*words, *own, *TRAINING]


def few(recipe: recipes.Recipe) -> recipes.Recipe:
    """Of a frozen network, the same with a budget of seconds."""
    return recipe._replace(table={**recipe.table, "training": {**recipe.table.get("training", {}), **small_place.FEW}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    with contextlib.chdir(folder):
        small_place.make(folder)
    shutil.copytree(folder / "runs", folder.with_name(f"{folder.name}-runs"))
    return folder


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That folder itself, as a copied run is a stranger's; when the page ends, it is as it was before."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    recipe_of = recipes.recipe_of
    monkeypatch.setattr(recipes, "recipe_of", lambda kind, source: few(recipe_of(kind, source)))
    before = {*folder.iterdir()}
    yield folder
    for added in {*folder.iterdir()} - before:
        shutil.rmtree(added) if added.is_dir() else added.unlink()
    shutil.rmtree(folder / "runs")
    shutil.copytree(folder.with_name(f"{folder.name}-runs"), folder / "runs")


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code of a command, and the last that it says."""
    words = [match for word in shlex.split(command)[1:] for match in sorted(glob.glob(word)) or [word]]
    said = io.StringIO()
    monkeypatch.setattr("sys.argv", ["unweave", *small(words)])
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()[-400:]
    return 0, ""


@pytest.mark.long
@pytest.mark.usefixtures("_few_swaps")
@pytest.mark.parametrize("page", sorted(pages()))
def test_commands_of_a_page_run(page: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = []
    for command in [*BEFORE.get(page, []), *pages()[page]]:
        began = time.monotonic()
        code, said = run(command, monkeypatch)
        print(f"{time.monotonic() - began:6.1f} s  {code}  {page}: {command}", flush=True)
        if code:
            faults.append(f"{command}: {code}: {said}")
    assert faults == [], "\n".join(faults)


WITH_PYTHON = [page for page in PAGES if python_blocks(page.read_text())]
PREPARED = {"unweave": unweave, "factors": np.arange(1_200).reshape(400, 3) % 4}
"""What blocks of Python take for there; `images` besides, and `encode`, a model of anybody's."""
MADE = {"shared/rooms": "unweave share runs/encdiff-rooms shared/rooms"}
MADE |= {"web/encoder.onnx": "unweave export builtin:rooms web/ --onnx"}
"""The command that makes what a block of Python reads."""
REPLACED = {"50_000": "32", "evaluate(run)": "evaluate(run, rows=400, repeats=1)", "[250_000, 0]": "[250_000]"}


@pytest.mark.long
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: path.stem)
def test_python_of_a_page_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (line for words, line in MADE.items() if words in path.read_text()):
        assert run(command, monkeypatch)[0] == 0
    dataset = unweave.open_data("manifolds" if path.stem == "local_isometry" else {"name": "sprites", "size": 16})
    values = {**PREPARED, "images": dataset.images(np.arange(400)), "encode": lambda images: images.mean((1, 2))}
    before = {*values, "__builtins__"}
    for block in python_blocks(path.read_text()):
        for words, stand_in in REPLACED.items():
            block = block.replace(words, stand_in)
        exec(compile(block, path.name, "exec"), values)
    assert set(values) - before


def test_what_is_not_run_here_has_a_test() -> None:
    every = [command for page in PAGES for command in commands(page.read_text())] + commands(help_text())
    for pattern, test in ELSEWHERE.items():
        file, _, name = test.partition("::")
        functions = [node.name for node in ast.parse((ROOT / "tests" / file).read_text()).body if hasattr(node, "name")]
        assert name in functions, test
        assert any(re.search(pattern, command) for command in every), pattern
    text = "\n".join([*(page.read_text() for page in PAGES), help_text()])
    assert [word for word in [*STAND_INS, *REPLACED, *MADE] if word not in text] == []
    named = {with_names(command, page) for page in (*RUNS, "other") for command in every}
    assert [command for command in INSTEAD if INSTEAD[command] not in named] == []
