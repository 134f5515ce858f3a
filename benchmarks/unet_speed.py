"""How fast do the U-Nets train, beside the rate of a plain matrix product in the same process?

    python benchmarks/unet_speed.py                 the release's U-Net on 16 x 16 latents
    python benchmarks/unet_speed.py --compile       also compiled (minutes before the first step)
    python benchmarks/unet_speed.py --laptop        the U-Net of `laptop-64`, in forms that could be faster

The release's U-Net is compared with itself as its release runs it: float32, attention written out (and, to be fair,
fused), every transformer block checkpointed, so that its forward is computed twice, in a process whose memory goes back
to the system, as glibc does by itself; then the same with it kept, as in all of ours (training/malloc.py). Prints
JSON. FLOPs are torch's counter over what a step computes, so they hold the second forward of that baseline, and lack
fused attention, which the counter does not see. One step is a forward, a backward and nothing else; matrix products and
the steps of all variants alternate, and each figure is the median of the repeats.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from running import commit
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from unweave.models.unet import UNetShape, cross_attention_unet
from unweave.training import malloc
from unweave.training.record import processor_name

RELEASE = UNetShape((64, 128, 256, 256), (True, True, True, False), 2, 8, 32, 0.0)
LAPTOP = UNetShape((32, 64, 112), (False, True, False), 1, 4, 16, 0.0)
"""The U-Net of `laptop-2` and `laptop-3` of studies/quality.toml, and of the preset `laptop-64`."""
SIDE = 2048
COMPILED = ", compiled"
RETURNED = ", memory given back"


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def step(unet: nn.Module, size: int, channels: int, batch: int, precision: torch.dtype) -> Callable[[], None]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, size, size, generator=rng)
    tokens = torch.randn(batch, 20, 16, generator=rng, requires_grad=True)
    t = torch.randint(1000, (batch,), generator=rng)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            out = unet(x, t, tokens, return_dict=False)[0]
        (out.float() - x).abs().mean().backward()

    return run


def checkpointed(unet: nn.Module) -> nn.Module:
    """The U-Net with transformer blocks that are computed again going back, as the release runs it."""
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
    return unet


def torch_attention(unet: Any) -> Any:
    unet.set_attn_processor(AttnProcessor2_0())
    return unet


class OtherProcess:
    """Steps in a process of its own, in which glibc gives memory back as it does by itself."""

    def __init__(self, make: Callable[..., Callable[[], None]], *arguments: Any) -> None:
        spawning = multiprocessing.get_context("spawn")
        self.ours, theirs = spawning.Pipe()
        work = (theirs, torch.get_num_threads(), make, *arguments)
        spawning.Process(target=serve_steps, args=work, daemon=True).start()

    def __call__(self) -> None:
        self.ours.send(None)
        self.ours.recv()


def serve_steps(pipe: Any, threads: int, make: Callable[..., Callable[[], None]], *arguments: Any) -> None:
    torch.set_num_threads(threads)
    run = make(*arguments)
    with suppress(EOFError):  # the end of the process that asks
        while True:
            pipe.recv()
            run()
            pipe.send(None)


def as_released(fused: bool, batch: int) -> Callable[[], None]:
    """A step of the release's U-Net as its release runs it, or with fused attention."""
    unet = cross_attention_unet(16, 3, 16, RELEASE)
    attending = torch_attention(unet) if fused else written_out(unet)
    return step(checkpointed(attending), 16, 3, batch, torch.float32)


def laptop(form: str, batch: int, precision: torch.dtype) -> Callable[[], None]:
    return step(FORMS[form](cross_attention_unet(16, 12, 16, LAPTOP)), 16, 12, batch, precision)


def written_out(unet: Any) -> Any:
    unet.set_attn_processor(AttnProcessor())
    return unet


def fused_projections(unet: Any) -> Any:
    """diffusers' own: one matrix for queries, keys and values, and torch's attention."""
    unet.fuse_qkv_projections()
    return unet


FORMS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda unet: unet,
    "torch's attention": torch_attention,
    "fused projections": fused_projections,
    "attention written out": written_out,
    "channels last": lambda unet: unet.to(memory_format=torch.channels_last),
    "as it is" + COMPILED: torch.compile,
}
"""What may be done to the U-Net of `laptop-64`. As it is, attention is fused in float32 and written out in bfloat16."""


def measure(runs: dict[str, Callable[[], None]], batch: int, repeats: int) -> list[dict[str, object]]:
    """The rate of every variant, without its first step; they are compared to the first variant."""
    a = torch.randn(SIDE, SIDE)
    flops, first_steps = {}, {}
    assert malloc.keep(), "needs glibc, and nothing about it in the environment"
    for name, run in sorted(runs.items(), key=lambda item: RETURNED in item[0]):
        first_steps[name] = seconds(run)
        eager = name.removesuffix(COMPILED).removesuffix(RETURNED)
        if eager in flops:  # the counter does not see into compiled code, nor into another process
            flops[name] = flops[eager]
            continue
        with FlopCounterMode(display=False) as counter:
            run()
        flops[name] = counter.get_total_flops()
    products: list[float] = []
    steps: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        products.append(seconds(lambda: a @ a))
        for name, run in runs.items():
            steps[name].append(seconds(run))
    product = 2 * SIDE**3 / statistics.median(products)
    first = statistics.median(next(iter(steps.values())))
    results: list[dict[str, object]] = []
    for name in runs:
        median = statistics.median(steps[name])
        rate = flops[name] / median
        results.append({
            "name": name,
            "batch": batch,
            "images_per_second": round(batch / median, 1),
            "times_the_first": round(first / median, 2),
            "first_step_seconds": round(first_steps[name], 1),
            "step_gflops": round(flops[name] / 1e9, 1),
            "unet_gflops_per_second": round(rate / 1e9, 1),
            "float32_product_gflops_per_second": round(product / 1e9, 1),
            "share_of_product": round(rate / product, 3),
        })  # fmt: skip
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laptop", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs: dict[str, Callable[[], None]] = {}
    precisions = (torch.float32, torch.bfloat16)
    if not options.laptop:
        for attention in ("written out", "fused"):
            name = f"release as released, float32, {attention} attention"
            runs[name + RETURNED] = OtherProcess(as_released, attention == "fused", options.batch)
            runs[name] = as_released(attention == "fused", options.batch)
        for precision in precisions:
            name = f"release, {str(precision).removeprefix('torch.')}"
            runs[name] = step(cross_attention_unet(16, 3, 16, RELEASE), 16, 3, options.batch, precision)
            written = written_out(cross_attention_unet(16, 3, 16, RELEASE))
            runs[name + ", attention written out"] = step(written, 16, 3, options.batch, precision)
            if options.compile:
                compiled = torch.compile(cross_attention_unet(16, 3, 16, RELEASE))
                runs[name + COMPILED] = step(compiled, 16, 3, options.batch, precision)  # type: ignore[arg-type]
    else:
        for precision in precisions:
            for form in FORMS:
                if form.endswith(COMPILED) and not options.compile:
                    continue
                name = f"laptop, {str(precision).removeprefix('torch.')}, {form}"
                runs[name] = laptop(form, options.batch, precision)
                if form == "as it is":
                    runs[name + RETURNED] = OtherProcess(laptop, form, options.batch, precision)
    results = measure(runs, options.batch, options.repeats)
    about: dict[str, Any] = {"command": sys.argv, "commit": commit(), "cpu": processor_name()}
    about |= {"threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps({**about, "results": results}, indent=2))


if __name__ == "__main__":
    main()
