"""DisDiff's step: all units at once against the loop over units, pieces, its parts, memory against its estimate.

    python benchmarks/disdiff_speed.py --threads 2
    python benchmarks/disdiff_speed.py --release --batch 64 --device cuda

Networks are untrained, images random; a configuration is warmed up and its fastest of `--repeats` steps (forward and
backward) is reported, with the most memory that the process (or the GPU) grew by. Each runs in a process of its own.
Prints JSON.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from accelerate import Accelerator

from unweave.method import Batch
from unweave.methods import disdiff
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.latents import LatentSpace
from unweave.models.pretraining import autoencoder, denoiser
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.training import memory
from unweave.training.record import processor_name

SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0155}


def build(release: bool, changes: dict[str, int]) -> disdiff.DisDiff:
    """DisDiff on untrained latents: the laptop preset's sizes, or the release's."""
    size, name = (64, "release") if release else (32, "laptop-kl")
    coder = autoencoder.AutoencoderSettings(**autoencoder.PRESETS[name]["method"])
    space = LatentSpace(autoencoder.build_network(coder, 3, size), (3, size, size))
    s = denoiser.DenoiserSettings(**denoiser.PRESETS[name]["method"])
    depth, side, _ = space.shape
    unet = unconditional_unet(side, depth, UNetShape(s.channels, s.attention, s.layers, s.heads, s.groups, s.dropout))
    preset = disdiff.PRESETS["release" if release else "laptop"]["method"]
    foundation = Foundation((3, size, size), 1, space, FrozenDenoiser(unet, SCHEDULE))
    method = disdiff.build(disdiff.DisDiffSettings(**{**preset, **changes}), foundation)
    for parameter in method.field.parameters():  # layers that begin at zero would hide the work of others
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return method


def measure_step(options: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    method = build(options.release, dict(options.change)).to(options.device)
    size = method.shape[1]
    images = torch.rand(options.batch, 3, size, size, device=options.device) * 2 - 1
    batch = Batch(images, torch.arange(options.batch, device=options.device), 0)
    accelerator = Accelerator(cpu=options.device == "cpu")
    times, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        with torch.autocast(options.device, torch.bfloat16, enabled=options.bfloat16):
            loss = method(batch, torch.Generator().manual_seed(0))
        loss.total.backward()
        if options.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        for parameter in method.parameters():
            parameter.grad = None
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    if options.device == "cuda":
        growth = torch.cuda.max_memory_allocated() / 2**20
    precision = "bfloat16" if options.bfloat16 else "float32"
    fixed, held = memory.estimate(method.players(), batch, precision, accelerator)
    return {
        "seconds": round(min(times[1:]), 4),
        "grew_mib": round(growth),
        "estimated_mib": round((fixed + held) / 2**20),
    }


def measure_parts(options: argparse.Namespace) -> dict[str, float]:
    """Seconds of what a step is made of, each by itself, and of the whole step, in one process."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    method = build(options.release, {}).to(options.device)
    size, depth, side = method.shape[1], *method.space.shape[:2]
    images = torch.rand(options.batch, 3, size, size, device=options.device) * 2 - 1
    batch = Batch(images, torch.arange(options.batch, device=options.device), 0)
    x_t = torch.randn(options.batch, depth, side, side, device=options.device, requires_grad=True)
    t = torch.randint(0, 1000, (options.batch,), device=options.device)
    noise = torch.Generator().manual_seed(0)

    def without_gradient(work: Callable[[], object]) -> Callable[[], object]:
        return torch.no_grad()(work)

    with torch.no_grad():
        features, _ = method.denoiser.features_and_noise(x_t, t)
        units = method.encode(images)
    work: dict[str, Callable[[], object]] = {
        "latents of the images": lambda: method.space.encode(images),
        "frozen U-Net": lambda: method.denoiser.features_and_noise(x_t, t),
        "fields, both ways": lambda: method.field(features, units).sum().backward(),
        "decode": without_gradient(lambda: method.space.soft_decode(x_t)),
        "decode, both ways": lambda: method.space.soft_decode(x_t).sum().backward(),
        "encoder, both ways": lambda: method.encode(images).sum().backward(),
        "twin": without_gradient(lambda: method.reencode(images)),
        "twin, both ways": lambda: method.reencode(images.requires_grad_()).sum().backward(),
        "the whole step": lambda: method(batch, noise).total.backward(),
    }
    seconds = {}
    for name, action in work.items():
        times = []
        for _ in range(options.repeats + 1):
            start = time.perf_counter()
            with torch.autocast(options.device, torch.bfloat16, enabled=options.bfloat16):
                action()
            if options.device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        seconds[name] = round(min(times[1:]), 4)
    whole = seconds["the whole step"]
    return {**seconds, "step over the sum of its parts": round(whole / (sum(seconds.values()) - whole), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="the release's sizes, 64 px")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--change", nargs="*", type=lambda word: (word.split("=")[0], int(word.split("=")[1])))
    options = parser.parse_args()
    if options.change is not None:
        print(json.dumps(measure_step(options)))
        return
    rows = {"all units at once": [], "one unit at a time": ["chunk=1"], "two at a time": ["chunk=2"]}
    rows |= {"five at a time": ["chunk=5"], "pieces of 8 images": ["piece=8"], "without the terms": ["weight=0"]}
    results = {}
    for name, change in rows.items():
        command = [sys.executable, *sys.argv, "--change", *change]
        results[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    fastest = results["all units at once"]["seconds"]
    for row in results.values():
        row["times_all_at_once"] = round(row["seconds"] / fastest, 2)
    about = {"command": sys.argv, "threads": options.threads, "torch": torch.__version__, "cpu": processor_name()}
    print(json.dumps({**about, **results, "parts": measure_parts(options)}, indent=2))


if __name__ == "__main__":
    main()
