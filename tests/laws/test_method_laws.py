"""Laws over every method in the folder, at its laptop preset on small images (`training.contract`)."""

import pytest
from tests.conftest import QUICK

from unweave import registry
from unweave.training.contract import LAWS
from unweave.training.method_builder import MethodBuilder, builder

SMALL = {
    "encdiff": {**QUICK, "patch": 2},
    "diti": {"dim": 16, "widths": (2, 2, 6, 4, 2)},
    "pdae": {"dim": 16},
    "diffae": {"dim": 16, "encoder_channels": (16, 16), "channels": (16, 16), "attention": (False, True), "groups": 4},
    "wmse": {"outputs": 2, "sub_batch": 4},
    "dotvae": {"pretraining": 0},  # a latent is open at once
    "csdismo": {"width": 8},
    "lord": {"width": 8},
    "disdiff": {"units": 4, "dim": 3, "encoder_width": 16, "encoder_halvings": 3, "identity_width": 8},
}
"""Settings that make a method quick; a new method may add a line, and works without one."""
OF_MACHINES = ("two processes agree", "runs on the accelerator")
"""Laws that are slow, or need what is not here."""


@pytest.fixture(params=registry.names("methods"))
def build(request: pytest.FixtureRequest) -> MethodBuilder:
    return builder(request.param, SMALL.get(request.param))


@pytest.mark.parametrize("law", [law for law in LAWS if law not in OF_MACHINES])
def test_it_keeps_the_law(build: MethodBuilder, law: str) -> None:
    assert LAWS[law](build) in ("", "no decoder", "no players")


@pytest.mark.long
@pytest.mark.parametrize("name", ["encdiff", "factorvae", "moco"])
def test_two_processes_agree(name: str) -> None:
    assert LAWS["two processes agree"](builder(name, SMALL.get(name))) == ""
