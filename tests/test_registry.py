from types import ModuleType

import pytest

from unweave import registry


def test_a_family_is_a_folder() -> None:
    assert "encdiff" in registry.names("methods")
    assert {"folder", "npz", "rooms", "shapes3d", "sprites"} <= set(registry.names("data"))
    assert not {"disk", "open", "views"} & set(registry.names("data"))
    assert registry.module("methods", "encdiff").__name__ == "unweave.methods.encdiff"


def test_misspellings_get_a_suggestion() -> None:
    with pytest.raises(LookupError, match=r"there is no 'encdif' in methods\. Did you mean 'encdiff'"):
        registry.module("methods", "encdif")


def test_an_entry_point_of_a_third_party_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = ModuleType("outside")

    class Point:
        name = "mine"

        def load(self) -> ModuleType:
            return outside

    monkeypatch.setattr(registry, "points_outside", lambda family: [Point()] if family == "methods" else [])
    assert "mine" in registry.names("methods")
    assert registry.module("methods", "mine") is outside
    assert "mine" not in registry.names("data")


def test_what_a_file_says_first_is_read_without_importing_it() -> None:
    assert registry.summary("methods", "betavae") == "beta-VAE: a VAE whose KL term weighs beta."
    with pytest.raises(LookupError, match=r"there is no 'betavea' in methods\. Did you mean 'betavae'"):
        registry.summary("methods", "betavea")
