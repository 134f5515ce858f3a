import pytest
import torch
from PIL import Image

from unweave.figures.traversal import cycle, quantile_label, save_gif

FRAMES = torch.linspace(-1, 1, 2 * 4).reshape(2, 4, 1, 1, 1).expand(2, 4, 3, 8, 8)


def shades(frames: torch.Tensor) -> list[list[int]]:
    """Which step each row shows in each frame."""
    return [[int(FRAMES[row, :, 0, 0, 0].eq(value).nonzero()) for value in frames[row, :, 0, 0, 0]] for row in (0, 1)]


def test_an_open_row_goes_there_and_back_and_a_closed_one_round():
    assert shades(cycle(FRAMES, [True, True])) == [[0, 1, 2, 3]] * 2
    assert shades(cycle(FRAMES, [False, False])) == [[0, 1, 2, 3, 2, 1]] * 2
    assert shades(cycle(FRAMES, [False, True])) == [[0, 1, 2, 3, 3, 2, 1, 0], [0, 1, 2, 3, 0, 1, 2, 3]]


def test_a_film_plays_its_frames_on_white(tmp_path):
    path = save_gif(cycle(FRAMES, [False, False]), tmp_path / "a.gif", seconds=1.2)
    with Image.open(path) as image:
        assert image.n_frames == 6
        assert image.info["loop"] == 0
        assert image.info["duration"] == 200
        frames = []
        for number in range(6):
            image.seek(number)
            frames.append(image.convert("RGB").tobytes())
            assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert frames[1] == frames[5]
    assert frames[2] == frames[4]
    assert len(set(frames)) == 4


def test_every_row_of_a_film_has_a_label_and_the_ends_are_named(tmp_path):
    with pytest.raises(ValueError, match="one unit number for every row, got 1 for 2"):
        save_gif(FRAMES, tmp_path / "a.gif", units=[3])
    assert [quantile_label(share) for share in (0, 0.05, 0.5, 1)] == ["min", "5 %", "50 %", "max"]


def test_a_film_is_not_overwritten_unasked(tmp_path):
    path = save_gif(FRAMES, tmp_path / "a.gif")
    with pytest.raises(FileExistsError, match="is there already"):
        save_gif(FRAMES, path)
    save_gif(FRAMES[:, :1], path, overwrite=True)
    with Image.open(path) as image:
        assert image.n_frames == 1
