"""One of the two processes of the law `two processes agree`; torchrun starts it."""

import json
import os
import sys
import traceback

import torch
import torch.distributed as distributed
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from unweave.method import Batch
from unweave.training.method_builder import BrokenLawError, builder, train_steps, training_state


def main(name: str, changes: str, size: str) -> None:
    """Two steps on this process's half of every batch. Raises BrokenLawError where both do not end alike."""
    build = builder(name, json.loads(changes), int(size))
    method = build()
    kwargs = DistributedDataParallelKwargs(find_unused_parameters=len(method.players()) > 1)
    accelerator = Accelerator(cpu=True, kwargs_handlers=[kwargs])
    state = training_state(method, accelerator)
    half = slice(accelerator.process_index, None, accelerator.num_processes)
    whole = [build.batch(8, seed=step, seen=8 * step) for step in range(2)]
    batches = [Batch(batch.images[half], batch.index[half], batch.seen, batch.budget) for batch in whole]
    train_steps(state, batches, accelerator)
    differing = []
    for key, parameter in method.named_parameters():
        low, high = parameter.detach().clone(), parameter.detach().clone()
        distributed.all_reduce(low, distributed.ReduceOp.MIN)
        distributed.all_reduce(high, distributed.ReduceOp.MAX)
        if not torch.equal(low, high):
            differing.append(key)
    if differing:
        raise BrokenLawError(f"the weights of two processes differ after two steps: {', '.join(differing[:5])}.")


if __name__ == "__main__":
    status = 0
    try:
        main(*sys.argv[1:])
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)  # a usual end can wait for ever: gloo's thread may want the interpreter lock that joining it holds
