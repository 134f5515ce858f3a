"""unweave edit swap | traverse | adjust | interpolate | reconstruct | heatmap | directions | attention | alone |
fields | manipulate

Every command is parsed here, done by a function of the package editing, and saved here.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from unweave.cli import output as out

if TYPE_CHECKING:
    from unweave.editing.edit import Edit
    from unweave.runs.run import Run

app = typer.Typer(
    help="Edit images one unit at a time: rows of the run's data set (numbers) or your own image files (paths).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RunPath = Annotated[Path, typer.Argument(help="a run directory")]
ImagesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[IMAGES]...", help="row numbers or image files; some rows if not given")
]
Partners = Annotated[str | None, typer.Option(help="rows or files to take units from, separated by commas")]
UnitsOption = Annotated[
    str | None,
    typer.Option(
        help="units, separated by commas: factors (f1), names, numbers, ranges (10-49), groups, times (t110-312) and "
        "blocks of time (b16-23) of DiTi; else the factors, where they were found (`unweave factors`), or all"
    ),
]
Seed = Annotated[int, typer.Option(help="x_T is drawn from this seed (the default)")]
Inverted = Annotated[
    bool, typer.Option("--inverted", help="begin from the image's own x_T, which keeps what the units do not hold")
]
Points = Annotated[int, typer.Option(min=2, help="pictures from one end to the other")]
OptionalSeed = Annotated[int | None, typer.Option(help="draw x_T from this seed instead of inverting")]
Steps = Annotated[int, typer.Option(min=1, help="sampling steps")]
Sampler = Annotated[str, typer.Option(help="'dpmsolver++' or 'ddim', both deterministic")]
Inversion = Annotated[
    int | None, typer.Option("--inversion-steps", min=2, help="of the way to x_T; as many as --steps if not given")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="the picture to write; RUN/pictures/VERB.png if not given")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the picture if it is there")]
Json = Annotated[bool, typer.Option("--json", help="print what was made as JSON")]
FullSizeFolder = Annotated[
    Path | None,
    typer.Option(
        "--full-size",
        metavar="FOLDER",
        help="also write every edit there at the size of its image file: NAME-EDIT.png, the change on the original, "
        "and NAME-EDIT-enlarged.png, the model's picture",
    ),
]


@app.command()
def swap(
    run: RunPath, images: ImagesArgument = None, partners: Partners = None, units: UnitsOption = None, seed: Seed = 0,
    inverted: Inverted = False, steps: Steps = 20, sampler: Sampler = "dpmsolver++", output: Output = None,
    full_size: FullSizeFolder = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Take one unit after the other from a partner image.

    \b
        unweave edit swap runs/a 12 700 --partners 9,31 --units 3
        unweave edit swap runs/a me.png --partners you.png
        unweave edit swap runs/a 12 --partners 9 --units "f1,wall hue"      all units of a factor together
    """
    from unweave.editing import verbs

    inputs = {"images": images, "partners": split_commas(partners), "units": parse_units(units)}
    start = start_options(seed, inverted, steps, sampler)
    edit_and_save(verbs.swap, open_target(run, "swap", output, overwrite, json), {**inputs, **start}, full_size)


