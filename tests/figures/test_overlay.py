import numpy as np
import pytest
import torch

from unweave.figures.colours import MAGMA, colourise
from unweave.figures.overlay import overlay


def test_the_colours_are_the_table_and_get_steadily_brighter():
    assert colourise(np.linspace(0, 1, 9)).tolist() == [list(colour) for colour in MAGMA]
    brightness = colourise(np.linspace(0, 1, 200)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) >= -0.5).all()
    assert brightness[-1] > 240
    assert colourise(np.array([-1.0, 2.0])).tolist() == [list(MAGMA[0]), list(MAGMA[-1])]


def test_a_given_scale_makes_pictures_comparable():
    values, image = torch.full((1, 8, 8), 0.5), torch.zeros(3, 8, 8)
    assert overlay(values, image, high=1.0).tobytes() != overlay(values, image).tobytes()
    assert overlay(values, image, high=1.0).tobytes() == overlay(values.numpy(), image, high=1.0).tobytes()


def test_the_map_and_the_image_are_of_one_size():
    with pytest.raises(ValueError, match="the map and the image"):
        overlay(torch.rand(3, 8, 8), torch.zeros(3, 4, 8))


def test_where_nothing_moves_the_overlay_is_grey():
    picture = np.asarray(overlay(torch.zeros(1, 8, 8), torch.rand(3, 8, 8) * 2 - 1))
    tile = picture[60:120, 40:120].astype(int)
    assert (tile.max(2) == tile.min(2)).all()


def test_a_scale_is_positive():
    with pytest.raises(ValueError, match="high must be positive, got 0"):
        overlay(torch.zeros(1, 8, 8), torch.zeros(3, 8, 8), high=0.0)
