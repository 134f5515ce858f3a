"""A folder in which the names of the pages are there: few small pictures, tables, runs that have hardly learned."""

import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from diffusers import DDPMPipeline, DDPMScheduler, VQModel
from PIL import Image
from tests.conftest import QUICK

import unweave
from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.runs.factors import RunFactors, write_factors
from unweave.runs.ray_codes import Encoder, EncodingPlace, Reader, describe, table_to_stream
from unweave.runs.run import Run
from unweave.runs.sharded_codes import begin_codes, finish_codes

ROOT = Path(__file__).parents[2]
SIDE = 24  # pixels of a photograph
FEW = {"images": 32, "batch": 16, "precision": "float32", "threads": 1}
SPRITES = {"name": "sprites", "size": 16, "view": {"keep": {"x": [0, 4], "y": [0, 4]}}}
STUDY = """
data = [{name = "sprites", size = 16, view.keep = {x = [0, 4], y = [0, 4]}}]
seeds = 1
images = [32]
rows = 400
protocols = ["mig@1"]
methods = ["betavae"]
"""


def make(place: Path) -> None:
    """Everything that a page names, in the working folder `place`."""
    rng = np.random.default_rng(0)
    for folder, count in (("photos", 40), ("other", 24), ("control", 24), ("treated", 24)):
        write_photos(place / folder, count, rng)
    (place / "classes").mkdir()
    for folder in ("control", "treated"):
        shutil.copytree(place / folder, place / "classes" / folder)
    write_microscopy(place, rng)
    write_files(place, rng)
    write_tables(place, rng)
    write_networks(place)
    write_runs(place / "runs")
    (place / "configs").mkdir()
    results = Path("benchmarks", "results")
    (place / results).mkdir(parents=True)
    for name in ("study_sprites.json", "rows_sprites.json"):
        shutil.copy(ROOT / results / name, place / results / name)
    shutil.copy(place / "runs" / "a" / "settings.toml", place / "settings.toml")
    shutil.copy(place / "settings.toml", place / "configs" / "my.toml")
    run = Run(place / "runs" / "a")
    for name, data, weights in (("", None, "averaged"), ("-raw", None, "raw"), ("-a", "shards", "averaged"),
                                ("-b", "shards", "averaged")):  # fmt: skip
        write_codes(run, data, place / f"codes{name}", weights)


