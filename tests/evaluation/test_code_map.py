import numpy as np
import pytest

from unweave.evaluation import code_map
from unweave.evaluation.code_map import (
    CodePart,
    far_out,
    find_outliers,
    joint_codes,
    map_codes,
    near_duplicates,
    nearest_pairs,
    unusual_measurements,
)

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(300, 4))
PARTS = [CodePart("hue", CODES[:, :1]), CodePart("place", 50 * CODES[:, 1:3]), CodePart("dead", np.zeros((300, 2)))]


def test_without_umap_the_map_is_of_principal_components() -> None:
    codes = CODES * [5, 1, 0.1, 0.1]
    drawing = map_codes(codes)
    assert drawing.drawing == "PCA"
    centred = codes - codes.mean(0)
    assert abs(np.corrcoef(drawing.places[:, 0], centred[:, 0])[0, 1]) > 0.999
    assert drawing.places.var(0).sum() == pytest.approx(np.linalg.eigvalsh(np.cov(centred.T, ddof=0))[-2:].sum())
    assert map_codes(codes[:, :1]).places.shape == (300, 2)


@pytest.mark.long
def test_with_umap_groups_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("umap")
    monkeypatch.setattr(code_map, "has_umap", lambda: True)
    groups = np.repeat(np.arange(3), 20)
    codes = 20 * np.eye(3)[groups] + RNG.normal(size=(60, 3))
    drawing = map_codes(codes)
    assert drawing.drawing == "UMAP"
    nearest = np.argsort(np.linalg.norm(drawing.places[:, None] - drawing.places, axis=2), axis=1)[:, 1]
    assert (groups[nearest] == groups).all()
    np.testing.assert_array_equal(drawing.places, map_codes(codes).places)


def test_every_part_counts_the_same_whatever_its_scale() -> None:
    joint = joint_codes(PARTS)
    totals = [np.square(joint[:, columns]).sum(1).mean() for columns in ([0], [1, 2], [3, 4])]
    assert totals == pytest.approx([1, 1, 0])


def test_an_outlier_is_found_with_the_factor_that_makes_it_one() -> None:
    moved = [CodePart(part.name, part.codes.copy()) for part in PARTS]
    moved[1].codes[17] = [900, -900]
    outliers = find_outliers(moved, 5)
    assert (outliers[0].row, outliers[0].unusual) == (17, ["place"])
    assert outliers[0].times > 3
    assert find_outliers(moved, 0) == []


def test_numbers_of_one_kind_have_no_outliers() -> None:
    assert not far_out(np.exp(RNG.normal(size=500))).any()
    assert far_out(np.array([*np.exp(RNG.normal(size=500)), 1e4])).nonzero()[0].tolist() == [500]


def test_where_rows_repeat_nothing_is_far() -> None:
    codes = np.concatenate([np.zeros((200, 2)), RNG.normal(size=(9, 2))])
    assert find_outliers([CodePart("f1", codes)], 5) == []


def test_unusual_measurements_are_said_with_the_median() -> None:
    others = np.column_stack([RNG.normal(0.5, 0.01, 200), RNG.normal(3, 1, 200), np.full(200, np.nan)])
    words = unusual_measurements(np.array([0.9, 3.5, 1.0]), others, ["brightness", "area", "hue"])
    assert words == ["brightness 0.9 (median 0.5)"]


def test_pairs_are_of_the_nearest_and_duplicates_are_seen_in_pictures() -> None:
    codes, images = CODES.copy(), RNG.random((300, 48))
    codes[200], images[200] = codes[3], images[3] + 0.01
    codes[100] = codes[50]  # the same code of other pictures
    pairs = nearest_pairs(codes).tolist()
    assert {tuple(pair) for pair in pairs[:2]} == {(3, 200), (50, 100)}
    assert len({tuple(pair) for pair in pairs}) == len(pairs)
    assert near_duplicates(codes, lambda rows: images[rows]) == [(3, 200)]
