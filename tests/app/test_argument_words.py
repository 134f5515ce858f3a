from pathlib import Path

import pytest
import torch

from unweave.app.argument_words import argument, partner_word, place_argument, place_word, relative
from unweave.app.places import Taken
from unweave.cli.edit import parse_places, split_commas


def test_a_place_is_read_as_it_was_written() -> None:
    for name in ("b.png", "my cat, big.png", "-b.png", "a=like:b.png"):
        taken = Taken(0.5, name, torch.zeros(1, 3))
        assert parse_places(f"style={place_word(taken)},f1={place_word(0.123)}") == {
            "style": f"like:{argument(name)}", "f1": "0.12"
        }  # fmt: skip
        assert split_commas(f"{partner_word(name)},9") == [argument(name), "9"]
    assert place_argument(0.123) == 0.12
    assert place_argument(Taken(0.5, "b.png", torch.zeros(1, 3))) == "like:b.png"


def test_a_file_is_called_as_one_types_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative(tmp_path / "a" / "b.png") == "a/b.png"
    assert relative(Path("/elsewhere/b.png")) == "/elsewhere/b.png"