def write_photos(folder: Path, count: int, rng: np.random.Generator) -> None:
    """Squares of random colours and sizes on grounds of random colours."""
    folder.mkdir()
    for row in range(count):
        pixels = np.empty((SIDE, SIDE, 3), np.uint8)
        pixels[:], half = rng.integers(0, 255, 3), rng.integers(3, 10)
        middle = slice(SIDE // 2 - half, SIDE // 2 + half)
        pixels[middle, middle] = rng.integers(0, 255, 3)
        Image.fromarray(pixels).save(folder / f"{folder.name}{row:02d}.png")


def write_microscopy(place: Path, rng: np.random.Generator) -> None:
    """Cells of two channels, stacks of three pages, slides of four patches."""
    for folder in ("cells", "stacks", "slides"):
        (place / folder).mkdir()
    for row in range(16):
        planes = rng.integers(200, 4095, (3, 32, 32), dtype=np.uint16)
        tifffile.imwrite(place / f"cells/{row}.tif", planes[:2], photometric="minisblack", metadata={"axes": "CYX"})
        tifffile.imwrite(place / f"stacks/{row}.tif", planes, photometric="minisblack")
        if row < 4:
            Image.fromarray(rng.integers(0, 255, (512, 512), dtype=np.uint8)).save(place / f"slides/{row}.png")


def write_files(place: Path, rng: np.random.Generator) -> None:
    """Single pictures, archives, shards."""
    for name in ("me.png", "you.png", "me.jpg"):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(place / name)
    (place / "shards").mkdir()
    photos = sorted((place / "photos").iterdir())
    for name in ("photos.zip", "mine.zip"):
        with zipfile.ZipFile(place / name, "w") as archive:
            for photo in photos:
                archive.write(photo, photo.name)
    with tarfile.open(place / "shards" / "0.tar", "w") as archive:
        for photo in photos:
            archive.add(photo, photo.name)
    (place / "study.toml").write_text(STUDY)


def write_tables(place: Path, rng: np.random.Generator) -> None:
    """Codes and factors, and what is known of the files of control/ and treated/."""
    factors = rng.integers(0, 4, (400, 3))
    codes = factors + rng.normal(0, 0.1, factors.shape)
    for name, array in (("z.npy", codes), ("T.npy", codes), ("y.npy", factors), ("grid.npy", factors)):
        np.save(place / name, array)
    np.savetxt(place / "z.csv", codes, delimiter=",", header="a,b,c", comments="")
    np.savetxt(place / "y.csv", factors, fmt="%d", delimiter=",", header="hue,size,shape", comments="")
    both = [(name, row) for name in ("control", "treated") for row in range(24)]
    plates = [f"{name}{row:02d}.png,{name}-{row // 6}" for name, row in both]
    (place / "plates.csv").write_text("\n".join(["file,plate", *plates]))
    sizes = [f"{name}{row:02d}.png,{9 + row % 6}" for name, row in both]
    (place / "factors.csv").write_text("\n".join(["file,size", *sizes]))
    files = [*(f"{name}{row:02d}.png" for name, row in both), *(f"{row}.tif" for row in range(16))]
    groups = [f"{file},{('control', 'treated')[row % 2]}" for row, file in enumerate(files)]
    (place / "groups.csv").write_text("\n".join(["file,group", *groups]))


def write_networks(place: Path) -> None:
    """What diffusers wrote: a pipeline of 32 x 32 pixels, and an autoencoder."""
    unet = unconditional_unet(32, 3, UNetShape((8, 16), (False, True), 1, 2, 4, 0.0))
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(place / "my-pipeline")
    blocks: dict[str, Any] = {
        "block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4,
        "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
    }  # fmt: skip
    VQModel(latent_channels=3, num_vq_embeddings=8, **blocks).save_pretrained(place / "my-vqvae")


def write_runs(runs: Path) -> None:
    """Runs by the names that pages have for them; those of pictures are tiny EncDiffs, the others VAEs on sprites."""
    for name, data, size in (("photos", "photos", 16), ("cells", "control", 16), ("rooms", "rooms", 32)):
        tables = {"data": data}, {"data": {"size": size}, "method": {**QUICK, "units": 12}, "training": FEW}
        unweave.train("encdiff", *tables, run=runs / f"encdiff-{name}")
    for seed, name in enumerate(("seed-0", "seed-1", "seed-2", "a", "b", "c", "betavae-photos", "encdiff-photos-2")):
        tables = {"data": SPRITES}, {"method": {"units": 12}, "training": {**FEW, "seed": seed}}
        unweave.train("betavae", *tables, run=runs / name)
    for name in ("a", "b", "c", "encdiff-photos", "encdiff-cells", "encdiff-rooms"):
        give_factors(Run(runs / name))


def give_factors(run: Run) -> None:
    """Nine factors: f1 a circle of units 0, 3 and 8, the others lines of a unit each, f3 with two states."""
    quantiles = run.statistics().quantiles
    angles, levels = np.linspace(0, 2 * np.pi, 16, endpoint=False), np.linspace(0, 1, 101)
    circle = quantiles[50, [0, 3, 8]] + np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
    factors = [Factor((0, 3, 8), 0.08, Coordinate(True, circle, levels, 0.01), verdict="one thing")]
    for unit in (1, 2, 4, 5, 6, 7, 9, 10):
        states = (Mode(0.25, 0.4), Mode(0.75, 0.6)) if unit == 2 else ()
        line = Coordinate(False, quantiles[[0, 100], unit][:, None], levels, 0.0)
        factors.append(Factor((unit,), 0.05, line, states, verdict="one thing"))
    write_factors(run, RunFactors(tuple(factors), run.digest(), 200, 0))


def write_codes(run: Run, data: str | None, folder: Path, weights: Any) -> None:
    """A folder of codes, as encoding on a cluster writes it, made here."""
    table = table_to_stream(run, data)
    about = describe(run, table, unweave.open_data(table), weights)
    place = EncodingPlace(str(run.path), str(folder))
    reader, encoder = Reader(place, about), Encoder(place, about)
    for part in begin_codes(folder, about):
        encoder(reader({"part": np.array([part])}))
    finish_codes(folder, about)
