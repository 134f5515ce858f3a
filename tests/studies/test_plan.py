import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from unweave.config import SettingsError, merge, parse_word
from unweave.runs.plan import plan
from unweave.runs.run import create
from unweave.studies.plan import StudyPlan, plan_study
from unweave.studies.study import Study, small

SMALL = {"data": [{"name": "sprites", "size": 16}], "seeds": 1, "images": [64], "protocols": ["mig@1"]}


def planned(out: Path, methods: list[Any], **changes: Any) -> StudyPlan:
    return plan_study(Study.model_validate({**SMALL, "methods": methods, **changes}), out)


def test_runs_are_methods_times_settings_times_data_times_budgets_times_seeds(tmp_path: Path) -> None:
    entry = {"name": "dipvae", "preset": ["laptop", "sweep"], "vary": {"method.variant": ["I", "II"]}}
    runs = planned(tmp_path, ["betavae", entry], images=[64, 128], seeds=[3]).runs
    assert len(runs) == (1 + 2 * 2) * 2
    assert runs[0].name == "betavae-sprites-16-64-3"
    assert runs[-1].label == "dipvae preset=sweep method.variant=II"
    settings = runs[-1].settings
    assert (settings.training.seed, settings.training.images, settings.training.threads) == (3, 128, 1)


def test_the_command_of_a_run_gives_its_settings(tmp_path: Path) -> None:
    run = planned(tmp_path, [{"name": "encdiff", "settings": {"training": {"betas": [0.9, 0.98]}}}]).runs[0]
    words = shlex.split(run.command)
    assert words[:3] == ["unweave", "train", "encdiff"]
    tables = [parse_word(word) for word in words[3 : words.index("--run")]]
    assert plan("encdiff", merge(*tables)) == run.settings


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    methods = ["betavea", {"name": "betavae", "settings": {"method": {"bta": 4}}}, {"name": "dipvae", "preset": "lap"}]
    with pytest.raises(SettingsError) as error:
        planned(tmp_path, methods, protocols=["mig"])
    text = str(error.value)
    for part in ("Did you mean 'betavae'", "method.bta is not a setting", "no preset 'lap'", "no protocol 'mig'"):
        assert part in text


@pytest.mark.parametrize(
    ("data", "said"), [("spirtes", "Did you mean 'sprites'"), ("folder/there/is/not", "no file or folder")]
)
def test_a_data_set_that_is_not_there_is_named(data: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        planned(tmp_path, ["betavae"], data=[data])


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"betavae-sprites-16-64-0: two runs have this name .* give one of them"):
        planned(tmp_path, ["betavae", "betavae"])
    assert len(planned(tmp_path, ["betavae", {"name": "betavae", "label": "again"}]).runs) == 2


def test_settings_of_data_are_laid_over_each_data_set(tmp_path: Path) -> None:
    entry = {"name": "betavae", "vary": {"data.size": [32, 64]}}
    runs = planned(tmp_path, [entry], data=["sprites", {"name": "rooms", "size": 64}]).runs
    assert [(run.settings.data.name, run.settings.data.size) for run in runs] == [
        (name, size) for size in (32, 64) for name in ("sprites", "rooms")
    ]
    (run,) = planned(tmp_path, ["betavae"], data=["sprites"], settings={"data": {"size": 16}}).runs
    assert (run.name, run.settings.data.size) == ("betavae-sprites-16-64-0", 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vary": {"training.images": [64, 128]}}, "training.images varies beside `images`"),
        ({"vary": {"training.seed": [0, 1]}}, "give `seeds`"),
        ({"settings": {"training": {"seed": 1}}}, "give `seeds`"),
        ({"settings": {"data": "rooms"}}, "name it in `data`"),
        ({"settings": {"data": {"name": "rooms"}}}, "name it in `data`"),
        ({"vary": {"method.beta": []}}, "vary, data and seeds is an empty list"),
        ({"seeds": []}, "vary, data and seeds is an empty list"),
    ],
)
def test_what_a_study_gives_elsewhere_is_no_setting(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        planned(tmp_path, ["betavae"], **changes)
    with pytest.raises(SettingsError, match=said):
        planned(tmp_path, [{"name": "betavae", **changes}])


def test_budgets_may_vary_where_the_study_has_none(tmp_path: Path) -> None:
    study = Study.model_validate(
        {**SMALL, "images": [], "methods": ["betavae"], "vary": {"training.images": [64, 128]}}
    )
    assert [run.settings.training.images for run in plan_study(study, tmp_path).runs] == [64, 128]
    assert len(plan_study(small(study), tmp_path, small=True).runs) == 1


def test_what_cannot_be_trained_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="latents open one every"):
        planned(tmp_path, ["dotvae"])


