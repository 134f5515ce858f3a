import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.runs.settings import Decay
from unweave.training.schedule import rate_factor

COUNTS = st.integers(0, 2_000)


@given(st.sampled_from(["constant", "cosine", "late"]), COUNTS, COUNTS, st.integers(1, 2_000))
def test_the_factor_is_a_share(shape: Decay, seen: int, warmup: int, images: int) -> None:
    assert 0 <= rate_factor(shape, seen, warmup, images) <= 1


def test_it_rises_linearly_then_stays_or_falls_to_zero() -> None:
    assert [rate_factor("constant", seen, 4, 100) for seen in (0, 1, 3, 4, 99)] == [0.25, 0.5, 1, 1, 1]
    assert rate_factor("cosine", 4, 4, 104) == 1
    assert [rate_factor("late", seen, 0, 100) for seen in (0, 74, 100)] == [1, 1, 0]
    assert rate_factor("late", 90, 0, 100) == pytest.approx(0.4)
    assert rate_factor("cosine", 54, 4, 104) == pytest.approx(0.5)
    assert rate_factor("cosine", 104, 4, 104) == pytest.approx(0)
