"""Folders to share: what they must hold, how they come from the Hub and go there. Nothing in them is ever unpickled.

A shared folder is a run without its optimiser, with a model card, with the parts that are diffusers' own in diffusers'
layout, and with the sha256 of every file that makes the model what it is (digests.json; see `bears`).
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffusers import ModelMixin
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from torch import Tensor, nn

from unweave.runs import builtin, checkpoint

DIGESTS = "digests.json"
COPIED = ("log.jsonl", "units.safetensors", "names.json")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5")
"""Files that may run code when they are opened, or that are no part of a shared run."""


def write_parts(method: nn.Module, folder: Path) -> list[str]:
    """Save every direct sub-module that is diffusers' own into a sub-folder of its name; returns the names."""
    names = []
    for name, part in method.named_children():
        if isinstance(part, ModelMixin):
            part.save_pretrained(folder / name)
            names.append(name)
    return names


def copy_exported(run: Path, folder: Path) -> None:
    """Copy what a foundation's run exported in diffusers' layout."""
    for file in [*run.glob("*/config.json"), *run.glob("*/*.safetensors"), *run.glob("*/scheduler_config.json")]:
        target = folder / file.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    if (run / "model_index.json").is_file():
        shutil.copyfile(run / "model_index.json", folder / "model_index.json")


def pack(
    run: Path,
    at: Path,
    weights: Mapping[str, Tensor] | None,
    parts: Callable[[Path], None],
    texts: Mapping[str, str],
    picture: Path | None,
    folder: Path,
) -> Path:
    """Write the run with its checkpoint `at` into a new folder, whole or not at all; `texts` are files by name.

    With `weights` (see `halved`) they are written in place of the checkpoint's. `parts` writes what else belongs to
    the model. Raises FileExistsError where the folder has content.
    """
    with whole(folder) as temporary:
        kept = temporary / "checkpoints" / at.name
        kept.mkdir(parents=True)
        record = checkpoint.verified(at)
        parts(temporary)
        if weights is not None:
            save_file(dict(weights), kept / "weights.safetensors")
            shared = {"weights.safetensors": checkpoint.digest(kept / "weights.safetensors")}
        else:
            for name in ("weights.safetensors", "average.safetensors"):
                if name in record["sha256"]:  # a run that was shared in half has no average of its own
                    shutil.copy2(at / name, kept)
            shared = {name: digest for name, digest in record["sha256"].items() if (kept / name).is_file()}
        checkpoint.write_record(kept, {**record, "sha256": shared})
        for name in COPIED:
            if (run / name).is_file():
                shutil.copy2(run / name, temporary)
        if picture is not None:
            shutil.copy2(picture, temporary / "preview.png")
        for name, text in texts.items():
            (temporary / name).write_text(text)
        bound = [file for file in files(temporary) if bears(file.relative_to(temporary))]
        digests = {str(file.relative_to(temporary)): checkpoint.digest(file) for file in bound}
        (temporary / DIGESTS).write_text(json.dumps(digests, indent=2))
    return folder


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
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


def files(folder: Path) -> list[Path]:
    """Every file below a folder that is not hidden."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def bears(name: Path) -> bool:
    """Whether a file makes the model what it is. Cards, scores, reports and names of units may change, pictures too."""
    if name.suffix == ".json" and len(name.parts) == 1:
        return name.name in (
            "run.json",
            "model_index.json",
            "config.json",
        )  # other JSON is what verbs found, and names of units
    return name.suffix in (".safetensors", ".toml", ".json")


def checked(folder: Path) -> Path:
    """The folder, if it is one of ours and as it was written.

    Raises LookupError where it is not a shared run, and ValueError where it holds pickles, where a file is missing, has
    another digest, or was not among those that were shared; each says what is in the folder.
    """
    found = files(folder)
    inside = f" In {folder}: {_listed(folder, found)}."
    pickles = [path.name for path in found if path.suffix.lower() in PICKLES]
    if pickles:
        raise ValueError(f"{pickles[0]} may hold a pickle, which can run code, so this folder is not opened.{inside}")
    if not (folder / DIGESTS).is_file():
        raise LookupError(f"{folder} was not made by save_pretrained: it has no {DIGESTS}.{inside}")
    try:
        digests: Mapping[str, str] = dict(json.loads((folder / DIGESTS).read_text()))
    except (ValueError, TypeError):
        raise ValueError(f"{folder / DIGESTS} is damaged; fetch the folder again.{inside}") from None
    for name, expected in digests.items():
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing; fetch the folder again.{inside}")
        if checkpoint.digest(folder / name) != expected:
            raise ValueError(f"{name} is not the file that was shared (its digest differs); fetch it again.{inside}")
    names = [path.relative_to(folder) for path in found]
    strangers = [str(name) for name in names if bears(name) and str(name) not in digests and name.parts[0] != "codes"]
    if strangers or "settings.toml" not in digests:
        what = strangers[0] if strangers else "settings.toml"
        raise ValueError(f"{what} was not among the files that were shared; fetch the folder again.{inside}")
    return folder


def fetch(source: str, **options: Any) -> Path:
    """A folder on this machine for `source`: a folder, builtin:NAME, or owner/name[@revision] on the Hub (downloaded).

    Files that may be pickles are not even downloaded. Options are those of `huggingface_hub.snapshot_download`:
    revision, cache_dir, local_files_only, token.
    """
    folder = builtin.place(source)
    if folder.is_dir():
        return folder
    name, _, revision = source.partition("@")
    if name.count("/") != 1:
        raise LookupError(f"{source!r} is no folder here, and no owner/name on the Hub.")
    if revision:
        options["revision"] = revision
    try:
        return Path(snapshot_download(name, ignore_patterns=[f"*{suffix}" for suffix in PICKLES], **options))
    except (OSError, ValueError) as error:
        raise LookupError(f"{source!r} cannot be had from the Hub: {str(error).splitlines()[0]}") from error


def push(folder: Path, repository: str, client: Any, private: bool) -> str:
    """Upload a folder that `pack` made in place of what the repository holds; returns the address of the commit."""
    client.create_repo(repository, private=private, exist_ok=True)
    commit = client.upload_folder(
        repo_id=repository, folder_path=folder, delete_patterns="*", commit_message="Share a run of unweave"
    )
    return str(commit)


def _listed(folder: Path, found: Iterable[Path]) -> str:
    names = [str(path.relative_to(folder)) for path in found]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "nothing"
