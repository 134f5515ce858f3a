from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from unweave.editing.edit import Edit, FigureLabels, grid_edit


@pytest.fixture
def cells() -> torch.Tensor:
    return torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_figure_is_drawn_once_and_only_when_somebody_looks() -> None:
    calls: list[int] = []

    def draw() -> Image.Image:
        calls.append(1)
        return Image.new("RGB", (30, 20))

    edit = Edit(torch.zeros(1, 3, 8, 8), FigureLabels([], []), draw)
    assert calls == []
    assert edit.figure() is edit.figure()
    assert calls == [1]


def test_a_notebook_shows_the_figure_and_no_numbers(cells: torch.Tensor) -> None:
    edit = grid_edit(cells, list(cells), ["a", "b"], ["x", "y", "z"], "title")
    with Image.open(BytesIO(edit._repr_png_())) as image:
        assert image.size == edit.figure().size
    assert repr(edit) == (
        "Edit(images of shape (2, 3, 3, 8, 8), labels=FigureLabels(rows=['a', 'b'], columns=['x', 'y', 'z']))"
    )


def test_saving_replaces_no_file_unasked(cells: torch.Tensor, tmp_path: Path) -> None:
    edit = grid_edit(cells, list(cells), [], ["x", "y", "z"], "title")
    assert edit.save(tmp_path / "folder" / "a.png") == tmp_path / "folder" / "a.png"
    with pytest.raises(FileExistsError, match=r"a\.png"):
        edit.save(tmp_path / "folder" / "a.png")
    edit.save(str(tmp_path / "folder" / "a.png"), overwrite=True)
    with pytest.raises(ValueError, match="must end in a format for pictures"):
        edit.save(tmp_path / "a.txt")


def test_a_gif_is_the_film_where_there_is_one(cells: torch.Tensor, tmp_path: Path) -> None:
    still = grid_edit(cells, list(cells), [], ["x", "y", "z"], "title")
    film = Edit(cells, FigureLabels(["a", "b"], ["x", "y", "z"]), still.draw, film=cells)
    for edit, frames in ((still, 1), (film, 3)):
        with Image.open(edit.save(tmp_path / f"{frames}.gif")) as saved:
            assert saved.n_frames == frames
    with Image.open(film.save(tmp_path / "film.png")) as saved:
        assert saved.size == still.figure().size
