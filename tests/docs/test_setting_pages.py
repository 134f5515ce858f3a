from typing import Annotated, Literal

import pytest
import setting_pages
from pydantic import Field

from unweave import registry
from unweave.config import NamedSettings
from unweave.method import find_method


class MadeUpSettings(NamedSettings):
    name: Literal["made_up"] = "made_up"
    units: int = Field(10, ge=1, description="how many | there are")
    size: Literal[64, 32] = 64  # pixels
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    weight: float | None = None


def test_a_table_says_default_limits_and_meaning() -> None:
    text = setting_pages.settings_table("method", MadeUpSettings)
    assert "| `method.units` | `10` | `int, >= 1` | how many \\| there are |" in text
    assert "| `method.size` | `64` | `64 or 32` | pixels |" in text
    assert "| `method.threads` | `'auto'` | `int or 'auto'` |" in text
    assert "| `method.weight` | none | `float` |" in text
    assert "method.name" not in text


@pytest.mark.parametrize("name", registry.trainable_names())
def test_every_setting_of_every_method_has_a_line(name: str) -> None:
    text = setting_pages.method_page(name)
    keys = [key for key in find_method(name).settings.model_fields if key != "name"]
    assert all(f"`method.{key}" in text for key in keys)
    assert all(f"**{preset}**" in text for preset in find_method(name).presets)
