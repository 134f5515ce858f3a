"""A run as graphs in ONNX, which other programs run without torch: pictures -> codes, and codes -> pictures."""

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unweave import progress
from unweave.files import temporary_path
from unweave.method import Generative, Method, Sampling
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.factors import current_factors, factor_title
from unweave.runs.picture_reading import PictureReading
from unweave.runs.run import Run
from unweave.runs.units import unit_names, unit_titles
from unweave.tensors import Images, Units
from unweave.types import Weights

PACKAGES = ("onnx", "onnxruntime")
OPSET = 17
"""Of the operators; onnxruntime 1.12 and later have it."""
TOLERANCE = 1e-4
"""Largest difference from torch, in parts of the largest number where that is above 1."""

SAMPLING = Sampling("dpmsolver++", 5)
"""Few steps: each is the whole U-Net once more in the graph."""


@dataclass(frozen=True)
class ExportOptions:
    """What is written."""

    weights: Weights = "averaged"  # as edits use
    decoder: bool = True  # too, where the method has one
    sampling: Sampling = SAMPLING  # unrolled into the decoder of a diffusion model


class OnnxFile(NamedTuple):
    """A graph that was written and checked."""

    path: Path
    inputs: Mapping[str, str]  # their names, and what they are
    outputs: Mapping[str, str]
    difference: float  # the largest from torch, in parts of the largest number where that is above 1


class EncoderGraph(nn.Module):
    """Stored pictures -> codes."""

    def __init__(self, method: Method, reading: PictureReading) -> None:
        super().__init__()
        self.method, self.reading = method, reading

    def forward(self, pictures: Tensor) -> Units:
        return self.method.encode(self.reading(pictures))


class DecoderGraph(nn.Module):
    """Codes, and x_T of a diffusion model -> pictures as uint8 [batch, height, width, channel], and as the method draws
    them: [batch, channel, height, width] in [-1, 1]."""

    def __init__(self, method: Generative, sampling: Sampling) -> None:
        super().__init__()
        self.method, self.sampling = method, sampling

    def forward(self, codes: Units, start: Tensor | None = None) -> tuple[Tensor, Images]:
        images = self.method.decode(codes, start, self.sampling)
        pictures = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        return pictures.permute(0, 2, 3, 1), images


@dataclass(frozen=True, eq=False)
class GraphExample:
    """A network with inputs to follow it by, other ones to check it on, and the axes that any number may have."""

    network: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    free_axes: Mapping[str, Mapping[int, str]]
    checks: Sequence[Mapping[str, Tensor]]


