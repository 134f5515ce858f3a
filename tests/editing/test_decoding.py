import pytest
import torch

from unweave.editing.decoding import check_start, decode
from unweave.method import Sampling, evaluating


def _fail_inside(method):
    assert not method.training
    assert torch.is_inference_mode_enabled()
    raise RuntimeError("inside")


def test_every_mode_comes_back_also_after_an_error(stripes):
    stripes.train()
    stripes.inner.eval()
    with pytest.raises(RuntimeError, match="inside"), evaluating(stripes):
        _fail_inside(stripes)
    assert stripes.training
    assert not stripes.inner.training
    assert not torch.is_inference_mode_enabled()


def test_chunks_are_at_most_batch_images(stripes, sampling):
    with evaluating(stripes):
        decode(stripes, torch.zeros(7, 4, 3), torch.zeros(7, 3, 8, 8), sampling=sampling, batch=3)
    assert stripes.sizes == [3, 3, 1]


def test_an_edit_is_deterministic(stripes, pairs):
    with evaluating(stripes), pytest.raises(ValueError, match=r"eta must be 0 for an edit, got 1\.0"):
        decode(stripes, torch.zeros(5, 4, 3), None, sampling=Sampling(eta=1.0), batch=3)


def test_a_batch_is_at_least_one_image(stripes, sampling):
    with evaluating(stripes), pytest.raises(ValueError, match="at least 1 image, got 0"):
        decode(stripes, torch.zeros(5, 4, 3), None, sampling=sampling, batch=0)


def test_a_start_has_a_row_for_every_image():
    with pytest.raises(ValueError, match="start has 3 rows for 5 images"):
        check_start(torch.zeros(3, 2), 5)
    with pytest.raises(TypeError, match="got str"):
        check_start("inverted", 5)