def test_results_of_other_settings_or_of_another_version_are_refused(tmp_path: Path) -> None:
    run = planned(tmp_path, ["betavae"]).runs[0]
    stored = create(run.run_dir, run.settings)
    assert planned(tmp_path, ["betavae"]).missing()
    (stored.path / "run.json").write_text(json.dumps({"versions": {"unweave": "0.0.1"}}))
    with pytest.raises(SettingsError, match=r"trained by unweave 0\.0\.1"):
        planned(tmp_path, ["betavae"])
    study = Study.model_validate({**SMALL, "methods": ["betavae"]})
    assert plan_study(study, tmp_path, any_version=True).runs
    with pytest.raises(SettingsError, match=r"other settings \(training.rate\)"):
        planned(tmp_path, ["betavae"], settings={"training": {"rate": 0.5}}, seeds=1)


def test_foundations_are_made_once_and_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = planned(tmp_path / "out", [{"name": "disdiff", "preset": "laptop-vq"}, "diti", "pdae"], seeds=2)
    names = [Path(of.name).name for of in study.foundations]
    assert len(names) == len(set(names)) == 3
    assert names[0].startswith("autoencoder")
    by_name = {of.name: of for of in study.foundations}
    assert all(name in by_name for of in study.foundations for name in of.needs)
    assert {name for run in study.runs for name in run.needs} <= set(by_name)
    assert all("training.threads=1" in of.recipe.command for of in study.foundations)


def test_the_small_form_has_foundations_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = Study.model_validate({**SMALL, "methods": [{"name": "disdiff", "preset": "laptop-vq"}]})
    of_small = plan_study(study, tmp_path / "out", small=True)
    assert [Path(of.name).parent for of in of_small.foundations] == [tmp_path / "out" / "foundations"] * 2
    assert all("training.images=320" in of.recipe.command for of in of_small.foundations)


def test_recorded_runs_are_not_run_again(tmp_path: Path) -> None:
    run = {"seed": 0, "images": 64, "seconds": 3.0, "mig@1 mig": 0.5}
    runs = [{"row": "betavae", **run}, {"row": "dipvae method.variant=II", **run}]
    (tmp_path / "record.json").write_text(json.dumps({"data": "sprites", "runs": runs}))
    content = {**SMALL, "data": ["sprites"], "methods": ["betavae", "dipvae"], "imports": ["record.json"]}
    study = Study.model_validate({**content, "protocols": ["mig@1", "med@1"]})
    of_study = plan_study(study, tmp_path / "out", folder=tmp_path)
    assert [run.label for run in of_study.missing()] == ["dipvae"]
    assert [row.value for row in of_study.imported["betavae-sprites-64-0"]] == [0.5]
    assert of_study.lacking() == {"betavae-sprites-64-0": ["med@1"]}
    for changes in ({"data": SMALL["data"]}, {"settings": {"training": {"rate": 0.5}}}):
        other = plan_study(Study.model_validate({**content, **changes}), tmp_path / "out", folder=tmp_path)
        assert [run.label for run in other.missing()] == ["betavae", "dipvae"]
        assert other.lacking() == {}
    with pytest.raises(SettingsError, match="there is no record"):
        planned(tmp_path, ["betavae"], imports=["none.json"])
