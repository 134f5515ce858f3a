"""Real image sets beside the checkout: each by its path, and as the files that people have."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import QUICK, shared

import unweave
from unweave.data import describe

SETS = {
    "dsprites_grid46k": (46_080, (1, 64, 64), ("shape", "scale", "orientation", "posX", "posY")),
    "lpc_sprites": (11_664, (3, 64, 64), ("body", "bottomwear", "topwear", "hair", "action", "direction")),
    "cmu_faces": (624, (1, 60, 64), ("person", "pose", "expression", "sunglasses")),
    "isomap_faces": (698, (1, 32, 32), ("light_bin", "pan_bin", "tilt_bin")),
}


@pytest.mark.parametrize("name", SETS)
def test_each_set_loads_by_path_with_its_factors(name: str) -> None:
    path = shared("data", name, f"{name}.npz")
    dataset = unweave.open_data(path)
    assert (len(dataset), dataset.shape, dataset.factor_names) == SETS[name]
    rows = np.array([0, len(dataset) // 2, len(dataset) - 1])
    with np.load(path) as stored:
        assert (dataset.images(rows).squeeze() == stored["images"][rows].squeeze()).all()
        assert len(np.unique(stored["factors"], axis=0)) == len(
            np.unique(dataset.factors(np.arange(len(dataset))), axis=0)
        )
    assert np.asarray(describe.contact_sheet(dataset)).std() > 10


@pytest.mark.long
def test_two_thousand_files_with_ten_damaged_train_to_the_end(tmp_path: Path) -> None:
    with np.load(shared("data", "lpc_sprites", "lpc_sprites.npz")) as stored:
        images = stored["images"][::5][:2010]
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / (f"{number:04d}.jpg" if number % 2 else f"{number:04d}.png"), quality=90)
    names = damage(folder)
    assert len(names) == 10
    words = ["training.images=64", "training.batch=32", "training.precision=float32", "data.size=16"]
    words += [f"method.{key}={json.dumps(value)}" for key, value in QUICK.items()]
    command = [sys.executable, "-m", "unweave", "train", "encdiff", f"data={folder}", *words]
    run = subprocess.run([*command, "--run", str(tmp_path / "run")], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    warned = [line for line in run.stderr.splitlines() if "cannot be read and is left out" in line]
    assert sorted(Path(line.split(" cannot be read")[0]).name for line in warned) == sorted(names)
    assert "10 of 2010 files could not be read and are left out" in run.stderr
    assert "Traceback" not in run.stderr
    assert unweave.load(str(tmp_path / "run")).state()["seen"] == 64
    assert len(unweave.open_data({"name": "folder", "path": folder, "size": 16})) == 2000


def damage(folder: Path) -> list[str]:
    """Damage ten files of this folder in ten ways, and name them."""
    png, jpg = (folder / "0000.png").read_bytes(), (folder / "0001.jpg").read_bytes()
    data = png.index(b"IDAT") + 4
    ways = {
        "0010.png": png[: len(png) // 2],  # cut short
        "0011.jpg": jpg[: len(jpg) // 3],  # cut short
        "0020.png": b"",  # empty
        "0021.jpg": b"<!DOCTYPE html><html><body>not found</body></html>",  # what a dead link gives
        "0030.png": b"no image at all",
        "0031.jpg": b"\0" * len(jpg),  # a disk that lost its blocks
        "0040.png": png[:data]
        + bytes(byte ^ 0x5A for byte in png[data : data + 64])
        + png[data + 64 :],  # flipped bits
        "0041.jpg": jpg[20:],  # its beginning is lost
        "0050.png": png[:8] + header(60_000, 60_000) + png[33:],  # claims 3.6 thousand million pixels
        "0051.jpg": jpg[: jpg.index(b"\xff\xda")],  # headers without a picture
    }
    for name, content in ways.items():
        (folder / name).write_bytes(content)
    return list(ways)


def header(width: int, height: int) -> bytes:
    """The first chunk of a PNG."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
