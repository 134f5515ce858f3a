"""Folders to share: what they must hold, how they come from the Hub and go there. Nothing in them is ever unpickled.

A shared folder is a run without its optimiser, with a model card, with the parts that are diffusers' own in diffusers'
layout, and with the sha256 of every file that makes the model what it is (digests.json; see `is_part_of_model`).
"""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from safetensors.torch import save_file
from torch import Tensor, nn

from unweave.files import read_json
from unweave.foreign import errors_as
from unweave.method import Method
from unweave.models import diffusers_folder
from unweave.models.foundation import local_folders
from unweave.models.foundation_settings import FoundationSettings
from unweave.runs import builtin, checkpoint
from unweave.runs.factors import are_current, read_factors, write_factors
from unweave.runs.run import Run
from unweave.runs.settings import to_toml

DIGESTS = "digests.json"
COPIED = ("log.jsonl", "units.safetensors", "names.json")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5")
"""Files that may run code when they are opened, or that are no part of a shared run."""


def write_parts(method: nn.Module, folder: Path) -> list[str]:
    """Save every direct sub-module that is diffusers' own into a sub-folder of its name; returns the names."""
    if "diffusers" not in sys.modules:  # which takes seconds to import: no part is of its classes
        return []
    from diffusers import ModelMixin

    names = []
    for name, part in method.named_children():
        if isinstance(part, ModelMixin):
            part.save_pretrained(folder / name)
            names.append(name)
    return names


def copy_exported(run: Path, folder: Path) -> None:
    """Copy what a foundation's run exported in diffusers' layout."""
    patterns = ("*/config.json", "*/*.safetensors", "*/scheduler_config.json", "model_index.json")
    for file in [file for pattern in patterns for file in run.glob(pattern)]:
        target = folder / file.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def share(run: Run, folder: Path, half: bool) -> Path:
    """Write a run into a new folder, whole or not at all (see `Run.save_pretrained`)."""
    trained, checkpoint_dir = run.trained("averaged", "cpu"), run.checkpoint()
    if half and not isinstance(trained, Method):
        raise ValueError(f"{run.path} holds a foundation, which is shared whole: leave --half out.")
    with new_folder(folder) as temporary:
        changes = half and (checkpoint_dir / "average.safetensors").is_file()  # not the weights scored
        _write_checkpoint(checkpoint_dir, halved(trained) if half else None, temporary)
        diffusers_folder.copy_networks(local_folders(run.network_sources()), temporary / "foundation")
        if (encoder := run.network_sources().encoder) is not None:
            share(Run(encoder.origin), temporary / "foundation" / "encoder", half=False)
        if not isinstance(trained, Method):
            copy_exported(run.path, temporary)
        elif not half:
            write_parts(trained, temporary)
        for name in COPIED:
            if (run.path / name).is_file():
                shutil.copy2(run.path / name, temporary)
        if (picture := run.preview()) is not None:
            shutil.copy2(picture, temporary / "preview.png")
        for name, text in _texts(run, changes).items():
            (temporary / name).write_text(text, "utf-8")
        _copy_factors(run, Run(temporary))
        bound = [file for file in visible_files(temporary) if is_part_of_model(file.relative_to(temporary))]
        digests = {str(file.relative_to(temporary)): checkpoint.digest(file) for file in bound}
        (temporary / DIGESTS).write_text(json.dumps(digests, indent=2), "utf-8")
    return folder


def _write_checkpoint(checkpoint_dir: Path, half: Mapping[str, Tensor] | None, folder: Path) -> None:
    """Copy a checkpoint without its optimiser; or write these weights in place of its own."""
    copy = folder / "checkpoints" / checkpoint_dir.name
    copy.mkdir(parents=True)
    record = checkpoint.verified(checkpoint_dir)
    if half is not None:
        save_file(dict(half), copy / "weights.safetensors")
        digests = {"weights.safetensors": checkpoint.digest(copy / "weights.safetensors")}
    else:
        for name in ("weights.safetensors", "average.safetensors"):
            if name in record["sha256"]:  # a run that was shared in half has no average of its own
                shutil.copy2(checkpoint_dir / name, copy)
        digests = {name: digest for name, digest in record["sha256"].items() if (copy / name).is_file()}
    checkpoint.write_record(copy, {**record, "sha256": digests})


def _copy_factors(run: Run, shared: Run) -> None:
    """factors.json, which stays that of the shared weights: in half or not, they are the averaged ones it is of."""
    found = read_factors(run)
    if found is not None:
        weights = shared.digest() if are_current(run, found) else found.weights
        write_factors(shared, replace(found, weights=weights))