def export_onnx(
    run: Run, folder: Path, options: ExportOptions | None = None, overwrite: bool = False
) -> list[OnnxFile]:
    """Write encoder.onnx, and decoder.onnx for a method that decodes, and check both against torch with onnxruntime.

    The encoder takes pictures of any size as they are stored (`PictureReading`). The metadata of each say run, weights,
    method, the names of units, groups and factors. Raises ImportError without the extra, FileExistsError for files that
    are there, and ValueError, with nothing written, for a network that ONNX cannot express or that onnxruntime computes
    differently by more than TOLERANCE.
    """
    options = options or ExportOptions()
    check_packages()
    check_sampling(options.sampling)
    method = run.method(options.weights, device="cpu")
    graphs = {"encoder": encoder_example(run, method)}
    if options.decoder and isinstance(method, Generative):
        graphs["decoder"] = decoder_example(method, graphs["encoder"], options.sampling)
    paths = {name: folder / f"{name}.onnx" for name in graphs}
    there = [path for path in paths.values() if path.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{there[0]} is there already: choose another folder, or give --overwrite.")
    about = describe(run, method, options.weights)
    files = []
    for name, graph in graphs.items():
        more = {} if name == "encoder" else {"sampling": options.sampling._asdict()}
        progress.message(f"writing {paths[name]}")
        files.append(write_graph(paths[name], graph, about | more, run.method_name))
    return files


def check_packages() -> None:
    """Raises ImportError where the extra is missing."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise ImportError(f"ONNX needs {' and '.join(missing)}: pip install 'unweave[onnx]'.")


def encoder_example(run: Run, method: Method) -> GraphExample:
    """Pictures -> codes."""
    channels, height, width = run.shape()
    reading = PictureReading(run.shape(), run.reading())
    rng = np.random.default_rng(0)
    few = {"pictures": draw_pictures(rng, (2, height + 5, width, channels), reading)}
    other_sizes = [(3, height, width, channels), (1, 2 * height + 3, 3 * width, channels)]
    return GraphExample(
        EncoderGraph(method, reading).eval(),
        few,
        ["codes"],
        {"pictures": {0: "batch", 1: "height", 2: "width"}, "codes": {0: "batch"}},
        [{"pictures": draw_pictures(rng, shape, reading)} for shape in other_sizes],
    )


def draw_pictures(rng: np.random.Generator, shape: tuple[int, int, int, int], reading: PictureReading) -> Tensor:
    """Pictures of random blocks, as a run's are stored."""
    batch, height, width, channels = shape
    blocks = rng.random((batch, -(-height // 8), -(-width // 8), channels), np.float32)
    pictures = torch.from_numpy(blocks.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width].copy())
    if reading.bytes:
        return (pictures * 255).to(torch.uint8)
    low, scale = reading.low.flatten().float(), (255 / reading.factor).flatten().float()
    return low + pictures * scale


def decoder_example(method: Generative, encoder: GraphExample, sampling: Sampling) -> GraphExample:
    """Codes -> pictures."""

    def inputs_of(pictures: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            codes = encoder.network(pictures)
        start = method.start(len(codes), torch.Generator().manual_seed(len(codes)))
        return {"codes": codes} if start is None else {"codes": codes, "start": start}

    inputs = inputs_of(encoder.inputs["pictures"])
    named = [*inputs, "pictures", "images"]
    return GraphExample(
        DecoderGraph(method, sampling).eval(),
        inputs,
        ["pictures", "images"],
        {name: {0: "batch"} for name in named},
        [inputs_of(check["pictures"]) for check in encoder.checks],
    )


def describe(run: Run, method: Method, weights: Weights) -> dict[str, Any]:
    """What the metadata say, by name."""
    factors = current_factors(run)
    about: dict[str, Any] = {
        "unweave": version("unweave"),
        "run": run.path.resolve().name,
        "weights": f"{run.digest()} ({weights})",
        "method": run.method_name,
        "shape": run.shape(),
        "groups": {name: list(units) for name, units in method.groups().items()},
    }
    if run.has_statistics():
        quantiles = run.statistics().quantiles
        about["units"] = unit_titles(range(quantiles.shape[1]), unit_names(run))
        about["range"] = [quantiles[2].tolist(), quantiles[98].tolist()]  # of each unit, of the most of the images
    if factors is not None:
        words = {factors.word(index): factor for index, factor in enumerate(factors.factors)}
        about["factors"] = {factor_title(word, factor): list(factor.units) for word, factor in words.items()}
    return about


def write_graph(path: Path, example: GraphExample, about: Mapping[str, Any], method_name: str) -> OnnxFile:
    """Follow the network on its inputs, check the graph on the other ones, and write it, whole or not at all."""
    import onnx

    with temporary_path(path) as temporary:
        trace(example, temporary, method_name)
        model = onnx.load(temporary)
        words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
        onnx.helper.set_model_props(model, words)
        say_axes(model, example)
        model.producer_name, model.producer_version = "unweave", version("unweave")
        onnx.save(model, temporary)
        difference = max(difference_from_torch(temporary, example, check) for check in example.checks)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{path.name} of {method_name} differs from torch by {difference:.2g} in onnxruntime, more than "
                f"{TOLERANCE:g}, and is not written: `unweave encode` and `unweave edit` compute it with torch."
            )
    kinds = {tensor.name: tensor_text(tensor) for tensor in (*model.graph.input, *model.graph.output)}
    inputs = {name: kinds[name] for name in example.inputs}
    return OnnxFile(path, inputs, {name: kinds[name] for name in example.outputs}, difference)


def say_axes(model: Any, example: GraphExample) -> None:
    """Outputs say the length of each of their axes that is not free."""
    for output, value in zip(model.graph.output, outputs_of(example, example.inputs)):
        free = example.free_axes.get(output.name, {})
        for number, (axis, length) in enumerate(zip(output.type.tensor_type.shape.dim, value.shape)):
            if number not in free:
                axis.dim_value = length


def outputs_of(example: GraphExample, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
    """What torch computes."""
    with torch.no_grad():
        computed = example.network(*inputs.values())
    return [computed] if isinstance(computed, Tensor) else list(computed)


def trace(example: GraphExample, path: Path, method_name: str) -> None:
    """Write the graph of what the network does. Raises ValueError where ONNX has no word for it."""
    try:
        with warnings.catch_warnings(), torch.no_grad(), redirect_stdout(StringIO()):  # it prints a graph that fails
            warnings.simplefilter("ignore")  # of constants, which the schedule of a sampler is meant to be
            torch.onnx.export(
                example.network,
                tuple(example.inputs.values()),
                str(path),
                input_names=list(example.inputs),
                output_names=list(example.outputs),
                dynamic_axes=example.free_axes,
                opset_version=OPSET,
                dynamo=False,
            )
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{method_name} cannot be written as ONNX: {reason[0]}") from error


def difference_from_torch(path: Path, example: GraphExample, inputs: Mapping[str, Tensor]) -> float:
    """The largest difference of a number that onnxruntime computes; of pictures in uint8 it is that of their images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = {tensor.name for tensor in session.get_inputs()}
    feed = {name: tensor.numpy() for name, tensor in inputs.items() if name in taken}
    computed = session.run(None, feed)
    differences = [0.0]
    for one, other in zip(computed, outputs_of(example, inputs)):
        if one.dtype != np.uint8:
            largest = max(1.0, float(other.abs().max()))
            differences.append(float(np.abs(one - other.numpy()).max()) / largest)
    return max(differences) if np.isfinite(differences).all() else float("inf")


def tensor_text(tensor: Any) -> str:
    """A tensor of a graph in words: uint8 [batch, height, width, 3]."""
    from onnx import TensorProto

    kind = tensor.type.tensor_type
    axes = ", ".join(axis.dim_param or str(axis.dim_value) for axis in kind.shape.dim)
    return f"{TensorProto.DataType.Name(kind.elem_type).lower()} [{axes}]"
