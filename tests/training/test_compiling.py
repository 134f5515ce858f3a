from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import unweave
from unweave.runs.run import Run
from unweave.training.compiling import compile_networks


def refuse(function: Callable[..., object]) -> Callable[..., object]:
    raise RuntimeError("no compiler here\nand a page about it")


def test_networks_are_compiled_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    method = nn.ModuleDict({"encoder": nn.Linear(2, 2), "decoder": nn.Linear(2, 2)})
    assert compile_networks(method, torch.device("cpu")) is None
    assert compiled == [method["encoder"], method["decoder"]]


def test_what_cannot_be_compiled_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", refuse)
    method = nn.Sequential(nn.Linear(2, 2))
    assert compile_networks(method, torch.device("cpu")) == "no compiler here"
    assert method(torch.ones(1, 2)).shape == (1, 2)


def test_training_goes_on_without(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch, "compile", refuse)
    with caplog.at_level("WARNING", logger="unweave"):
        run = unweave.train(
            "encdiff",
            data={"name": "sprites", "size": 16},
            method=quick_run.tables["method"],
            training={"images": 32, "batch": 32, "precision": "float32", "warmup": 0, "compile": True},
            run=tmp_path / "run",
        )
    assert run.state()["seen"] == 32
    [said] = [record.getMessage() for record in caplog.records]
    assert said == "training.compile is left out: torch.compile does not work here (no compiler here)"
