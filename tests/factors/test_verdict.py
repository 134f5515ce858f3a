from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float

from unweave.factors.verdict import (
    MIN_ROWS,
    Limits,
    RebuiltRows,
    SwapEvidence,
    SwappedRows,
    headline,
    impossible,
    judge,
    weigh_swaps,
)
from unweave.types import Pixels

ROWS, BANK, SWAPPED = 2_000, 1_000, 300
TURNED = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)  # by 45 degrees


def draw(shades: Float[np.ndarray, "rows shade"]) -> Pixels:
    """Pictures whose columns have these shades; what is outside [0, 1] cannot be drawn."""
    columns = np.repeat(np.round(shades.clip(0, 1) * 255).astype(np.uint8), 2, axis=1)  # (row, width)
    return np.repeat(columns[:, None, :, None], 6, axis=1)


def evidence_of(
    shades: Float[np.ndarray, "rows shade"], turn: Float[np.ndarray, "number shade"], numbers: list[list[int]]
) -> list[SwapEvidence]:
    """Of codes that are the shades times the transpose of `turn`, beside a number that is not drawn at all."""
    rng = np.random.default_rng(1)

    def encode(pictures: Pixels) -> Float[np.ndarray, "rows number"]:
        return np.column_stack([pictures[:, 0, ::2, 0] / 255 @ turn.T, rng.normal(size=len(pictures))])

    def decode(codes: Float[np.ndarray, "rows number"]) -> Pixels:
        return draw(codes[:, :-1] @ np.linalg.inv(turn).T)

    codes = encode(draw(shades))
    own = codes[BANK : BANK + SWAPPED]
    rebuilt = RebuiltRows(decode(codes[:BANK]), decode(own), own, encode(decode(own)))
    swaps = []
    for columns in numbers:
        given = own.copy()
        given[:, columns] = codes[-SWAPPED:][:, columns]
        swaps.append(SwappedRows(columns, len(columns) == 1, decode(given), given, encode(decode(given))))
    return weigh_swaps(rebuilt, swaps, codes)


def shades(seed: int = 0, count: int = 3) -> Float[np.ndarray, "rows shade"]:
    return np.random.default_rng(seed).uniform(size=(ROWS, count))


def test_true_factors_are_clear_and_what_is_not_drawn_is_left_over() -> None:
    evidence = evidence_of(shades(), np.eye(3), [[0], [1], [2], [3]])
    assert judge(evidence) == ["one thing"] * 3 + ["leftover"]
    assert max(one.own_error for one in evidence[:3]) < 0.02
    assert evidence[3].own_error == pytest.approx(0, abs=0.5)  # it is noise before the swap as well
    assert evidence[3].effect == 0


def test_turned_factors_are_mixed_and_the_third_stays() -> None:
    turn = np.eye(3)
    turn[:2, :2] = TURNED
    evidence = evidence_of(shades(), turn, [[0], [1], [2], [3]])
    assert judge(evidence) == ["several things mixed"] * 2 + ["one thing", "leftover"]
    assert evidence[0].impossible[1] > 10 * max(evidence[2].impossible)


def test_turned_factors_with_few_states_are_mixed() -> None:
    turn = np.eye(3)
    turn[:2, :2] = TURNED
    evidence = evidence_of(np.floor(shades() * 4) / 3, turn, [[0], [1], [2]])
    assert judge(evidence)[:2] == ["several things mixed"] * 2
    assert evidence[0].leave > 0.6


def test_two_factors_together_have_no_coordinate() -> None:
    evidence = evidence_of(shades(), np.eye(3), [[0, 1], [2]])
    assert judge(evidence) == ["several things mixed", "one thing"]
    assert not evidence[0].on_curve


def test_swaps_of_independent_codes_lead_nowhere_impossible() -> None:
    codes = shades(2, 4)
    assert impossible(codes, [[0], [1], [2, 3]]).max() < 0.005
    copies = np.column_stack([codes[:, 0], codes[:, 0] ** 2, codes[:, 1]])
    found = impossible(copies, [[0], [1], [2]])
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 1] > 0.05
    assert max(found[2]) < 0.005


def test_with_a_thousand_rows_chance_makes_no_independent_factors_look_turned() -> None:
    most = {
        rows: max(impossible(shades(seed, 6)[:rows], [[unit] for unit in range(6)]).max() for seed in range(5))
        for rows in (60, MIN_ROWS)
    }
    assert most[60] > Limits().impossible > 2 * most[MIN_ROWS]


def test_what_is_mixed_for_other_reasons_says_nothing_of_what_depends_on_it() -> None:
    clear = SwapEvidence(effect=0.1, leave=0.5, own_error=0.0, other_error=0.0, impossible=(0.0, 0.3), on_curve=True)
    unread = replace(clear, own_error=0.5, impossible=(0.3, 0.0))
    assert judge([clear, unread]) == ["one thing", "several things mixed"]
    assert judge([clear, replace(unread, own_error=0.0)]) == ["several things mixed"] * 2
    assert judge([clear, replace(unread, own_error=0.0, effect=0.001)]) == ["one thing", "leftover"]


def test_a_factor_without_any_variation_is_left_over() -> None:
    still = shades()
    still[:, 1] = 0.5
    assert judge(evidence_of(still, np.eye(3), [[0], [1], [2]])) == ["one thing", "leftover", "one thing"]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ("111mmx", "3 clear factors, 2 mixed, 1 left over; trust the first 3."),
        ("1.1", "2 clear factors; trust f1, f3."),
        ("1m1", "2 clear factors, 1 mixed; trust f1, f3."),
        ("m1", "1 clear factor, 1 mixed; trust f2."),
        ("mx", "No clear factors, 1 mixed, 1 left over; trust none of them."),
    ],
)
def test_one_sentence_says_what_to_trust(verdicts: str, words: str) -> None:
    kinds = {"1": "one thing", "m": "several things mixed", "x": "leftover"}
    told = {f"f{place}": kinds[letter] for place, letter in enumerate(verdicts, 1) if letter in kinds}
    assert headline(told) == words  # type: ignore[arg-type]
