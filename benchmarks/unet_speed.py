"""How fast do the U-Nets train, beside the rate of a plain matrix product in the same process?

    python benchmarks/unet_speed.py                 the release's U-Net on 16 x 16 latents; the bar is 0.55
    python benchmarks/unet_speed.py --laptop        the laptop's U-Net, in float32 and bfloat16, with both attentions

Prints JSON. FLOPs are torch's counter over forward and backward, without recomputation. One step is a forward, a
backward and nothing else; matrix products and steps alternate, and each figure is the median of the repeats.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unweave.networks.unet import Shape, cross_attention_unet

RELEASE = Shape((64, 128, 256, 256), (True, True, True, False), 2, 8, 32, 0.0)
LAPTOP = Shape((64, 128), (True, False), 1, 4, 16, 0.0)
SIDE = 2048


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


def measure(name: str, run: Callable[[], None], batch: int, repeats: int) -> dict[str, object]:
    a = torch.randn(SIDE, SIDE)
    run()
    with FlopCounterMode(display=False) as counter:
        run()
    flops = counter.get_total_flops()
    products, steps = [], []
    for _ in range(repeats):
        products.append(seconds(lambda: a @ a))
        steps.append(seconds(run))
    product = 2 * SIDE**3 / statistics.median(products)
    rate = flops / statistics.median(steps)
    return {
        "name": name,
        "batch": batch,
        "images_per_second": round(batch / statistics.median(steps), 1),
        "step_gflops": round(flops / 1e9, 1),
        "unet_gflops_per_second": round(rate / 1e9, 1),
        "float32_product_gflops_per_second": round(product / 1e9, 1),
        "share_of_product": round(rate / product, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--laptop", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = []
    if not options.laptop:
        for precision in (torch.float32, torch.bfloat16):
            unet = cross_attention_unet(16, 3, 16, RELEASE)
            run = step(unet, 16, 3, options.batch, precision)
            name = f"release, {str(precision).removeprefix('torch.')}"
            results.append(measure(name, run, options.batch, options.repeats))
    else:
        for attention in ("written out", "fused"):
            for precision in (torch.float32, torch.bfloat16):
                unet = cross_attention_unet(8, 48, 16, LAPTOP)
                if attention == "fused":
                    unet.set_attn_processor(AttnProcessor2_0())
                    assert not isinstance(next(iter(unet.attn_processors.values())), PlainAttention)
                run = step(unet, 8, 48, options.batch, precision)
                name = f"laptop, {str(precision).removeprefix('torch.')}, {attention} attention"
                results.append(measure(name, run, options.batch, options.repeats))
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "results": results}, indent=2))


if __name__ == "__main__":
    main()
