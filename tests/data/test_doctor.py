import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from tests.data.in_memory import InMemory

from unweave.data import doctor
from unweave.data.dataset import Card
from unweave.data.formats import folder, npz
from unweave.data.open import dataset_table, open_data

RNG = np.random.default_rng(0)


def noise(width=40, height=40, mode="RGB"):
    pixels = RNG.integers(0, 256, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def encoded(image, kind="PNG", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.fixture(scope="module")
def sick():
    """A folder with one of each: name -> bytes."""
    good = {f"a/{i}.jpg": encoded(noise(), "JPEG") for i in range(6)}
    twin = encoded(noise())
    return good | {
        "b/twin1.png": twin,
        "b/twin2.png": twin,
        "blank.png": encoded(Image.new("RGB", (40, 40), (200, 0, 0))),
        "tiny.png": encoded(noise(9, 30)),
        "wide.png": encoded(noise(200, 40)),
        "really_jpeg.png": encoded(noise(), "JPEG"),
        "grey.png": encoded(noise(mode="L")),
        "alpha.png": encoded(noise(mode="RGBA")),
        "deep.png": encoded(Image.fromarray(RNG.integers(0, 65_536, (40, 40), dtype=np.uint16))),
        "moving.gif": encoded(noise(), "GIF", save_all=True, append_images=[noise(), noise()]),
        "cut.jpg": encoded(noise(), "JPEG")[:300],
        "notes.txt": b"hello",
        "more.TXT": b"hello",
        "README": b"hello",
        ".DS_Store": b"hello",
    }


def folder_of(content, directory):
    for name, data in content.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def zip_of(content, directory):
    with zipfile.ZipFile(directory / "a.zip", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return directory / "a.zip"


def tar_of(content, directory):
    with tarfile.open(directory / "a.tar.gz", "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return directory / "a.tar.gz"


def examine(path, **settings):
    table = dataset_table(str(path)) | settings
    report = doctor.examine_dataset(open_data(table), table)
    return report, {finding.kind: finding for finding in report.findings}


@pytest.mark.parametrize("pack", [folder_of, zip_of, tar_of])
def test_each_sickness_is_found_and_named_once(sick, pack, tmp_path):
    report, findings = examine(pack(sick, tmp_path), size=32)
    assert report.images == 16
    expected = {
        "corrupt": (1, "problem", "cut.jpg"),
        "duplicates": (1, "warning", "b/twin1.png = b/twin2.png"),
        "blank": (1, "warning", "blank.png"),
        "tiny": (1, "warning", "tiny.png: 9 x 30"),
        "odd shapes": (2, "warning", "tiny.png: 9 x 30"),
        "misnamed": (1, "note", "really_jpeg.png"),
        "animated": (1, "note", "moving.gif"),
        "other files": (3, "note", ".txt: 2"),
        "hidden": (1, "note", None),
        "mixed sizes": (3, "note", "40 x 40: 14"),
        "mixed kinds": (4, "note", "colour: 13"),
    }
    assert set(findings) == set(expected)
    for kind, (count, severity, example) in expected.items():
        assert (findings[kind].count, findings[kind].severity) == (count, severity), kind
        assert example is None or any(example in text for text in findings[kind].examples), findings[kind]
        assert findings[kind].remedy
    assert [finding.severity for finding in report.findings][:2] == ["problem", "warning"]


def test_a_healthy_folder_has_nothing(tmp_path):
    _, findings = examine(folder_of({f"{i}.png": encoded(noise()) for i in range(9)}, tmp_path), size=32)
    assert findings == {}


def test_a_report_is_json(sick, tmp_path):
    report, _ = examine(folder_of({"a.png": sick["blank.png"], "b.png": sick["grey.png"]}, tmp_path))
    report_json = json.loads(json.dumps(report.to_json()))
    assert report_json["images"] == 2
    assert {finding["kind"] for finding in report_json["findings"]} == {"blank", "tiny", "mixed kinds"}


def stored(pixels, factors=None, names=("a", "b"), sizes=(), notes=""):
    from unweave.data.reading.image_source import Labels

    labels = None if factors is None else Labels(names, sizes, factors)
    return InMemory("mine", pixels, labels, Card("t", "s", "l", notes=notes))


def kinds(dataset):
    return {finding.kind: finding for finding in doctor.examine_dataset(dataset, {"name": "mine"}).findings}


def test_all_groups_of_duplicates_are_found_over_all_parts(monkeypatch):
    monkeypatch.setattr(doctor, "BLOCK_BYTES", 5 * 64)
    pixels = RNG.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    pixels[[39, 20]] = pixels[3]
    pixels[38] = pixels[1]
    findings = kinds(stored(pixels))["duplicates"]
    assert findings.message == "5 images are in 2 groups of identical pixels"
    assert findings.count == 3  # may go
    assert findings.examples == ("row 1 = row 38", "row 3 = row 20 = row 39")


def test_blank_is_a_matter_of_each_channel():
    pixels = RNG.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    pixels[0] = (255, 0, 128)
    pixels[1] = 7 + RNG.integers(0, 3, (8, 8, 3))
    pixels[2, ..., 0] = 5
    assert kinds(stored(pixels))["blank"].examples == ("row 0", "row 1")


def test_gaps_constants_and_few_rows_of_factors():
    classes = np.stack(np.unravel_index(np.arange(60), (2, 3, 10)), axis=1)[:, :2]
    classes = np.concatenate([classes, np.zeros((60, 1), np.int64)], axis=1)
    classes = classes[~((classes[:, 0] == 1) & (classes[:, 1] == 2))]
    few = np.array([[1, 3, 0]] * 4)
    dataset = stored(
        RNG.integers(0, 256, (54, 8, 8, 1), dtype=np.uint8), np.concatenate([classes, few]), ("a", "b", "c"), (2, 4, 1)
    )
    findings = kinds(dataset)
    assert findings["constant"].examples == ("c",)
    assert findings["few rows"].examples == ("b = 3: 4 rows",)
    assert findings["combinations"].message == "2 of 8 combinations of the factors have no image"
    assert findings["combinations"].examples == ("a = 0, b = 3, c = 0", "a = 1, b = 2, c = 0")


def test_many_attributes_are_no_grid_with_gaps():
    pixels = RNG.integers(0, 256, (100, 8, 8, 1), dtype=np.uint8)
    dataset = stored(pixels, RNG.integers(0, 2, (100, 40)), tuple(f"a{i}" for i in range(40)), (2,) * 40)
    assert set(kinds(dataset)) == set()


def test_what_the_card_knows_is_said():
    assert "rows 3 and 4 are swapped" in kinds(stored(noise_set(), notes="rows 3 and 4 are swapped"))["card"].message


def noise_set():
    return RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def test_an_npz_and_a_view_have_what_applies(tmp_path):
    images = noise_set()
    images[5] = images[0]
    np.savez(tmp_path / "a.npz", images=images)
    _, findings = examine(tmp_path / "a.npz")
    assert set(findings) == {"duplicates"}
    report, findings = examine(tmp_path / "a.npz", view={"split": "all"})
    assert findings["duplicates"].examples == ("row 0 = row 5",)
    assert npz.build(npz.NpzSettings(path=tmp_path / "a.npz")).digest()
    assert report.images == 6


def test_folders_that_are_not_there_any_more_are_no_error(tmp_path):
    directory = folder_of({"a.png": encoded(noise()), "b.png": encoded(noise())}, tmp_path / "p")
    dataset = folder.build(folder.FolderSettings(path=directory, size=16))
    assert doctor.examine_dataset(dataset, {"name": "folder", "path": str(tmp_path / "q")}).findings == ()
