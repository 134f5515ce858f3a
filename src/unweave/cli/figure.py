"""unweave figure attribute-loss"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Pictures that answer a question about a run.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def top() -> None:
    """Pictures that answer a question about a run."""


@app.command("attribute-loss")
def attribute_loss(
    run: Annotated[Path, typer.Argument(help="the run of a denoiser, or of a method that stands on one")],
    pairs: Annotated[int, typer.Option(min=2, help="pairs of images for each factor")] = 128,
    times: Annotated[str | None, typer.Option(help="time-steps 0..999, separated by commas")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the pairs and the noise")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the picture; RUN/pictures/attribute-loss.png if not given")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the picture if it is there")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the numbers as JSON")] = False,
) -> None:
    """When does noise destroy each factor? The theory of DiTi, measured on a frozen diffusion model.

    \b
        unweave figure attribute-loss runs/denoiser_rooms
        unweave figure attribute-loss runs/diti-rooms          and which slice of the code carries each factor

    For each factor and time: how often the one-step reconstruction of a noised image is closer to an image that differs
    in that factor alone. Needs data whose factors form a grid.
    """
    from unweave.cli import output as out
    from unweave.evaluation.attribute_loss import TIMES, attribute_losses

    words = None if times is None else [word.strip() for word in times.split(",")]
    if words is not None and not all(word.isdecimal() for word in words):
        raise ValueError(f"--times must be numbers separated by commas, such as 100,500; got {times!r}.")
    out.choose_threads()
    with out.progress_of(quiet=False):
        losses = attribute_losses(
            run,
            pairs_each=pairs,
            times=TIMES if words is None else [int(word) for word in words],
            seed=seed,
            output=output,
            overwrite=overwrite,
        )
    if json:
        out.print_json({**losses.to_json(), "files": [str(path) for path in losses.files]})
    else:
        for path in losses.files:
            print(path)
