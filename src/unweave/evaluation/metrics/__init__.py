"""Metrics of tables of codes and factors. A module of this package is imported when it is first used.

So what the protocols are can be listed without loading what they compute with.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what protocols.py uses in this way
    from unweave.evaluation.metrics import average_precision as average_precision
    from unweave.evaluation.metrics import betavae_score as betavae_score
    from unweave.evaluation.metrics import dci as dci
    from unweave.evaluation.metrics import dci_es as dci_es
    from unweave.evaluation.metrics import dci_mig as dci_mig
    from unweave.evaluation.metrics import explicitness as explicitness
    from unweave.evaluation.metrics import factorvae_score as factorvae_score
    from unweave.evaluation.metrics import infomec as infomec
    from unweave.evaluation.metrics import information as information
    from unweave.evaluation.metrics import irs as irs
    from unweave.evaluation.metrics import mcc as mcc
    from unweave.evaluation.metrics import med as med
    from unweave.evaluation.metrics import mig as mig
    from unweave.evaluation.metrics import modularity as modularity
    from unweave.evaluation.metrics import neuron_knockout as neuron_knockout
    from unweave.evaluation.metrics import sap as sap
    from unweave.evaluation.metrics import snc as snc
    from unweave.evaluation.metrics import tad as tad
    from unweave.evaluation.metrics import unsupervised as unsupervised


def __getattr__(name: str) -> Any:
    full_name = f"{__name__}.{name}"
    try:
        return import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:  # a module that is there lacks a package
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
