"""How far from independent units are, without labels."""

import numpy as np

from unweave.evaluation.metrics.checks import as_codes
from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.types import TableLike


def unsupervised(units: TableLike, *, bins: int = 20) -> dict[str, float]:
    """Four measures of dependence between units, each 0 for independent ones: lower is more independent.

    With S the covariance (ddof 1) and D its diagonal, as if the codes were Gaussian:
    `gaussian_total_correlation`, in nats, is (log det D - log det S) / 2, the Kullback-Leibler divergence from the
    product of the marginals; infinite where a unit is a linear function of the others, which rounding cannot tell from
    nearly so (fewer rows than units among them). `gaussian_wasserstein_correlation` is 2 tr S - 2 tr (D^1/2 S
    D^1/2)^1/2, the squared 2-Wasserstein distance to that product, in squared units of the codes;
    `gaussian_wasserstein_correlation_normalised` divides it by tr S, and is below 2. `mutual_information`, in nats, is
    the mean over pairs of different units in `bins` bins of equal width, at most log(bins).

    The measures of disentanglement_lib's unsupervised_metrics, after arXiv:1811.12359. Constant units are left out
    (the reference gives NaN); with fewer than two others all four are 0.
    Known defects: independent is not disentangled, as collapsed or random units are independent too; the first three
    see linear dependence only; the last is biased upwards by about (bins - 1)^2 / (2 rows).
    """
    units = as_codes(units)
    z = units[:, np.ptp(units, axis=0) > 0].astype(np.float64)
    count = z.shape[1]
    if count < 2:
        return dict.fromkeys(_NAMES, 0.0)
    covariance = np.cov(z.T)
    deviation = np.sqrt(np.diag(covariance))
    spectrum = np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))  # of the correlations
    singular = spectrum[0] <= spectrum[-1] * count * np.finfo(float).eps
    total = np.inf if singular else max(-0.5 * np.log(spectrum).sum(), 0)
    trace = np.trace(covariance)
    shared = np.linalg.eigvalsh(np.outer(deviation, deviation) * covariance).clip(min=0)
    wasserstein = max(2 * trace - 2 * np.sqrt(shared).sum(), 0)
    binned = discretise(units[:, np.ptp(units, axis=0) > 0], bins=bins)
    information = mutual_information(binned, binned)
    mean = (information.sum() - np.trace(information)) / (count * (count - 1))
    return dict(zip(_NAMES, map(float, (total, wasserstein, wasserstein / trace, mean))))


_NAMES = (
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "gaussian_wasserstein_correlation_normalised",
    "mutual_information",
)
