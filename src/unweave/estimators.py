"""Methods as scikit-learn transformers: `EncDiffEstimator().fit(images).transform(images)`.

Images are uint8 arrays [N, H, W, C] or [N, H, W], a list of image files, a folder, an .npz, or the name of a data set.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from unweave import progress
from unweave.data.open import dataset_table, open_data
from unweave.data.reading.image_files import read_image
from unweave.data.reading.picture_files import picture_size
from unweave.editing.inputs import SAMPLING
from unweave.evaluation import evaluate
from unweave.method import Generative, evaluating
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run
from unweave.tensors import to_pixels
from unweave.training import train
from unweave.types import Pixels, UnitTable

logger = logging.getLogger(__name__)

Pictures = np.ndarray | str | Path | Sequence[str | Path]


class Estimator(TransformerMixin, BaseEstimator):
    """A transformer from images to units; the method is named by the class.

    Images are uint8 arrays [N, H, W, C] or [N, H, W], a list of image files, a folder, an .npz, or the name of a data
    set.

    Parameters
    ----------
    preset
        Named settings of the method.
    images
        The budget in images seen; the preset's if None.
    size
        The side in pixels at which images are seen; the preset's if None.
    seed
        Of the weights, the order of images and the noise.
    settings
        Tables such as {"method": {"units": 6}}, laid over the preset.
    run
        The directory that keeps everything; a temporary one that goes with this object if None.
    verbose
        Whether progress is shown.

    Attributes
    ----------
    run_
        The trained `unweave.Run`.
    n_features_out_
        Numbers of a code: units times their dimension.
    """

    method: ClassVar[str]

    def __init__(
        self,
        *,
        preset: str = "laptop",
        images: int | None = None,
        size: int | None = None,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        run: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.images = images
        self.size = size
        self.seed = seed
        self.settings = settings
        self.run = run
        self.verbose = verbose

    def fit(self, X: Pictures, y: object = None) -> "Estimator":
        """Train without labels.

        Parameters
        ----------
        X
            Images.
        y
            Not looked at.

        Raises
        ------
        FileExistsError
            For a second fit into one `run`; beside it, what `unweave.train` raises.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="unweave-")
        run_dir = Path(self._folder.name) / "run" if self.run is None else Path(self.run).resolve()  # pickles go places
        if (run_dir / "settings.toml").exists():
            raise FileExistsError(
                f"{run_dir} keeps an earlier fit: fit with another run=DIRECTORY, or remove it and {run_dir}-images."
            )
        table = data_table(X, Path(self._folder.name) if self.run is None else Path(f"{run_dir}-images"))
        if self.size is not None:
            table["size"] = self.size
        training: dict[str, Any] = {"seed": self.seed}
        if self.images is not None:
            training["images"] = self.images
        base = {"preset": self.preset, "data": table, "training": training}
        try:
            with progress.use(progress.shown() if self.verbose else progress.Progress()):
                self.run_: Run = train.train(self.method, base, self.settings or {}, run=run_dir)
        except Exception:
            if table["name"] == "npz" and not (run_dir / "settings.toml").exists():
                Path(table["path"]).unlink(missing_ok=True)  # no run keeps it, and the next fit wants its name
            raise
        method = self.run_.method("averaged")
        self.n_features_in_ = int(np.prod(self.run_.shape()))
        self.n_features_out_ = int(np.prod(encode_rows(method, self.run_.dataset(), np.arange(1)).shape[1:]))
        return self

    def transform(self, X: Pictures) -> UnitTable:
        """Units of images, by the averaged weights in eval mode.

        Parameters
        ----------
        X
            Images of the shape that was fitted.

        Returns
        -------
        array
            float64 [N, n_features_out_]; vector units side by side.
        """
        check_is_fitted(self, "run_")
        with tempfile.TemporaryDirectory() as temporary:
            expected, table = self.run_.shape(), data_table(X, Path(temporary))
            if expected[1] == expected[2]:
                table["size"] = expected[1]
            dataset = open_data(table)
            if dataset.shape != expected:
                raise ValueError(
                    f"fitted on images of shape {expected} (channels, height, width), got {dataset.shape}."
                )
            codes = encode_rows(self.run_.method("averaged"), dataset, np.arange(len(dataset)))
        return codes.reshape(len(codes), -1).astype(np.float64)

    def inverse_transform(self, Z: UnitTable) -> Pixels:
        """Images drawn from units, from one seeded start.

        Parameters
        ----------
        Z
            Units [N, n_features_out_].

        Returns
        -------
        array
            uint8 [N, H, W, C].

        Raises
        ------
        TypeError
            Where the method has no decoder.
        """
        check_is_fitted(self, "run_")
        method = self.run_.method("averaged")
        if not isinstance(method, Generative):
            raise TypeError(f"{self.method} has no decoder.")
        units = torch.as_tensor(np.asarray(Z), dtype=torch.float32)
        example = encode_rows(method, self.run_.dataset(), np.arange(1))
        if units.ndim != 2 or units.shape[1] != example[0].size:
            raise ValueError(f"units must be [N, {example[0].size}], got {list(units.shape)}.")
        device = next(method.parameters()).device
        with evaluating(method):
            start = method.start(len(units), torch.Generator().manual_seed(self.seed))
            images = method.decode(units.reshape(-1, *example.shape[1:]).to(device), start, SAMPLING)
        return to_pixels(images)

    def score(self, X: object, y: object = None) -> float:
        """DCI disentanglement (`dci@1`), by the raw weights; in [0, 1], higher is better.

        Parameters
        ----------
        X
            The name or the path of a data set with known factors.
        y
            Not looked at.
        """
        check_is_fitted(self, "run_")
        if not isinstance(X, str):
            raise TypeError("score needs the name or the path of a data set with known factors: an array has none.")
        scores = evaluate.evaluate(self.run_, data=str(X), protocols=["dci@1"], repeats=1)
        return float(scores["protocols"]["dci@1"]["disentanglement"]["value"])

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        check_is_fitted(self, "run_")
        return np.array([f"{self.method}{i}" for i in range(self.n_features_out_)], dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_folder", None)
        if hasattr(self, "run_") and self.run is None:
            raise TypeError("this run is in a temporary directory, which cannot be pickled: fit with run=DIRECTORY.")
        return state


class EncDiffEstimator(Estimator):
    """EncDiff (methods/encdiff.py)."""

    method = "encdiff"


class BetaVAEEstimator(Estimator):
    """beta-VAE (methods/betavae.py)."""

    method = "betavae"


class FactorVAEEstimator(Estimator):
    """FactorVAE (methods/factorvae.py)."""

    method = "factorvae"


def common_side(files: Sequence[Path]) -> int:
    """The side of the squares that files become, whatever their order: the median of their shorter sides.

    A warning says where they differ. Raises ValueError that names a file that cannot be read.
    """
    sides = []
    for file in files:
        try:
            sides.append(min(picture_size(file)))
        except ValueError:
            sides.append(min(read_image(file).shape[1:3]))  # which says what is wrong with it
    side = median_low(sides)
    if min(sides) < max(sides):
        logger.warning(
            "the images are of several sizes, from %d to %d pixels: the middle of each is resized to %d x %d, the "
            "median; size=... chooses another.", min(sides), max(sides), side, side,
        )  # fmt: skip
    return side


def data_table(images: Pictures, folder: Path) -> dict[str, Any]:
    """The [data] settings for images; arrays and lists of files are kept as images.npz in `folder`.

    Raises ValueError for arrays that are no images, LookupError for a name that is none, FileExistsError where `folder`
    already keeps other images.
    """
    if isinstance(images, str | Path):
        return dict(dataset_table(str(images)))
    if not isinstance(images, np.ndarray):
        named = [Path(name) for name in images]
        if not named:
            raise ValueError("there are no images: the list is empty.")
        side = common_side(named)
        images = np.concatenate([read_image(name, (side, side), 3) for name in named])
    if images.dtype != np.uint8:
        raise ValueError(
            f"images in an array must be uint8, got {images.dtype}; of other numbers, give files, or a path to an .npz."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "images.npz"
    if path.exists():
        raise FileExistsError(f"{path} is there already and is kept: choose another run.")
    np.savez(path, images=images)
    return {"name": "npz", "path": str(path)}
