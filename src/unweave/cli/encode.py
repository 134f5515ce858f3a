"""unweave encode"""

from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGES]...", help="a data set, a folder or an .npz, or image files; the run's data if not given"
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="the .npz, .csv, .parquet or .h5ad to write")] = Path(
        "codes.npz"
    ),
    split: Annotated[
        str | None, typer.Option(help="rows of a split of the data set: all, train, valid, test, or unseen")
    ] = None,
    weights: Annotated[str, typer.Option(help="'averaged' (as edits use) or 'raw' (as scores use)")] = "averaged",
    with_map: Annotated[
        bool, typer.Option("--map", help="add places on a map (UMAP, else PCA), and how far from others each image is")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it is there")] = False,
    json: Annotated[bool, typer.Option("--json", help="print what was written as JSON")] = False,
) -> None:
    """Encode images to units: an .npz with `codes` [rows, unit, dim], and `factors` where they are known; or a table.

    \b
        unweave encode runs/a photos/ -o codes.npz
        unweave encode runs/a me.png you.png -o two.npz
        unweave encode runs/a --split test -o test.npz         a split of the run's data
        unweave encode runs/a --map -o codes.csv               a row an image; .parquet; .h5ad for AnnData
        unweave evaluate --codes codes.npz --factors codes.npz
    """
    from unweave.cli.output import choose_threads, print_json
    from unweave.data.reading.image_files import IMAGE_ENDINGS
    from unweave.evaluation.code_files import add_map, check_code_file, write_codes
    from unweave.runs.codes import encode
    from unweave.runs.run import Run

    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} is there already: choose another -o, or give --overwrite.")
    check_code_file(output)
    if weights not in ("averaged", "raw"):
        raise ValueError(f"weights must be 'averaged' or 'raw', got {weights!r}.")
    single = images[0] if images and len(images) == 1 and Path(images[0]).suffix.lower() not in IMAGE_ENDINGS else None
    chosen: Literal["averaged", "raw"] = "averaged" if weights == "averaged" else "raw"
    choose_threads()
    opened = Run(run)
    arrays = encode(opened, single or images or None, split=split, weights=chosen)
    if with_map:
        arrays = add_map(opened, arrays)
    write_codes(arrays, output, {"run": str(opened.path), "weights": opened.digest()}, overwrite)
    if json:
        print_json({"file": str(output), "arrays": {name: list(array.shape) for name, array in arrays.items()}})
    else:
        print(output)
