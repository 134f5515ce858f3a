import numpy as np
import pytest
import torch

from unweave.evaluation.external_model import encode_in_batches, evaluate_model
from unweave.evaluation.scores import evaluate_tables

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 4, (120, 2))
IMAGES = np.zeros((120, 2, 2, 1), np.uint8)
IMAGES[:, 0, 0, 0], IMAGES[:, 1, 1, 0] = FACTORS.T * 50


def encode(images):
    return images[:, [0, 1], [0, 1], 0].astype(np.float32) / 255


def test_the_scores_are_those_of_the_codes():
    options = {"protocols": ["mig@1", "dci@1"], "repeats": 1}
    by_model = evaluate_model(encode, IMAGES, FACTORS, batch=50, **options)
    assert by_model["protocols"] == evaluate_tables(encode(IMAGES), FACTORS, **options)["protocols"]
    assert by_model["protocols"]["mig@1"]["mig"]["value"] > 0.9


def test_tensors_with_gradients_and_vector_units_are_welcome():
    weight = torch.ones(1, requires_grad=True)
    tensors = encode_in_batches(lambda images: torch.tensor(encode(images)) * weight, IMAGES)
    assert (tensors == encode(IMAGES)).all()
    scores = evaluate_model(
        lambda images: encode(images)[..., None] * [0.6, 0.8], IMAGES, FACTORS, protocols=["med-unreduced@1"]
    )
    assert scores["data"]["explained"] == pytest.approx([1, 1])
    assert scores["data"]["units"] == 2


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda images: encode(images)[:3], "for 50 images"),
        (lambda images: encode(images)[:, 0], "expected numbers of shape"),
        (lambda images: encode(images) * np.nan, "NaN"),
    ],
)
def test_what_is_no_code(bad, words):
    with pytest.raises(ValueError, match=words):
        encode_in_batches(bad, IMAGES, batch=50)
