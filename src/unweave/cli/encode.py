"""unweave encode"""

from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGES]...",
            help="a data set, a folder or an .npz, or image files; the run's data if not given; with ray KEY=VALUE of "
            "the set, too",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the .npz, .csv, .parquet or .h5ad; with ray a folder"),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="rows of a split of the data set: all, train, valid, test, or unseen")
    ] = None,
    weights: Annotated[str, typer.Option(help="'averaged' (as edits use) or 'raw' (as scores use)")] = "averaged",
    with_map: Annotated[
        bool, typer.Option("--map", help="add places on a map (UMAP, else PCA), and how far from others each image is")
    ] = False,
    backend: Annotated[
        str, typer.Option(help="local, or ray for very large sets: shards (.tar, .parquet) and folders are streamed")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="with ray: of a cluster; RAY_ADDRESS, else this machine")
    ] = None,
    encoders: Annotated[int | None, typer.Option(min=1, help="with ray: at a time; one for each core or GPU")] = None,
    cpus: Annotated[float, typer.Option(min=0.1, help="with ray: of an encoder and its reader")] = 1.0,
    gpus: Annotated[float | None, typer.Option(min=0, help="with ray: of an encoder; 1 where there are any")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it is there")] = False,
    json: Annotated[bool, typer.Option("--json", help="print what was written as JSON")] = False,
) -> None:
    """Encode images to units: an .npz with `codes` [rows, unit, dim], and `factors` where they are known; or a table.

    Where factors of the run were found (by `report`), a row has its place on each of them, in [0, 1].

    \b
        unweave encode runs/a photos/ -o codes.npz
        unweave encode runs/a me.png you.png -o two.npz
        unweave encode runs/a --split test -o test.npz         a split of the run's data
        unweave encode runs/a --map -o codes.csv               a row an image; .parquet; .h5ad for AnnData
        unweave evaluate --codes codes.npz --factors codes.npz
        unweave encode runs/a shards/ --backend ray -o codes/  a folder of Parquet files; stopped, it goes on
        unweave encode runs/a shards/ labels=shards --backend ray -o codes/    with the labels in the shards
        unweave report runs/a --data codes/                    measured on codes that are there
    """
    from unweave.cli.output import choose_threads, print_json, progress_of
    from unweave.data.reading.image_files import IMAGE_ENDINGS
    from unweave.evaluation.code_files import add_map, add_positions, check_code_file, write_codes
    from unweave.runs.codes import encode
    from unweave.runs.run import Run

    if weights not in ("averaged", "raw"):
        raise ValueError(f"weights must be 'averaged' or 'raw', got {weights!r}.")
    chosen: Literal["averaged", "raw"] = "averaged" if weights == "averaged" else "raw"
    if backend == "ray":
        from unweave.cli.data import data_table
        from unweave.runs.ray_codes import EncodingOptions, encode_on_ray

        settings = [word for word in images or [] if "=" in word and not Path(word).exists()]
        places = [word for word in images or [] if word not in settings]
        if split is not None or overwrite or with_map or len(places) > 1 or (settings and not places):
            raise ValueError(
                "--backend ray encodes one whole set, into a folder: leave out --split, --map, --overwrite."
            )
        folder = output or Path("codes")
        options = EncodingOptions(address, encoders, cpus, gpus)
        data = data_table(places[0], settings) if places else None
        with progress_of(quiet=False):
            about = encode_on_ray(run, data, folder, weights=chosen, options=options)
        left_out = about.rows - sum(about.counts)
        if json:
            print_json({"folder": str(folder), "codes": sum(about.counts), "left_out": left_out, "parts": about.parts})
        else:
            print(folder)
        return
    if backend != "local":
        raise ValueError(f"there is no backend {backend!r}; there is: local, ray.")
    output = output or Path("codes.npz")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} is there already: choose another -o, or give --overwrite.")
    check_code_file(output)
    single = images[0] if images and len(images) == 1 and Path(images[0]).suffix.lower() not in IMAGE_ENDINGS else None
    choose_threads()
    opened = Run(run)
    arrays = encode(opened, single or images or None, split=split, weights=chosen)
    if chosen == "averaged":
        arrays = add_positions(opened, arrays)
    if with_map:
        arrays = add_map(opened, arrays)
    write_codes(arrays, output, {"run": str(opened.path), "weights": opened.digest()}, overwrite)
    if json:
        print_json({"file": str(output), "arrays": {name: list(array.shape) for name, array in arrays.items()}})
    else:
        print(output)
