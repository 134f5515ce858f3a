"""unweave data list | info | get | doctor | confirm | manifold | cache"""

from pathlib import Path
from typing import Annotated, Any

import typer

from unweave.cli import output, tables

app = typer.Typer(
    help="Look at data sets, download the published ones, find what is wrong with your own images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameOrPath = Annotated[
    str, typer.Argument(metavar="X", help="a name (see `unweave data list`) or a path: folder, .zip, .npz, .h5, ...")
]
SettingWords = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings of the data set, such as size=32")
]
AsJson = Annotated[bool, typer.Option("--json", help="print as JSON")]


@app.command("list")
def list_(json: AsJson = False) -> None:
    """List the data sets there are by name, and which of them are on this machine."""
    from unweave.data.open import ACCEPTED_PATHS, list_datasets

    datasets = list_datasets()
    if json:
        output.print_json(datasets)
        return
    output.print_table(tables.datasets_table(datasets))
    print(f"any path works as well: {ACCEPTED_PATHS}")


@app.command()
def confirm(path: Annotated[str, typer.Argument(help="what such a run may read: a path, or hf://OWNER/NAME")]) -> None:
    """Let runs that were not trained here read these data.

    \b
        unweave data confirm photos/

    A run that came from somebody else names data in its settings, and nothing of this machine is read for it unasked.
    """
    from unweave.runs import ledger

    ledger.confirm(path)


@app.command()
def info(
    name_or_path: NameOrPath,
    settings: SettingWords = None,
    picture: Annotated[
        Path | None, typer.Option(help="where the contact sheet goes; beside the cache if not given")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the picture if it is there")] = False,
    json: AsJson = False,
) -> None:
    """Say what a data set holds: counts, sizes, factors, licence, known label defects; and draw a contact sheet.

    \b
        unweave data info rooms
        unweave data info photos/ labels=folders size=128
        unweave data info mine.zip --picture sheet.png
    """
    facts = dataset_facts(name_or_path, settings or [], picture, overwrite)
    if json:
        output.print_json(facts)
    else:
        output.print_facts(facts)


def dataset_facts(name_or_path: str, settings: list[str], picture: Path | None, overwrite: bool) -> dict[str, Any]:
    """The facts of a data set, with the path of its contact sheet."""
    from unweave.data.cache import cache
    from unweave.data.describe import contact_sheet, describe_dataset
    from unweave.data.open import open_data
    from unweave.figures.save import save_picture

    dataset = open_data(data_table(name_or_path, settings))
    if picture is not None:
        return describe_dataset(dataset) | {
            "contact sheet": str(save_picture(contact_sheet(dataset), picture, overwrite=overwrite))
        }
    path = cache.root() / "sheets" / f"{dataset.digest()}.png"
    try:
        if not path.exists():
            save_picture(contact_sheet(dataset), path, overwrite=True)
    except OSError as error:
        output.say(f"no contact sheet: {error}; give --picture FILE.")
        return describe_dataset(dataset)
    return describe_dataset(dataset) | {"contact sheet": str(path)}


def data_table(name_or_path: str, settings: list[str]) -> dict[str, Any]:
    """The [data] table for a name or a path, with key=value words laid over it; `data.key=value`, as training has them,
    are the same words."""
    from unweave import config
    from unweave.data.open import dataset_table

    words = [config.parse_word(word if word.startswith("data.") else f"data.{word}") for word in settings]
    return config.merge(dataset_table(name_or_path), config.merge(*words).get("data", {}))


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a published data set; see `unweave data list`")],
    kind: Annotated[str | None, typer.Option(help="of mpi3d: toy (if not given), realistic or real")] = None,
    json: AsJson = False,
) -> None:
    """Download a published data set, with its licence shown; an interrupted download is resumed.

    Files go to $UNWEAVE_DATA, or ~/.local/share/unweave. Where a site wants a login, this says what to do.
    """
    from unweave.data.download.download import download_set

    with output.progress_of(quiet=False):
        paths = download_set(name, kind=kind)
    if json:
        output.print_json({"files": [str(path) for path in paths]})
    else:
        print(*paths, sep="\n")


@app.command()
def doctor(name_or_path: NameOrPath, settings: SettingWords = None, json: AsJson = False) -> None:
    """Find what is wrong with a data set: corrupt, duplicate, tiny, blank, odd files; gaps in its factors."""
    from unweave.data.doctor import examine_dataset
    from unweave.data.open import open_data

    table = data_table(name_or_path, settings or [])
    report = examine_dataset(open_data(table), table)
    if json:
        output.print_json(report.to_json())
    else:
        output.print_table(tables.findings_table(report))


@app.command()
def manifold(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run with a decoder, or builtin:rooms")],
    units: Annotated[str, typer.Option(help="units, ranges, groups or names that vary, separated by commas: 2,5")],
    rows: Annotated[int, typer.Option(min=2, help="pictures to draw")] = 3_000,
    image: Annotated[
        str | None, typer.Option(help="what everything else is taken from: a row of the run's data, or a file")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="sampling steps of a diffusion model")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="of the units' values")] = 0,
    save: Annotated[Path, typer.Option("--output", "-o", help="the .npz to write")] = Path("manifold.npz"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it is there")] = False,
    json: AsJson = False,
) -> None:
    """Draw a manifold through a trained generator: some units vary, uniformly and independently, the rest stays.

    \b
        unweave data manifold builtin:rooms --units 2,19 --rows 3000
        unweave train hlle_ica data=manifold.npz method.units=2
    """
    from unweave.editing.box import draw_box
    from unweave.method import Sampling

    if save.exists() and not overwrite:
        raise FileExistsError(f"{save} is there already: choose another --output, or --overwrite it.")
    with output.progress_of(quiet=False):
        base = None if image is None else [int(image) if image.isdecimal() else image]
        listed = [word.strip() for word in units.split(",") if word.strip()]
        box = draw_box(run, listed, rows=rows, image=base, sampling=Sampling("dpmsolver++", steps), seed=seed)
    path = box.save(save)
    if json:
        output.print_json({"file": str(path), "rows": len(box.images), "factors": box.names})
    else:
        print(path)


@app.command()
def cache(
    clear: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="delete the caches of this name or folder, repeatable; or 'all'"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the cache of converted data sets, or clear it; what is cleared is converted again when it is next used."""
    from unweave.data.cache.cache import root
    from unweave.data.cache.entries import delete_entry, list_entries

    entries = list_entries()
    if clear:
        unknown = set(clear) - {"all"} - {name for entry in entries for name in (entry.name, entry.folder.name)}
        if unknown:
            names = ", ".join(sorted({entry.name for entry in entries})) or "nothing"
            raise LookupError(f"the cache has no {min(unknown)!r}. It has: {names}.")
        for entry in [entry for entry in entries if {"all", entry.name, entry.folder.name} & set(clear)]:
            delete_entry(entry)
            output.say(f"deleted {entry.folder}")
        entries = list_entries()
    if json:
        output.print_json([entry.to_json() for entry in entries])
        return
    output.print_table(tables.cache_table(entries, root()))
