"""`unweave evaluate --codes T.npy --factors grid.npy` gives what the reference implementations of the metrics give."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
NAMES = (
    ("mig", "discrete_mig", "mig@1", "mig", 1e-6),
    ("sap", "SAP_score", "sap@1", "sap", 1e-6),
    ("modularity", "modularity_score", "modularity@1", "modularity", 1e-6),
    ("modularity", "explicitness_score_train", "explicitness@1", "explicitness_train", 2e-3),
    ("modularity", "explicitness_score_test", "explicitness@1", "explicitness", 2e-3),
    ("irs", "IRS", "irs@1", "irs", 1e-6),
    ("med", "disentanglement", "med@1", "disentanglement", 1e-6),
    ("med", "completeness", "med@1", "completeness", 1e-6),
    ("med", "top1_disentanglement", "med@1", "top1_disentanglement", 1e-6),
    ("med", "top1_completeness", "med@1", "top1_completeness", 1e-6),
    ("med", "informativeness_train", "med@1", "informativeness_train", 2e-3),
    ("med", "informativeness_test", "med@1", "informativeness", 2e-3),
    ("unsup", "gaussian_total_correlation", "unsupervised@1", "gaussian_total_correlation", 1e-6),
    ("unsup", "gaussian_wasserstein_correlation", "unsupervised@1", "gaussian_wasserstein_correlation", 1e-6),
    (
        "unsup",
        "gaussian_wasserstein_correlation_norm",
        "unsupervised@1",
        "gaussian_wasserstein_correlation_normalised",
        1e-6,
    ),
    ("unsup", "mutual_info_score", "unsupervised@1", "mutual_information", 1e-6),
    ("factor_vae", "train_accuracy", "factorvae@1", "train_accuracy", 2e-3),
    ("factor_vae", "eval_accuracy", "factorvae@1", "eval_accuracy", 2e-3),
    ("beta_vae", "train_accuracy", "betavae@1", "train_accuracy", 2e-3),
    ("beta_vae", "eval_accuracy", "betavae@1", "eval_accuracy", 2e-3),
    ("dci", "disentanglement", "dci@1", "disentanglement", 3e-3),
    ("dci", "completeness", "dci@1", "completeness", 3e-3),
    ("dci", "informativeness_train", "dci@1", "informativeness_train", 5e-3),
    ("dci", "informativeness_test", "dci@1", "informativeness", 5e-3),
)


@pytest.mark.slow
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden tables are not here")
@pytest.mark.parametrize(
    "kind",
    [
        "aligned-0",
        *(pytest.param(kind, marks=pytest.mark.long) for kind in ("rotated-1", "duplicated-2", "random-3", "mixed-4")),
    ],
)
def test_the_command_gives_the_references_values_with_no_further_arguments(kind, tmp_path):
    np.save(tmp_path / "grid.npy", np.stack(np.unravel_index(np.arange(46080), (3, 6, 10, 16, 16)), axis=1))
    codes = GOLDEN / f"dsprites46k-{kind}.npy"
    words = ["evaluate", "--codes", str(codes), "--factors", str(tmp_path / "grid.npy"), "--json"]
    words += [] if kind == "mixed-4" else ["--repeats", "1"]  # which saves time; `value` is the same
    printed = subprocess.run(
        [sys.executable, "-m", "unweave", *words], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    measured = json.loads(printed)["protocols"]
    expected = json.loads((GOLDEN / f"dsprites46k-{kind}.json").read_text())
    wrong = {}
    for theirs, key, ours, score, tolerance in NAMES:
        value = measured[ours][score]["value"]
        if abs(value - expected[theirs][key]) > tolerance:
            wrong[f"{ours} {score}"] = (value, expected[theirs][key])
    assert not wrong
