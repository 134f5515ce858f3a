"""Two gloo processes of 16 images equal one process of 32."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unweave.runs.run import Run

STEPS = """
import json, sys
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from tests.test_several import objective
from unweave.data.open import open_data
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training.batches import batches
from safetensors.torch import save_file

name, processes, out = sys.argv[1:]
torch.set_num_threads(1)
method = objective(name)
players = method.players()
accelerator = Accelerator(
    cpu=True, kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=len(players) > 1)]
)
assert accelerator.num_processes == int(processes)
players = [player._replace(module=accelerator.prepare(player.module)) for player in players]
settings = TrainingSettings(images=160, batch=32, rate=1e-3, precision="float32")
if name not in ("one", "two"):  # batch norm leaves some weights without a gradient but for its rounding: not for Adam
    settings = settings.model_copy(update={"optimiser": "sgd", "rate": 0.05})
dataset = open_data({"name": "sprites", "size": 16})
share = (accelerator.process_index, accelerator.num_processes)
stream = batches(dataset, 0, 32, 0, 160, torch.device("cpu"), share)
optimisers, rng = loop.optimisers(players, settings), torch.Generator()
seen = [step.seen for step in loop.steps(players, stream, optimisers, settings, accelerator, rng)]
assert seen == [32, 64, 96, 128, 160], seen
if accelerator.is_main_process:
    save_file({key: tensor.clone() for key, tensor in method.state_dict().items()}, out)
