import numpy as np
import pytest

from unweave.data.sets import rooms


@pytest.fixture(scope="module")
def whole():
    return rooms.build(rooms.RoomsSettings())


@pytest.fixture(scope="module")
def views(whole):
    return rooms.load_or_make(rooms.cache_file(), rooms.render)


def image(dataset, *factors):
    return dataset.images(rooms.GRID.index(np.array([factors])))[0].astype(int)


def test_the_grid_is_that_of_3d_shapes(whole):
    assert len(whole) == 480_000
    assert whole.factor_names == ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    assert whole.factor_sizes == (10, 10, 10, 8, 4, 15)


def test_views_are_distinct_and_so_are_hues(whole, views):
    assert len({view.tobytes() for view in views}) == 480
    same_view = whole.images(np.arange(1000) * 480 + 217)
    assert len({image.tobytes() for image in same_view}) == 1000


def test_no_sum_of_colours_passes_white(views):
    surfaces, light = views[..., :3].astype(int), views[..., 3:].astype(int)
    assert (surfaces.sum(-1)[..., None] + light).max() <= 255


def test_composition_is_the_weighted_sum_of_three_colours(whole, views):
    rows = np.random.default_rng(0).integers(0, len(whole), 20)
    factors = whole.factors(rows)
    view = views[rooms.VIEWS.index(factors[:, 3:])].astype(float)
    colours = rooms.hue_colours(10)[factors[:, :3]]
    expected = np.einsum("nhwm,nmc->nhwc", view[..., :3], colours) / 255 + view[..., 3:]
    assert abs(whole.images(rows) - expected).max() <= 0.51


def test_a_hue_changes_its_surface_only(whole, views):
    view = views[rooms.VIEWS.index(np.array([[4, 2, 7]]))[0]]
    for surface in range(3):
        one, other = [0, 3, 6], [0, 3, 6]
        other[surface] = 8
        changed = (image(whole, *one, 4, 2, 7) != image(whole, *other, 4, 2, 7)).any(-1)
        assert changed.any()
        assert not changed[view[..., surface] == 0].any()


@pytest.mark.parametrize("shape", range(4))
def test_the_object_is_whole_centred_and_grows_with_scale(views, shape):
    classes = np.array([[scale, shape, 7] for scale in range(8)])
    covers = views[rooms.VIEWS.index(classes)][..., 2] > 40
    heights, widths = covers.any(2).sum(1), covers.any(1).sum(1)
    assert (np.diff(covers.sum((1, 2))) > 0).all()
    assert 64 * 0.25 < heights[3:5].mean() < 64 * 0.42
    assert heights.max() < 50
    assert widths.max() < 40
    columns = covers.any(1) * (np.arange(64) - 31.5)
    assert abs(columns.sum(1) / widths).max() < 1.5


def test_the_corner_moves_with_orientation(views):
    wall = views[rooms.VIEWS.index(np.array([[0, 2, turn] for turn in range(15)]))][:, 9:12, :, 1].mean(1)
    corner = abs(np.diff(wall, axis=1)).argmax(1)  # the two walls differ in light
    assert (np.diff(corner) > 0).all() or (np.diff(corner) < 0).all()


def test_shapes_differ_at_32_pixels():
    small = rooms.build(rooms.RoomsSettings(size=32))
    looks = [image(small, 0, 3, 6, 0, shape, 7) for shape in range(4)]
    for i in range(4):
        for j in range(i):
            assert (abs(looks[i] - looks[j]).max(-1) > 40).sum() >= 12


def test_32_pixels_are_the_mean_of_64(whole):
    rows = np.random.default_rng(1).integers(0, len(whole), 20)
    large = whole.images(rows).reshape(20, 32, 2, 32, 2, 3).mean((2, 4))
    assert abs(rooms.build(rooms.RoomsSettings(size=32)).images(rows) - large).max() <= 3


def test_hues_are_equally_spaced_and_pure():
    assert rooms.hue_colours(6).tolist() == [
        [255, 0, 0],
        [255, 255, 0],
        [0, 255, 0],
        [0, 255, 255],
        [0, 0, 255],
        [255, 0, 255],
    ]
    assert (rooms.hue_colours(10).max(1) == 255).all()
    assert (rooms.hue_colours(10).min(1) == 0).all()


def test_rendering_is_deterministic_and_smooth_in_the_rays(views):
    coarse = rooms.render(side=16, rays=2)
    assert (coarse == rooms.render(side=16, rays=2)).all()
    means = views.reshape(480, 16, 4, 16, 4, 6).mean((2, 4))
    assert abs(coarse - means).mean() < 3


def test_a_damaged_or_unwritable_cache_is_made_again(tmp_path):
    views = np.zeros((480, 64, 64, 6), np.uint8)
    calls = []

    def make():
        calls.append(1)
        return views

    path = tmp_path / "unweave" / "rooms.npz"
    for content in (None, b"", b"not a zip", None):
        if content is not None:
            path.write_bytes(content)
        assert (rooms.load_or_make(path, make) == views).all()
    assert len(calls) == 3  # missing, empty, damaged; the last was found whole
    assert [file.name for file in path.parent.iterdir()] == ["rooms.npz"]
    path.write_bytes(path.read_bytes()[:1000])
    rooms.load_or_make(path, make)
    np.savez(path, views=views[:3])  # of another shape
    rooms.load_or_make(path, make)
    (tmp_path / "file").write_text("")
    assert rooms.load_or_make(tmp_path / "file" / "rooms.npz", make) is views
    assert len(calls) == 6


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert rooms.cache_file() == tmp_path / "unweave" / "rooms-v1-64.npz"


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="64 or 32"):
        rooms.RoomsSettings(size=48)
