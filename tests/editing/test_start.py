import pytest
import torch

from unweave.editing.start import make_start, start_note


def test_inverted_is_the_inversion_in_chunks(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=None, batch=2)
    stripes.eval()
    assert torch.equal(start, stripes.invert(images, stripes.encode(images), sampling))


def test_a_seed_gives_the_same_start_again(stripes, sampling, pairs):
    images, _ = pairs
    first, again, other = (make_start(stripes, images, sampling=sampling, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_one_shot_decoders_begin_from_nothing(one_shot, sampling, pairs):
    images, _ = pairs
    assert make_start(one_shot, images, sampling=sampling, seed=None, batch=2) is None
    assert make_start(one_shot, images, sampling=sampling, seed=0) is None


def test_no_decoder_no_start(blind, sampling, pairs):
    with pytest.raises(TypeError, match="Blind has no decoder, so it cannot edit"):
        make_start(blind, pairs[0], sampling=sampling, seed=0)
    assert start_note(0, None) == ""
    assert start_note(0, torch.zeros(1)) == " (x_T of seed 0)"
