from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from unweave.runs.images import read_file, read_images, read_row
from unweave.runs.run import Run


def test_rows_and_files_are_images_of_the_runs_size(quick_run: Run, tmp_path: Path) -> None:
    Image.new("L", (90, 50), 255).save(tmp_path / "white.png")
    named = read_images(quick_run, [3, "4", tmp_path / "white.png", str(tmp_path / "white.png")])
    assert named.labels == ["row 3", "row 4", "white.png", "white.png"]
    assert named.images.shape == (4, 3, 16, 16)
    assert torch.equal(named.images[:1], read_row(quick_run.dataset(), 3))
    assert torch.equal(named.images[2:3], read_file(tmp_path / "white.png", (3, 16, 16)))
    assert (named.images[2:] == 1).all()


def test_a_file_goes_before_the_row_of_its_name(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (16, 16), "white").save(tmp_path / "7", "PNG")
    monkeypatch.chdir(tmp_path)
    assert read_images(quick_run, ["7"]).labels == ["7"]
    assert read_images(quick_run, [7]).labels == ["row 7"]


def test_a_message_says_which_image_is_resized(
    quick_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turned = Image.new("RGB", (30, 20))
    exif = turned.getexif()
    exif[0x0112] = 6  # lies on its side
    turned.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (16, 16)).save(tmp_path / "fits.png")
    with caplog.at_level("INFO", logger="unweave"):
        read_images(quick_run, [tmp_path / "turned.jpg", tmp_path / "fits.png", 3])
    assert [record.getMessage() for record in caplog.records] == [
        "turned.jpg has 30 x 20 pixels: its middle is resized to 16 x 16 (height, width)."
    ]


def test_a_folder_does_not_hide_a_row(quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    assert read_images(quick_run, "0").labels == ["row 0"]


def test_what_is_no_name_says_what_to_do(quick_run: Run, untyped: None) -> None:
    for images in ([Image.new("RGB", (4, 4))], np.zeros((1, 4, 4, 3))):
        with pytest.raises(TypeError, match="save pictures and arrays as files"):
            read_images(quick_run, images)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)), kind=st.sampled_from([list, tuple, np.array]), as_word=st.booleans())
def test_any_list_of_images_gives_the_same_rows_in_any_order(
    quick_run: Run,
    tmp_path_factory: pytest.TempPathFactory,
    untyped: None,
    order: list[int],
    kind: Callable[[list[object]], object],
    as_word: bool,
) -> None:
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        Image.new("RGB", (20 + i, 30), (80 * i, 9, 200)).save(path)
    names = [*paths, 7]  # files, and a row
    expected = read_images(quick_run, names).images
    given_names = kind([str(names[i]) for i in order] if as_word or kind is np.array else [names[i] for i in order])
    assert torch.equal(read_images(quick_run, given_names).images, expected[list(order)])
