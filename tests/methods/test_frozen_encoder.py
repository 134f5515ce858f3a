"""A decoder on the frozen codes of another run."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import small_denoiser

import unweave
from unweave.config import SettingsError
from unweave.methods import diffae, pdae
from unweave.methods.betavae import BetaVAE, BetaVAESettings
from unweave.models.foundation import Foundation, FrozenEncoder
from unweave.runs.run import Run

DATA = {"name": "sprites", "size": 16}
FEW = {"images": 64, "batch": 32, "precision": "float32", "preview": 64, "warmup": 0}
DIFFAE = {"channels": (16, 16), "attention": (False, False), "heads": 2, "groups": 4}


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("encoder") / "vae"
    return unweave.train("betavae", data=DATA, method={"units": 3}, training=FEW, run=place)


@pytest.fixture(scope="module")
def decoder_run(encoder_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_diffae(encoder_run, tmp_path_factory.mktemp("decoder") / "diffae")


def train_diffae(encoder: Run, place: Path, **data: Any) -> Run:
    source = {"foundation": {"encoder": {"from": str(encoder.path)}}}
    return unweave.train("diffae", source, data=DATA | data, method=DIFFAE, training=FEW, run=place)


def frozen_encoder(deviation: float = 2.0) -> FrozenEncoder:
    torch.manual_seed(0)
    vae = BetaVAE(BetaVAESettings(units=3), Foundation((3, 16, 16), 10))
    return FrozenEncoder(vae, np.full((3, 1), 0.5), np.array([deviation, 1.0, 0.0]))


def test_a_decoder_sees_standardised_codes_and_nothing_of_still_units() -> None:
    flat = frozen_encoder().flat(torch.tensor([[[2.5], [1.5], [7.0]]]))
    assert flat.tolist() == [[1.0, 1.0, 0.0]]


@pytest.mark.parametrize("method", ["pdae", "diffae"])
def test_only_the_decoder_learns_and_units_are_the_other_methods(method: str) -> None:
    encoder = frozen_encoder()
    foundation = Foundation((3, 16, 16), 10, denoiser=small_denoiser(), encoder=encoder)
    built = (
        pdae.build(pdae.PDAESettings(), foundation)
        if method == "pdae"
        else diffae.build(diffae.DiffAESettings(**DIFFAE), foundation)
    )
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    assert torch.equal(built.encode(images), encoder.method.encode(images))
    (player,) = built.players()
    learning = {id(weight) for weight in player.parameters}
    assert learning
    assert not learning & {id(weight) for weight in encoder.parameters()}
    assert not any(name.startswith("encoder.") for name in built.state_dict())
    assert not any(name.startswith("encoder") for name in built.averaged)


@pytest.mark.slow
def test_another_runs_codes_are_drawn_edited_and_scored(encoder_run: Run, decoder_run: Run) -> None:
    rows = [0, 5, 9]
    theirs, ours = (unweave.encode(run, images=rows)["codes"] for run in (encoder_run, decoder_run))
    assert theirs.shape == (3, 3, 1)
    assert np.array_equal(theirs, ours)
    stored = load_file(decoder_run.checkpoint() / "weights.safetensors")
    assert stored
    assert not any(name.startswith("encoder.") for name in stored)
    edit = unweave.traverse(decoder_run, images=[0], units=[1], sampling=unweave.Sampling("ddim", 2), seed=0)
    assert torch.isfinite(edit.images).all()
    assert "mig@1" in unweave.evaluate(decoder_run, protocols=["mig@1"], rows=200, repeats=1)["protocols"]


@pytest.mark.slow
def test_it_is_shared_with_its_encoder(decoder_run: Run, encoder_run: Run, tmp_path: Path) -> None:
    decoder_run.save_pretrained(tmp_path / "shared")
    shared = unweave.from_pretrained(str(tmp_path / "shared"))
    assert shared.foundation().digests == {"encoder": encoder_run.digest()}
    assert shared.foundation().encoder is not None
    codes = [unweave.encode(run, images=None)["codes"][:5] for run in (shared, decoder_run)]
    assert np.array_equal(*codes)


@pytest.mark.slow
def test_another_encoder_in_its_place_is_noticed(encoder_run: Run, tmp_path: Path) -> None:
    copy = Run(shutil.copytree(encoder_run.path, tmp_path / "vae"))
    run = train_diffae(copy, tmp_path / "diffae")
    unweave.train("betavae", data=DATA, method={"units": 3}, training={**FEW, "seed": 1}, run=copy.path, overwrite=True)
    with pytest.raises(ValueError, match=r"the encoder that .* stands on has changed"):
        run.method()


@pytest.mark.parametrize(
    ("what", "tables", "said"),
    [
        ("diffae", {"data": {"size": 32}}, "sees images of 3 x 16 x 16 .* set data.size=16"),
        ("encdiff", {}, "encdiff has an encoder of its own: pdae and diffae"),
        ("diffae", {"foundation": {"encoder": {"from": "runs/nothing-there"}}}, "nothing-there"),
        ("diffae", {"foundation": {"encoder": {"recipe": {"method": {"name": "betavae"}}}}}, "train it first"),
    ],
)
def test_what_cannot_be_is_said_before_training(
    encoder_run: Run, tmp_path: Path, what: str, tables: dict[str, Any], said: str
) -> None:
    source = {"foundation": {"encoder": {"from": str(encoder_run.path)}}, "data": DATA}
    with pytest.raises((SettingsError, LookupError), match=said):
        unweave.train(what, source, tables, training=FEW, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_not_ended_is_no_encoder(encoder_run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(encoder_run.path, tmp_path / "vae")
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(SettingsError, match=r"the training of .* has not ended"):
        train_diffae(Run(copy), tmp_path / "diffae")
