from dataclasses import replace

import numpy as np
import torch

import unweave
from unweave.evaluation.run_editor import RunEditor
from unweave.method import Sampling
from unweave.runs.run import Run

SAMPLING = Sampling("ddim", 2)
ROWS, PARTNERS = np.array([3, 10_000]), np.array([20_000, 7])


def editor_of(run: Run, seed: int | None = 0) -> RunEditor:
    return RunEditor(run.method(), run.dataset(), SAMPLING, seed)


def test_its_edits_are_those_of_the_verbs(quick_run: Run) -> None:
    editor = editor_of(quick_run)
    edit = unweave.swap(quick_run, ROWS.tolist(), PARTNERS.tolist(), [2], seed=0, sampling=SAMPLING)
    torch.testing.assert_close(editor.swap(ROWS, PARTNERS, [2]), edit.images[:, 0])


def test_nothing_is_swapped_with_oneself(quick_run: Run) -> None:
    editor = editor_of(quick_run)
    rebuilt = editor.reconstruct(ROWS)
    torch.testing.assert_close(editor.swap(ROWS, ROWS, [0, 1, 2, 3]), rebuilt)
    assert (editor.swap(ROWS, PARTNERS, [0, 1, 2, 3]) - rebuilt).abs().max() > 0


def test_a_traversal_has_a_frame_for_every_step_and_image(quick_run: Run) -> None:
    editor = editor_of(quick_run)
    codes = unweave.encode(quick_run, ROWS.tolist())["codes"]
    line = torch.from_numpy(codes[:1, [1]]).repeat(3, 1, 1)  # three times the first image's own value
    frames = editor.traverse(ROWS, [[1]], [line])
    assert frames.shape == (1, 3, 2, 3, 16, 16)
    torch.testing.assert_close(frames[0, 0, 0], editor.reconstruct(ROWS)[0], atol=1e-4, rtol=1e-4)


def test_the_start_is_a_seeded_or_the_inverted_one(quick_run: Run) -> None:
    editor = editor_of(quick_run)
    assert editor.has_start()
    images = editor.images(ROWS)
    inverted, seeded = (
        (one.reconstruct(ROWS) - images).square().mean() for one in (replace(editor, seed=None), editor)
    )
    assert inverted < seeded
