import numpy as np
import torch
from tests.data.in_memory import InMemory
from tests.evaluation.shades import Shades, shade_dataset

from unweave.data.dataset import Dataset
from unweave.data.reading.image_source import Labels
from unweave.data.views import View
from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.memorised import measure_memorised
from unweave.evaluation.run_editor import RunEditor
from unweave.method import Generative, OneShot, Player, Sampling, Start
from unweave.runs.report_facts import Memorised
from unweave.tensors import Images, Units, to_images

GROUPS = [[0], [1], [2, 3]]


class ByHeart(OneShot):
    """Draws the training image whose shades are nearest to the units."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self.known = to_images(dataset.images(np.arange(len(dataset))))

    def players(self) -> list[Player]:
        return []

    def encode(self, images: Images) -> Units:
        return Shades().encode(images)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.known[torch.cdist(units.flatten(1), self.encode(self.known).flatten(1)).argmin(1)]


def measured(method: Generative, dataset: Dataset) -> Memorised | None:
    rows = np.arange(len(dataset))
    codes = method.encode(to_images(dataset.images(rows))).numpy()
    editor = RunEditor(method, dataset, Sampling("ddim", 1), 0)
    return measure_memorised(editor, EncodedRows(dataset, rows, codes), GROUPS, 0)


def test_images_that_are_known_by_heart_are_found_with_and_without_others_held_out() -> None:
    every = shade_dataset(200)
    part = View(every, np.arange(0, 200, 2), "half")
    for dataset in (every, part):
        facts, fair = measured(ByHeart(dataset), dataset), measured(Shades(), dataset)
        assert facts is not None
        assert fair is not None
        assert facts.by_heart
        assert facts.compared == len(dataset)
        assert facts.copies == 1
        assert not fair.by_heart
        assert facts.held_out == (64 if dataset is part else 0)
        assert Memorised.from_json(facts.to_json()) == facts
    assert facts.strayed == 1
    assert fair.strayed == 0


def test_a_complete_grid_is_of_copies_and_not_known_by_heart() -> None:
    pixels = shade_dataset(200).images(np.arange(200))
    places = np.arange(200)
    labels = Labels(("a", "b"), (10, 20), np.stack([places // 20, places % 20], 1))
    grid = InMemory("grid", pixels, labels)
    facts = measured(ByHeart(grid), grid)
    assert facts is not None
    assert (facts.copies, facts.by_heart) == (1, False)


def test_mixed_pictures_have_each_group_from_another_image() -> None:
    dataset = shade_dataset(12)
    rows = np.arange(12)
    editor = RunEditor(Shades(), dataset, Sampling("ddim", 1), 0)
    before, after = (Shades().encode(images)[:, :, 0] for images in (editor.images(rows), editor.mix(rows, GROUPS, 0)))
    orders = [[int((before[:, group] - row[group]).abs().sum(1).argmin()) for row in after] for group in GROUPS]
    assert torch.equal(before.sort(0).values, after.sort(0).values)
    assert torch.equal(after[:, 2:], before[orders[2], 2:])
    assert len(set(map(tuple, orders))) == 3


def test_a_handful_of_images_says_nothing() -> None:
    assert measured(Shades(), shade_dataset(9)) is None