"""


def objective(name):
    """A one-player and a two-player method with GroupNorm, whose objectives draw no random numbers; or a learner,
    whose views are those of one process and whose batch statistics and negatives are gathered (the gradients of the
    others: tests/models/test_gathered.py)."""
    from tests.methods.test_contrastive import LEARNERS, learner
    from tests.methods.test_encdiff import quick
    from torch import nn

    from unweave.method import Loss, Player

    if name in LEARNERS:
        return learner(name, norm="batch")
    torch.manual_seed(0)
    encdiff = quick(diffusion=False, encoder_norm="group", self_attention=True)
    if name == "one":
        return encdiff

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.encdiff, self.critic = encdiff, nn.Linear(4, 1)

        def forward(self, batch, rng):
            odds = self.critic(self.encdiff.encode(batch.images).detach().squeeze(-1)).mean()
            return Loss((odds - 1).square(), {"odds": odds})

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.second = Critic()
            self.encdiff = encdiff

        def forward(self, batch, rng):
            base = self.encdiff(batch, rng)
            odds = self.second.critic(self.encdiff.encode(batch.images).squeeze(-1)).mean()
            return Loss(base.total + 0.1 * odds, base.terms)

        def players(self):
            critic = list(self.second.critic.parameters())
            return [
                Player("encdiff", self, self.encdiff.players()[0].parameters),
                Player("critic", self.second, critic, betas=(0.5, 0.9)),
            ]

    return Both()


def launched(processes: int, *words: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=300, env=environment, cwd=at)


@pytest.mark.long
@pytest.mark.parametrize("name", ["one", "two", "moco", "simclr"])
def test_two_processes_of_16_equal_one_of_32(tmp_path: Path, name: str) -> None:
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    for processes in (1, 2):
        done = launched(processes, str(script), name, str(processes), str(tmp_path / f"{processes}.safetensors"))
        assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / f"{processes}.safetensors") for processes in (1, 2))
    began = objective(name).state_dict()
    moved = max((one[key] - began[key]).abs().max().item() for key in one)
    apart = max((one[key] - two[key]).abs().max().item() for key in one)
    assert moved > 1e-3
    assert apart < 1e-5


@pytest.mark.long
def test_a_whole_run_on_two_processes_stops_and_resumes(tmp_path: Path) -> None:
    words = ["-m", "unweave", "train", "factorvae", "data=sprites", "data.size=16", "training.precision=float32"]
    words += ["training.batch=32", "training.preview=128", "training.save=64", "method.critic_width=16"]
    place = tmp_path / "run"
    odd = launched(2, *words, "training.images=129", "-o", str(place))
    assert "multiples of their number, 2" in odd.stderr
    done = launched(2, *words, "training.images=128", "training.tracker=tensorboard", "-o", str(place))
    assert done.returncode == 0, done.stderr
    run = Run(place)
    assert "finished" in run.record()
    assert run.has_statistics()
    assert run.record()["processes"] == 2
    assert done.stdout.count(str(place)) == 1
    assert [record["seen"] for record in run.history()] == [32, 64, 96, 128]
    generators = load_file(run.checkpoint() / "generators.safetensors")
    assert not torch.equal(generators["0/objective"], generators["1/objective"])
    assert json.loads((run.checkpoint() / "state.json").read_text())["seen"] == 128
    again = launched(2, "-m", "unweave", "train", str(place), "--resume")
    assert again.returncode == 0, again.stderr
    assert "trained already" in again.stderr


@pytest.mark.long
@pytest.mark.parametrize("method", ["factorvae", "simclr"])  # two players; objectives that gather
def test_two_processes_end_where_images_are_held_out(tmp_path: Path, method: str) -> None:
    words = ["-m", "unweave", "train", method, "data=sprites", "data.size=16", "training.precision=float32"]
    words += ["data.view.split=train", "training.batch=32", "training.images=128", "training.preview=128"]
    done = launched(2, *words, "-o", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "run")
    assert "finished" in run.record()
    assert all(any(key.startswith("held_out/") for key in record) for record in run.history())


OTHERS = {
    "protovae": ["method.after=0", "method.rise=32", "method.prototypes=1.0", "method.latents=2", "method.changes=16"],
    "dotvae": ["method.units=2", "method.pretraining=32", "method.every=32"],
    "csdismo": ["method.width=8", "method.encoders_after=64"],
}


@pytest.mark.long
@pytest.mark.parametrize("method", OTHERS)
def test_methods_with_episodes_critics_and_codes_run_on_two_processes_and_go_on(tmp_path: Path, method: str) -> None:
    words = ["-m", "unweave", "train", method, "data=sprites", "data.size=16", "training.precision=float32"]
    words += ["training.batch=32", "training.preview=128", "training.save=64", *OTHERS[method]]
    place = tmp_path / "run"
    done = launched(2, *words, "training.images=128", "-o", str(place))
    assert done.returncode == 0, done.stderr
    run = Run(place)
    assert run.record()["processes"] == 2
    whole = load_file(run.checkpoint() / "weights.safetensors")
    shutil.rmtree(place / "checkpoints" / "000000000128")  # as if it had been killed before the last one
    again = launched(2, "-m", "unweave", "train", str(place), "--resume")
    assert again.returncode == 0, again.stderr
    for name, tensor in load_file(Run(place).checkpoint() / "weights.safetensors").items():
        torch.testing.assert_close(tensor, whole[name], atol=1e-6, rtol=1e-5)


FEW = """
[data]
name = "sprites"
size = 16
[training]
images = 64
batch = 16
precision = "float32"
preview = 64
"""

RECIPE = """
preset = "laptop"
[method]
name = "pdae"
dim = 8
encoder_widths = [16, 16]
[foundation.denoiser]
from = "denoiser"
recipe = "denoiser.toml"
"""

DENOISER = """
preset = "laptop"
[method]
name = "denoiser"
channels = [16, 16]
attention = [false, true]
heads = 2
groups = 4
"""


@pytest.mark.long
def test_two_processes_make_a_foundation_first_and_convert_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "pdae.toml").write_text(RECIPE + FEW)
    (tmp_path / "denoiser.toml").write_text(DENOISER + FEW)
    made = launched(2, "-m", "unweave", "train", "pdae.toml", "-o", "run", at=tmp_path)
    assert made.returncode == 0, made.stderr
    for name in ("denoiser", "run"):
        record = Run(tmp_path / name).record()
        assert (record["processes"], record["images"]) == (2, 64)
    assert made.stderr.count("is not there yet") == 1  # one of the two speaks
    assert Run(tmp_path / "run").method().encode(torch.zeros(1, 3, 16, 16)).shape == (1, 8, 1)

    pickled = tmp_path / "pickled"
    shutil.copytree(tmp_path / "denoiser", pickled, ignore=shutil.ignore_patterns("checkpoints", "settings.toml"))
    weights = pickled / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    words = ["-m", "unweave", "train", "pdae", "data=sprites", "data.size=16", "foundation.denoiser.from=pickled"]
    words += ["method.dim=8", "method.encoder_widths=[16, 16]", "training.images=32", "training.batch=16"]
    words += ["training.precision=float32", "-o", "other"]
    refused = launched(2, *words, at=tmp_path)
    assert refused.returncode != 0
    assert "--convert" in refused.stderr
    converted = launched(2, *words, "--convert", at=tmp_path)
    assert converted.returncode == 0, converted.stderr
    assert weights.is_file()
    assert not list(weights.parent.glob(".*partial"))
    assert Run(tmp_path / "other").record()["processes"] == 2
