import torch

from unweave.app.places import Taken, slider_at


def test_a_slider_is_where_the_code_of_another_picture_is_nearest() -> None:
    taken = Taken(0.3, "b.png", torch.zeros(1, 4))
    assert slider_at(taken) == 0.3
    assert slider_at(0.7) == 0.7
    assert taken == Taken(0.3, "b.png", torch.ones(1, 4))  # a name is enough to tell two apart
    assert taken != Taken(0.3, "c.png", torch.zeros(1, 4))