@app.command()
def traverse(
    run: RunPath, images: ImagesArgument = None, units: UnitsOption = None, points: Points = 7,
    seed: Seed = 0, inverted: Inverted = False, steps: Steps = 20, sampler: Sampler = "dpmsolver++",
    output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Move each unit (a range, group or factor as one) from its 2 % to its 98 % quantile; writes a grid and a GIF.

    \b
        unweave edit traverse runs/a 12 --units 0,3,5
        unweave edit traverse runs/a 12 --units f1     along the curve of its codes, a closed one (a hue) once round
    """
    from unweave.editing import verbs

    inputs = {"images": images, "units": parse_units(units), "steps": points}
    start = start_options(seed, inverted, steps, sampler)
    edit_and_save(verbs.traverse, open_target(run, "traverse", output, overwrite, json), {**inputs, **start})


@app.command()
def adjust(
    run: RunPath, images: ImagesArgument = None,
    to: Annotated[
        str,
        typer.Option(
            help="what to move and where to, separated by commas: 3=0.9 (from 0 to 1), f3=state2 (a state of a "
            "factor), f1=like:me.png (as in a picture, or in a row)"
        ),
    ] = "",
    seed: OptionalSeed = None, steps: Steps = 20, sampler: Sampler = "dpmsolver++", output: Output = None,
    full_size: FullSizeFolder = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Set units or factors to places in their range, all at once, and show what changed.

    Begins from the inverted x_T of each image, unless --seed is given.

    \b
        unweave edit adjust runs/a me.png --to "3=0.9,wall colour=0.1"
        unweave edit adjust runs/a 12 --to "f1=0.7,f3=state2,shape=like:400"
        unweave edit adjust runs/a me.jpg --to f1=0.9 --full-size edited/    at the size of the photograph, too
    """
    from unweave.editing import verbs

    inputs = {"images": images, "to": parse_places(to)}
    start = start_options(seed or 0, seed is None, steps, sampler)
    edit_and_save(verbs.adjust, open_target(run, "adjust", output, overwrite, json), {**inputs, **start}, full_size)


@app.command()
def interpolate(
    run: RunPath, images: ImagesArgument = None, partners: Partners = None, units: UnitsOption = None,
    noise: Annotated[
        bool | None,
        typer.Option("--noise/--no-noise", help="x_T goes from one image's to the other's (default: if all units go)"),
    ] = None,
    points: Annotated[int | None, typer.Option(min=2, help="pictures from end to end; 7 if not given")] = None,
    alpha: Annotated[
        str | None, typer.Option(help="how far to go, from 0 to 1 (the partner), separated by commas; not --points")
    ] = None,
    seed: OptionalSeed = None, steps: Steps = 20, sampler: Sampler = "dpmsolver++", inversion: Inversion = None,
    output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Go from one image to another in small steps, through all units or some.

    Begins from the inverted x_T of both images, unless --seed is given.

    \b
        unweave edit interpolate runs/diti 12 --partners 9 --units b16-23 --noise     a counterfactual, as DiTi's
        unweave edit interpolate runs/diti 12 --partners 9 --units b16-23 --noise --alpha 0,0.25,0.5,0.75,1 \\
            --sampler ddim --steps 100 --inversion-steps 500
    """
    from unweave.editing import verbs

    if points is not None and alpha is not None:
        raise ValueError("--points are evenly from end to end, --alpha says where: give one of them.")
    weights = points or 7 if alpha is None else parse_weights(alpha)
    inputs = {"images": images, "partners": split_commas(partners), "units": parse_units(units)}
    start = start_options(seed or 0, seed is None, steps, sampler, inversion)
    options = {**inputs, **start, "steps": weights, "noise": noise}
    edit_and_save(verbs.interpolate, open_target(run, "interpolate", output, overwrite, json), options)


@app.command()
def reconstruct(
    run: RunPath, images: ImagesArgument = None, seed: Seed = 0, steps: Steps = 20, sampler: Sampler = "dpmsolver++",
    eta: Annotated[float, typer.Option(min=0, max=1, help="noise of ddim; 1 with --steps 200 is the release's")] = 0.0,
    output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Rebuild images from their units, with their inverted x_T and from a seed: what do the units hold?

    \b
        unweave edit reconstruct runs/a --sampler ddim --steps 200 --eta 1
    """
    from unweave.editing import verbs
    from unweave.method import Sampling

    options = {"images": images, "seed": seed, "sampling": Sampling(sampler, steps, eta)}
    edit_and_save(verbs.reconstruct, open_target(run, "reconstruct", output, overwrite, json), options)


@app.command()
def heatmap(
    run: RunPath, images: ImagesArgument = None, partners: Partners = None, units: UnitsOption = None, seed: Seed = 0,
    inverted: Inverted = False, steps: Steps = 20, sampler: Sampler = "dpmsolver++", output: Output = None,
    overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Which unit or factor moves which pixels: the mean change when it alone is swapped."""
    from unweave.editing import verbs

    inputs = {"images": images, "partners": split_commas(partners), "units": parse_units(units)}
    start = start_options(seed, inverted, steps, sampler)
    edit_and_save(verbs.heatmap, open_target(run, "heatmap", output, overwrite, json), {**inputs, **start})


@app.command()
def directions(
    model: Annotated[str, typer.Argument(help="a run, a denoiser in diffusers' layout, or owner/name on the Hub")],
    image: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="a row number or an image file; else drawn from --seed")
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="LEFT,TOP,RIGHT,BOTTOM in pixels at the model's size, or a picture: its bright part"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="directions")] = 3,
    of: Annotated[
        str | None, typer.Option(help="what moves: codes (of runs that decode them, the default there) or x_t")
    ] = None,
    null_rank: Annotated[
        int | None,
        typer.Option(min=0, help="directions of the outside that are kept still; the strong ones if not given"),
    ] = None,
    time: Annotated[
        int | None, typer.Option(help="of x_t, from 1 to 999 (noise); about the middle if not given")
    ] = None,
    change: Annotated[float, typer.Option(help="to aim at inside the mask, in parts of white")] = 0.1,
    iterations: Annotated[int, typer.Option(min=1, help="of the power method")] = 10,
    seed: Annotated[int, typer.Option(help="of the picture where none is named, and of the first vectors")] = 0,
    steps: Steps = 20, output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Change a part of a picture and keep the rest, with any decoder or diffusion model: nothing is trained for it.

    \b
        unweave edit directions runs/a 12 --mask 20,20,44,52
        unweave edit directions google/ddpm-celebahq-256 me.png --mask smile.png -o smile-directions.png

    LOCO Edit (arXiv:2409.02374), of x_t; the same of codes.
    """
    from unweave.editing.local_directions import DirectionSettings, local_directions
    from unweave.figures.save import check_picture_path
    from unweave.runs.denoisers import is_run

    if of not in ("codes", "x_t", None):
        raise ValueError(f"--of must be codes or x_t, got {of!r}.")
    moving: Literal["codes", "x_t"] | None = None if of is None else "codes" if of == "codes" else "x_t"
    settings = DirectionSettings(moving, count, null_rank, time, change, iterations, steps, seed)
    target: Target | PicturePlace
    if is_run(model):
        target = open_target(Path(model), "directions", output, overwrite, json)
    elif output is None:
        raise ValueError(f"{model} is no run that pictures go into: say where to, with -o PICTURE.")
    else:
        check_picture_path(output, overwrite)
        target = PicturePlace(output, overwrite, json)
    out.choose_threads()
    with out.progress_of(quiet=False):
        edit, facts = local_directions(model, image, parse_mask(mask), settings)
    if not json:
        pairs = zip(facts.inside.mean(1), facts.outside.mean(1))
        for number, (inside, outside) in enumerate(pairs, 1):
            out.say(f"direction {number}: pixels change by {inside:.3f} inside the mask, {outside:.3f} outside")
    save_and_print(edit, target, facts.to_json())


@app.command()
def attention(
    run: RunPath, images: ImagesArgument = None, seed: Seed = 0, inverted: Inverted = False, steps: Steps = 20,
    sampler: Sampler = "dpmsolver++", output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Where the U-Net attends to each unit's token, for methods with cross-attention."""
    from unweave.editing import method_specific

    options = {"images": images, **start_options(seed, inverted, steps, sampler)}
    edit_and_save(method_specific.attention_maps, open_target(run, "attention", output, overwrite, json), options)


@app.command()
def alone(
    run: RunPath, images: ImagesArgument = None, partners: Partners = None, units: UnitsOption = None,
    own: Annotated[bool, typer.Option("--own", help="the image's own units instead of a partner's")] = False,
    seed: Seed = 0, inverted: Inverted = False, steps: Steps = 20, sampler: Sampler = "dpmsolver++",
    output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """The field of one unit at a time, all others left out (partial swap), for methods with gradient fields.

    \b
        unweave edit alone runs/disdiff-rooms 12 --partners 9 --units 0,3
        unweave edit alone runs/disdiff-rooms 12 --own --units 0,3
    """
    from unweave.editing import method_specific

    if own and partners is not None:
        raise ValueError("--own uses the image's own units, --partners another's: give one of them.")
    inputs = {"images": images, "partners": [] if own else split_commas(partners), "units": parse_units(units)}
    start = start_options(seed, inverted, steps, sampler)
    edit_and_save(method_specific.edit_alone, open_target(run, "alone", output, overwrite, json), {**inputs, **start})


@app.command()
def fields(
    run: RunPath, images: ImagesArgument = None, units: UnitsOption = None,
    times: Annotated[str | None, typer.Option(help="diffusion times 0..999, separated by commas")] = None,
    seed: Seed = 0, output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """How strongly each unit's gradient field acts, where in the image and when, for methods that have them.

    \b
        unweave edit fields runs/disdiff-rooms 12 --times 100,500,900
    """
    from unweave.editing import method_specific

    target = open_target(run, "fields", output, overwrite, json)
    out.choose_threads()
    edit = method_specific.field_maps(
        target.run, images, parse_units(units), parse_times(times) or method_specific.TIMES, seed=seed
    )
    save_and_print(edit, target, {"noise": f"seed {seed}"})


@app.command()
def manipulate(
    run: RunPath, images: ImagesArgument = None,
    attribute: Annotated[str, typer.Option(help="a yes-or-no factor, or a class of another as NAME=CLASS")] = "",
    amount: Annotated[
        list[float] | None, typer.Option("--amount", "-a", help="how far to go, repeatable; DiTi goes 0.3")
    ] = None,
    kept: Annotated[int, typer.Option(min=1, help="numbers of the code that may change")] = 16,
    rows: Annotated[int, typer.Option(min=10, help="of the training split, to learn from at most")] = 20_000,
    seed: OptionalSeed = None, steps: Steps = 20, sampler: Sampler = "dpmsolver++", inversion: Inversion = None,
    output: Output = None, overwrite: Overwrite = False, json: Json = False,
) -> None:  # fmt: skip
    """Move one attribute of images, along a linear classifier of codes with a learnt mask (DiTi).

    \b
        unweave edit manipulate runs/diti-celeba me.png --attribute Smiling --amount 0.3
        unweave edit manipulate runs/diti-rooms 12 --attribute shape=2

    The classifier is trained on the data's training split: this is the one edit that uses labels.
    """
    from unweave.editing.attribute import AMOUNTS
    from unweave.editing.attribute import manipulate as move_attribute

    if not attribute:
        raise ValueError("--attribute is missing: the name of a factor, or NAME=CLASS; `unweave info RUN` lists them.")
    start = start_options(seed or 0, seed is None, steps, sampler, inversion)
    target = open_target(run, "manipulate", output, overwrite, json)
    out.choose_threads()
    with out.progress_of(quiet=False):
        edit, classifier = move_attribute(
            target.run, attribute, images, amount or AMOUNTS, kept=kept, rows=rows, **start
        )
    if not json and classifier.average_precision is not None:
        out.say(
            f"the classifier's average precision on test rows is {classifier.average_precision:.3f} "
            f"(chance {classifier.prevalence:.3f}), from {len(classifier.kept)} numbers of the code"
        )
    save_and_print(edit, target, classifier.to_json())


def start_options(seed: int, inverted: bool, steps: int, sampler: str, inversion: int | None = None) -> dict[str, Any]:
    """`seed` and `sampling` of a verb."""
    from unweave.method import Sampling

    if inversion is not None and not inverted:
        raise ValueError("--inversion-steps go to the image's own x_T, --seed draws another: give one of them.")
    return {"seed": None if inverted else seed, "sampling": Sampling(sampler, steps, inversion=inversion)}


class Target(NamedTuple):
    """The opened run, where the picture of an edit goes, and what is printed."""

    run: "Run"
    path: Path
    overwrite: bool
    json: bool


class PicturePlace(NamedTuple):
    """The same of a model that is no run."""

    path: Path
    overwrite: bool
    json: bool


def open_target(run_path: Path, name: str, output: Path | None, overwrite: bool, json: bool) -> Target:
    """Where the picture of this name will go, checked before the work."""
    from unweave.figures.save import check_picture_path, choose_picture_path
    from unweave.runs.run import Run

    run = Run(run_path)
    path = choose_picture_path(run.pictures, name, output, overwrite)
    if name == "traverse":
        check_picture_path(path.with_suffix(".gif"), overwrite)
    return Target(run, path, overwrite, json)


def edit_and_save(
    verb: Callable[..., "Edit"], target: Target, options: dict[str, Any], full_size_folder: Path | None = None
) -> None:
    if full_size_folder is not None:
        from unweave.editing.full_size import check_files
        from unweave.files import check_writable

        check_files(options["images"])
        check_writable(full_size_folder / "edit.png")
    out.choose_threads()
    edit = verb(target.run, **options)
    if full_size_folder is not None:
        from unweave.editing.full_size import save_full_size

        for path in save_full_size(target.run, options["images"], edit, full_size_folder, target.overwrite):
            out.say(str(path))
    start = "inverted" if options["seed"] is None else f"seed {options['seed']}"
    save_and_print(edit, target, {"x_T": start, "sampling": options["sampling"]._asdict()})


def save_and_print(edit: "Edit", target: Target | PicturePlace, facts: dict[str, Any]) -> None:
    """Write the picture, and beside it the film of an edit that has one; print where they are, or all in JSON."""
    paths = [target.path] if edit.film is None else list(dict.fromkeys([target.path, target.path.with_suffix(".gif")]))
    files = [edit.save(path, target.overwrite) for path in paths]
    if target.json:
        out.print_json({"files": files, "shape": list(edit.images.shape), **facts})
    else:
        for file in files:
            print(file)


def split_commas(text: str | None) -> list[str] | None:
    """Words between commas; a comma that belongs to a word is written \\,."""
    parts = [] if text is None else [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    return None if text is None else [part for part in parts if part]


def parse_units(text: str | None) -> list[int | str] | None:
    """Numbers as numbers, all else as it is."""
    words = split_commas(text)
    if words is not None and not words:
        raise ValueError(f"--units must name units separated by commas, such as 0,3 or 10-49; got {text!r}.")
    return None if words is None else [int(word) if word.isdecimal() else word for word in words]


def parse_places(text: str) -> dict[int | str, str]:
    """{unit: place} of 3=0.9,wall colour=0.1,f3=state2,f1=like:me.png; what a place is `editing.placing` knows."""
    places: dict[int | str, str] = {}
    for word in split_commas(text) or []:
        unit, equals, place = word.partition("=like:") if "=like:" in word else word.rpartition("=")
        unit = unit.strip()
        if unit in places:
            raise ValueError(f"--to sets {unit!r} twice.")
        if not unit or not place.strip():
            raise ValueError(f"--to must be pairs of a unit and its place, such as 3=0.9,f3=state2; got {word!r}.")
        places[unit] = f"{equals[1:]}{place.strip()}"
    return places


def parse_mask(text: str | None) -> list[int] | str | None:
    """Four numbers, or the name of a picture."""
    words = split_commas(text) or []
    return [int(word) for word in words] if len(words) == 4 and all(word.isdecimal() for word in words) else text


def parse_weights(text: str) -> list[float]:
    try:
        return [float(word) for word in split_commas(text) or []]
    except ValueError:
        raise ValueError(
            f"--alpha must be numbers from 0 to 1 separated by commas, such as 0,0.5,1; got {text!r}."
        ) from None


def parse_times(text: str | None) -> list[int] | None:
    words = split_commas(text)
    if words is None:
        return None
    if not words or not all(word.isdecimal() for word in words):
        raise ValueError(f"times must be numbers separated by commas, such as 100,500; got {text!r}.")
    return [int(word) for word in words]
