"""unweave export"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="where the files go; RUN/onnx if not given")
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="as ONNX, the one format that there is")] = False,
    steps: Annotated[int, typer.Option(min=2, help="sampling steps of a diffusion model's decoder")] = 5,
    sampler: Annotated[str, typer.Option(help="'dpmsolver++' or 'ddim', both deterministic")] = "dpmsolver++",
    encoder_only: Annotated[bool, typer.Option("--encoder-only", help="no decoder.onnx")] = False,
    weights: Annotated[str, typer.Option(help="'averaged' (as edits use) or 'raw' (as scores use)")] = "averaged",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that are there")] = False,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Write encoder and decoder as ONNX files that other programs run without torch.

    \b
        unweave export runs/a --onnx               encoder.onnx: pictures (uint8, any size) -> codes
        unweave export runs/a web/ --onnx --steps 3

    Each is checked against torch by onnxruntime, to 1e-4. Needs: pip install 'unweave[onnx]'
    """
    from unweave.method import Sampling
    from unweave.runs.onnx_export import ExportOptions, export_onnx
    from unweave.runs.run import Run

    if not onnx:
        raise ValueError("say as what: --onnx.")
    if weights not in ("averaged", "raw"):
        raise ValueError(f"weights must be 'averaged' or 'raw', got {weights!r}.")
    chosen: Literal["averaged", "raw"] = "averaged" if weights == "averaged" else "raw"
    options = ExportOptions(chosen, not encoder_only, Sampling(sampler, steps))
    opened = Run(run)
    files = export_onnx(opened, folder or opened.path / "onnx", options, overwrite)
    if json:
        output.print_json({"files": [{**file._asdict(), "path": str(file.path)} for file in files]})
        return
    for file in files:
        print(file.path)
        ways = " -> ".join(", ".join(f"{name} {kind}" for name, kind in side.items()) for side in file[1:3])
        output.say(f"{ways}; {file.difference:.1g} from torch")