def _texts(run: Run, changes: bool) -> dict[str, str]:
    """Card, settings, record and scores (if the weights are those scored), without what names this machine."""
    data = run.settings.data  # names of this machine stay here
    data = data.model_copy(update={key: shared_name(value) for key, value in data})
    training = run.settings.training.model_copy(update={"origin": None})  # the weights are there
    changed = {"data": data, "foundation": FoundationSettings(), "training": training}
    settings = run.settings.model_copy(update=changed)
    record = {key: value for key, value in run.record().items() if key != "command"}
    scores = None if changes else run.own_scores()
    return {
        "README.md": run.card(changes),
        "settings.toml": to_toml(settings),
        "run.json": json.dumps(record, indent=2),
        **({} if scores is None else {"scores.json": json.dumps(scores, indent=2)}),
    }


def shared_name(value: Any) -> Any:
    """A setting of data without the folders of this machine; names on the Hub, and other values, as they are."""
    if isinstance(value, Path):
        return Path(value.name)
    local = isinstance(value, str) and (Path(value).expanduser().is_absolute() or Path(value).exists())
    return Path(value).name if local else value


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A place to write a new folder in, which appears under its name when all is written, or not at all.

    Raises FileExistsError where the folder has content.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and is kept: choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def halved(method: nn.Module) -> dict[str, Tensor]:
    """The state with float16 for what has two axes or more; norms, biases and statistics keep their precision."""
    return {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in method.state_dict().items()
    }


def visible_files(folder: Path) -> list[Path]:
    """Every file below a folder that is not hidden."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def is_part_of_model(name: Path) -> bool:
    """Whether a file makes the model what it is. Cards, scores, reports and names of units may change, pictures too."""
    if name.suffix == ".json" and len(name.parts) == 1:
        return name.name in (
            "run.json",
            "model_index.json",
            "config.json",
        )  # other JSON is what verbs found, and names of units
    return name.suffix in (".safetensors", ".toml", ".json")


def check_shared(folder: Path) -> Path:
    """The folder, if it is one of ours and as it was written.

    Raises LookupError where it is not a shared run, and ValueError where it holds pickles, where a file is missing, has
    another digest, or was not among those that were shared; each says what is in the folder.
    """
    files = visible_files(folder)
    inside = f" In {folder}: {_listed(folder, files)}."
    pickles = [path.name for path in files if path.suffix.lower() in PICKLES]
    if pickles:
        raise ValueError(f"{pickles[0]} may hold a pickle, which can run code, so this folder is not opened.{inside}")
    if not (folder / DIGESTS).is_file():
        raise LookupError(f"{folder} was not made by save_pretrained: it has no {DIGESTS}.{inside}")
    damaged = ValueError(f"{folder / DIGESTS} is damaged; fetch the folder again.{inside}")
    with errors_as(ValueError, lambda _: damaged):
        digests: Mapping[str, str] = read_json(folder / DIGESTS)
    for name, expected in digests.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{name} is no file of a shared run; fetch the folder again.{inside}")
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing; fetch the folder again.{inside}")
        if checkpoint.digest(folder / name) != expected:
            raise ValueError(f"{name} is not the file that was shared (its digest differs); fetch it again.{inside}")
    names = [path.relative_to(folder) for path in files]
    strangers = [
        str(name) for name in names if is_part_of_model(name) and str(name) not in digests and name.parts[0] != "codes"
    ]
    if strangers or "settings.toml" not in digests:
        what = strangers[0] if strangers else "settings.toml"
        raise ValueError(f"{what} was not among the files that were shared; fetch the folder again.{inside}")
    return folder


def fetch(source: str, **options: Any) -> Path:
    """A folder on this machine for `source`: a folder, builtin:NAME, or owner/name[@revision] on the Hub (downloaded).

    Files that may be pickles are not even downloaded. Options are those of `huggingface_hub.snapshot_download`:
    revision, cache_dir, local_files_only, token.
    """
    folder = builtin.run_dir(source)
    if folder.is_dir():
        return folder
    name, _, revision = source.partition("@")
    if name.count("/") != 1:
        raise LookupError(f"{source!r} is no folder here, and no owner/name on the Hub.")
    if revision:
        options["revision"] = revision
    failed = f"{source!r} cannot be had from the Hub"
    with errors_as((OSError, ValueError), lambda error: LookupError(f"{failed}: {str(error).splitlines()[0]}")):
        return Path(snapshot_download(name, ignore_patterns=[f"*{suffix}" for suffix in PICKLES], **options))


def push(folder: Path, repository: str, private: bool, client: Any = None) -> str:
    """Upload a shared folder in place of what the repository holds; returns the address of the commit."""
    client = client or HfApi()
    client.create_repo(repository, private=private, exist_ok=True)
    commit = client.upload_folder(
        repo_id=repository, folder_path=folder, delete_patterns="*", commit_message="Share a run of unweave"
    )
    return str(commit)


def _listed(folder: Path, files: Iterable[Path]) -> str:
    names = [str(path.relative_to(folder)) for path in files]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "nothing"
