"""Tables with a row for every image are split over processes; a checkpoint holds them whole.

So a run may go on with another number of processes: each takes its rows of what is stored.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from unweave.config import SettingsError
from unweave.method import Trainable
from unweave.models.gathered import processes
from unweave.models.row_shards import own_rows, whole
from unweave.runs.settings import TrainingSettings


def shard_tables(method: Trainable, settings: TrainingSettings) -> None:
    """Keep this process's rows of the tables that the method names, before it is prepared for several processes.

    Raises SettingsError for training settings under which a row depends on others than by its own gradient.
    """
    if processes() == 1:
        return
    tables = {name: rows for name, rows in method.tables.items() if rows >= processes()}
    if tables and (settings.clip is not None or settings.optimiser not in ("adamw", "sgd")):
        raise SettingsError(
            f"the codes of images are split over {processes()} processes, each of which steps its own: that is the "
            "same as in one for training.optimiser=adamw and sgd, without training.clip."
        )
    for name, rows in tables.items():
        own = method.get_parameter(name).detach()[own_rows(rows)].clone()
        setattr(method, name, nn.Parameter(own))
    if tables:  # torch looks for a parameter of the outermost module under both names
        names = [name for table in tables for name in (table, f".{table}")]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(method, names)


def whole_tensors(method: Trainable, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the name of their parameter, or below it (player/table/exp_avg), with split tables put together.

    Every process must ask.
    """
    split = {name: _rows(method, name, tensor) for name, tensor in tensors.items()}
    return {name: whole(tensor, split[name]) if split[name] else tensor for name, tensor in tensors.items()}


def own_part(method: Trainable, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reverse: of split tables the rows of this process, which keep nothing of the others in memory."""
    split = {name: _rows(method, name, tensor) for name, tensor in tensors.items()}
    return {name: tensor[own_rows(split[name])].clone() if split[name] else tensor for name, tensor in tensors.items()}


def _rows(method: Trainable, name: str, tensor: Tensor) -> int:
    """Of the table that a tensor belongs to and that is split; 0 where there is none."""
    for table, rows in method.tables.items():
        if table in name.split("/") and tensor.ndim > 0 and len(method.get_parameter(table)) != rows:
            return rows
    return 0
