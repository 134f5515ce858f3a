"""Folders to share: what they must hold, how they come from the Hub and go there. Nothing in them is ever unpickled.

A shared folder is a run without its optimiser, with a model card, with the parts that are diffusers' own in diffusers'
layout, and with the sha256 of every file (digests.json).
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diffusers import ModelMixin
from huggingface_hub import snapshot_download
from torch import nn

from unweave.training import checkpoint

DIGESTS = "digests.json"
COPIED = ("settings.toml", "run.json", "log.jsonl", "scores.json", "units.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5")
"""Files that may run code when they are opened, or that we have no business with."""


def write_parts(method: nn.Module, folder: Path) -> list[str]:
    """Save every direct sub-module that is diffusers' own into a sub-folder of its name; returns the names."""
    names = []
    for name, part in method.named_children():
        if isinstance(part, ModelMixin):
            part.save_pretrained(folder / name)
            names.append(name)
    return names


def pack(run: Path, at: Path, method: nn.Module, card: str, picture: Path | None, folder: Path) -> Path:
    """Write the run with its checkpoint `at` into a new folder, whole or not at all.

    Raises FileExistsError where the folder has content.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and is kept: choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        kept = temporary / "checkpoints" / at.name
        kept.mkdir(parents=True)
        for name in ("weights.safetensors", "average.safetensors"):
            shutil.copy2(at / name, kept)
        record = checkpoint.verified(at)
        shared = {name: digest for name, digest in record["sha256"].items() if (kept / name).is_file()}
        checkpoint.write_record(kept, {**record, "sha256": shared})
        for name in COPIED:
            if (run / name).is_file():
                shutil.copy2(run / name, temporary)
        if picture is not None:
            shutil.copy2(picture, temporary / "preview.png")
        write_parts(method, temporary)
        (temporary / "README.md").write_text(card)
        digests = {str(file.relative_to(temporary)): checkpoint.digest(file) for file in files(temporary)}
        (temporary / DIGESTS).write_text(json.dumps(digests, indent=2))
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def files(folder: Path) -> list[Path]:
    """Every file below a folder that is not hidden."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def checked(folder: Path) -> Path:
    """The folder, if it is one of ours and as it was written.

    Raises LookupError where it is not a shared run, and ValueError where it holds pickles or where a file is missing or
    has another digest; each says what is in the folder.
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
    except ValueError:
        raise ValueError(f"{folder / DIGESTS} is damaged; fetch the folder again.{inside}") from None
    for name, expected in digests.items():
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing; fetch the folder again.{inside}")
        if checkpoint.digest(folder / name) != expected:
            raise ValueError(f"{name} is not the file that was shared (its digest differs); fetch it again.{inside}")
    return folder


def fetch(source: str, **options: Any) -> Path:
    """A folder on this machine for `source`: a folder, or owner/name[@revision] on the Hub (downloaded and cached).

    Options are those of `huggingface_hub.snapshot_download`: revision, cache_dir, local_files_only, token.
    """
    if Path(source).is_dir():
        return Path(source)
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
    """Upload a folder that `pack` made; returns the address of the commit."""
    client.create_repo(repository, private=private, exist_ok=True)
    commit = client.upload_folder(repo_id=repository, folder_path=folder, commit_message="Share a run of unweave")
    return str(commit)


def _listed(folder: Path, found: Iterable[Path]) -> str:
    names = [str(path.relative_to(folder)) for path in found]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "nothing"
