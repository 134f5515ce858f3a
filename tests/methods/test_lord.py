"""LORD: one code for all images of a class, classes from the data, and that tables say what it has seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

import unweave
from unweave.config import SettingsError
from unweave.data.open import open_data
from unweave.method import Batch
from unweave.methods import lord
from unweave.methods.lord import LORDSettings
from unweave.models.foundation import Foundation
from unweave.training.prepare import classes_of

SMALL = {"name": "sprites", "size": 16, "view": {"keep": {"x": [0, 1], "y": [0]}}}


def test_the_images_of_a_class_share_its_code() -> None:
    torch.manual_seed(0)
    classes = torch.tensor([2, 0, 2, 1, 1, 2])
    foundation = Foundation((3, 16, 16), 6, class_count=3, classes=classes)
    method = lord.build(LORDSettings(content=4, style=3, width=8), foundation)
    batch = Batch(torch.zeros(2, 3, 16, 16), torch.tensor([0, 5]), 0)
    method(batch, torch.Generator().manual_seed(0)).total.backward()
    assert method.styles.grad is not None
    assert method.styles.grad.any(1).tolist() == [False, False, True]
    assert method.contents.grad is not None
    assert method.contents.grad.any(1).tolist() == [True, False, False, False, False, True]


def test_classes_are_the_combinations_of_the_named_factors() -> None:
    dataset = open_data(SMALL)
    factors = dataset.factors(np.arange(len(dataset)))
    assert factors is not None
    count, classes = classes_of(dataset, ["shape"])
    assert classes is not None
    assert count == len(np.unique(factors[:, dataset.factor_names.index("shape")]))
    assert classes.tolist() == factors[:, dataset.factor_names.index("shape")].tolist()
    assert classes_of(dataset, ["shape", "x"])[0] == 2 * count
    with pytest.raises(SettingsError, match="Did you mean 'shape'"):
        classes_of(dataset, ["shap"])


def test_a_run_opens_without_its_classes_and_says_that_it_saw_labels(tmp_path: Path) -> None:
    run = unweave.train(
        "lord",
        data=SMALL,
        method={"labels": ["shape"], "content": 6, "style": 3, "width": 8, "encoders_after": 96},
        training={"images": 128, "batch": 32, "preview": 10**9},
        run=tmp_path / "run",
    )
    assert run.method_title() == "lord (with labels)"
    classes = classes_of(run.dataset(), ["shape"])[1]
    assert classes is not None
    assert run.method().class_of_row.tolist() == classes.tolist()
    assert unweave.swap(run, images=[0], partners=[9], units=["style"]).images.isfinite().all()


def test_without_classes_it_says_where_to_give_them() -> None:
    with pytest.raises(SettingsError, match="put the images of each class into a folder"):
        lord.build(LORDSettings(), Foundation((3, 16, 16), 9))
