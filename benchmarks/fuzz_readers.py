"""What does a damaged file do to a reader? Files of every kind, mutated, each read to its last row, as JSON.

    python benchmarks/fuzz_readers.py --files 10000 --keep failing/ > benchmarks/results/fuzz_readers.json

Right is a data set whose cache is whole, or an error of ours (ValueError, SettingsError, LookupError, OSError). Wrong
is any other error, a crash, more than `--limit` seconds, or a cache that is not what was said. Readers that are C
libraries run in a child process in use; here one child reads many files, and a crash there is right where the cache,
asked afterwards in the usual way, makes it an error of ours. Mutations depend on (--seed, kind, number) alone.
"""

import argparse
import csv
import gzip
import importlib.util
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

VARIANTS = 4  # whole files of each kind, of which a mutation takes one
FREE_BYTES = 2 << 30  # bytes that the disk is said to have
MAX_ADDRESS_BYTES = 8 << 30  # bytes of addresses of the child
Generator = np.random.Generator


class Kind(NamedTuple):
    module: str  # of unweave.data
    make: Callable[[Path, int, Generator], None]  # writes a whole data set into a folder; the number is its variant
    path: str = ""  # the data set in that folder
    settings: Mapping[str, Any] = MappingProxyType({})
    mutated_files: str = "*"  # which files are mutated
    package: str = ""  # that it needs
    mutate_inside: Callable[[bytes, Generator], bytes] | None = None  # what lies behind checksums and compression


# whole data sets


def picture(rng: Generator, mode: str = "RGB", side: int = 24) -> Image.Image:
    pixels = np.kron(rng.integers(0, 256, (4, 4, 4), dtype=np.uint8), np.ones((side // 4, side // 4, 1), np.uint8))
    return Image.fromarray(pixels).convert(mode)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def images(ending: str) -> Callable[[Path, int, Generator], None]:
    def make(sample: Path, variant: int, rng: Generator) -> None:
        mode = ("RGB", "L", "P", "RGBA")[variant]
        frames = [picture(rng), picture(rng)]
        options: dict[str, Any] = {
            "png": [{}, {"optimize": True}, {}, {"save_all": True, "append_images": frames}][variant],
            "jpeg": [{}, {"progressive": True}, {"quality": 20}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}][variant],
            "gif": [{}, {}, {"interlace": False}, {"save_all": True, "append_images": frames}][variant],
            "bmp": {},
            "webp": [{}, {"lossless": True}, {"quality": 10}, {"save_all": True, "append_images": frames}][variant],
            "tiff": {"compression": ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")[variant]},
        }[ending]
        if ending in ("jpeg", "webp", "bmp") and mode in ("P", "RGBA"):
            mode = "CMYK" if ending == "jpeg" and variant == 3 else "RGB"
        image = picture(rng, mode)
        if ending == "png" and variant == 1:
            image = Image.fromarray(rng.integers(0, 65_536, (24, 24), dtype=np.uint16))
        (sample / f"b.{ending}").write_bytes(encode(image, ending, **options))

    return make


def arrays(rng: Generator) -> dict[str, np.ndarray]:
    return {
        "images": rng.integers(0, 256, (9, 12, 10, 3), dtype=np.uint8),
        "factors": rng.integers(0, 4, (9, 2)),
        "factor_names": np.array(["hue", "size"]),
    }


def npz(sample: Path, variant: int, rng: Generator) -> None:
    (np.savez if variant % 2 else np.savez_compressed)(sample / "a.npz", **arrays(rng))


def npy(sample: Path, variant: int, rng: Generator) -> None:
    np.save(sample / "a.npy", arrays(rng)["images"][..., : 3 if variant % 2 else 1])


def member_files(rng: Generator) -> dict[str, bytes]:
    return {f"in/{i}.{kind}": encode(picture(rng), kind) for i, kind in enumerate(("png", "jpeg", "png"))}


def zip_archive(sample: Path, variant: int, rng: Generator) -> None:
    method = zipfile.ZIP_STORED if variant % 2 else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(sample / "a.zip", "w", method) as archive:
        for name, data in member_files(rng).items():
            archive.writestr(name, data)


def tar(packing: str) -> Callable[[Path, int, Generator], None]:
    def make(sample: Path, variant: int, rng: Generator) -> None:
        form = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT)[variant]
        with tarfile.open(sample / f"a.tar{packing}", f"w:{packing[1:]}", format=form) as archive:
            for name, data in member_files(rng).items():
                info = tarfile.TarInfo(f"{'long' * 30}/{name}" if variant % 2 == 0 else name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    return make


def hdf5(sample: Path, variant: int, rng: Generator) -> None:
    import h5py

    stored: list[dict[str, Any]] = [
        {},
        {"chunks": (2, 12, 10, 3), "compression": "gzip"},
        {"chunks": (4, 6, 10, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (9, 12, 10, 3), "maxshape": (None, 12, 10, 3), "compression": "lzf"},
    ]
    with h5py.File(sample / "a.h5", "w", libver="latest" if variant == 3 else "earliest") as file:
        file.create_dataset("images", data=arrays(rng)["images"], **stored[variant])
        file["factors"] = arrays(rng)["factors"]


def lmdb(sample: Path, variant: int, rng: Generator) -> None:
    import lmdb as package

    with package.open(str(sample / "a"), map_size=1 << 20) as store, store.begin(write=True) as change:
        for i in range(6 if variant % 2 else 40):
            change.put(f"64-{i:05}".encode(), encode(picture(rng), "png" if i % 2 else "jpeg"))
        change.put(b"length", b"6" if variant % 2 else b"40")
    (sample / "a" / "lock.mdb").unlink(missing_ok=True)


def cars3d(sample: Path, variant: int, rng: Generator) -> None:
    from scipy.io import savemat

    for i in range(2):
        cars = rng.integers(0, 256, (16, 16, 3, 2, 4), dtype=np.uint8)
        savemat(sample / f"car{i}.mat", {"im": cars}, do_compression=variant % 2 == 0)


def smallnorb(sample: Path, variant: int, rng: Generator) -> None:
    from unweave.data.sets import smallnorb as module

    shrink_grids()
    half = len(module.GRID) // 2
    classes = module.GRID.factors(rng.permutation(len(module.GRID))).astype("<i4") * np.array([1, 1, 1, 2, 1], "<i4")
    for i, name in enumerate((module.TRAIN, module.TEST)):
        part = classes[i * half : (i + 1) * half]
        pixels = np.repeat(rng.integers(0, 256, (half, 2, 1, 96), dtype=np.uint8), 96, axis=2)
        for kind, array in (("dat", pixels), ("cat", part[:, 0]), ("info", part[:, 1:])):
            dims = [*array.shape, *[1] * (3 - array.ndim)]
            magic = module.BYTES if array.dtype == np.uint8 else module.INTEGERS
            data = np.array([magic, array.ndim, *dims], "<i4").tobytes() + np.ascontiguousarray(array).tobytes()
            compressed = variant % 2 == 0
            target = sample / f"{name}-{kind}.mat{'.gz' if compressed else ''}"
            target.write_bytes(gzip.compress(data, 1) if compressed else data)


def labels(sample: Path, variant: int, rng: Generator) -> None:
    lines = [["file", "hue", "size"]]
    for i in range(4):
        (sample / "p").mkdir(exist_ok=True)
        (sample / "p" / f"{i}.png").write_bytes(encode(picture(rng), "png"))
        lines.append([f"{i}.png", str(i % 2), ("small", "1", '"large"', "ä")[variant] + str(i % 3)])
    with (sample / "a.csv").open("w", newline="", encoding="utf-8-sig" if variant % 2 else "utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL if variant > 1 else csv.QUOTE_MINIMAL).writerows(lines)


def huggingface(sample: Path, variant: int, rng: Generator) -> None:
    import datasets

    datasets.disable_progress_bars()
    rows = {
        "image": [{"bytes": encode(picture(rng), "png"), "path": None} for _ in range(6)],
        "label": [i % 3 for i in range(6)],
    }
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    dataset = datasets.Dataset.from_dict(rows, features=features)
    dataset.save_to_disk(str(sample / "a"), num_shards=1 + variant % 2)


def shrink_grids() -> None:
    from unweave import registry
    from unweave.data.factors import FactorGrid

    for name, sizes in (("cars3d", (4, 2, 2)), ("smallnorb", (2, 2, 2, 2, 2))):
        module = registry.module("data", name)
        module.GRID = FactorGrid(module.GRID.names, sizes)  # type: ignore[attr-defined]


def kinds() -> Iterator[str]:
    """The kinds that can be tried here; the others are said on stderr."""
    for name, kind in KINDS.items():
        if kind.package and not importlib.util.find_spec(kind.package):
            print(f"left out: {name}, there is no {kind.package}", file=sys.stderr)
        else:
            yield name


# mutations


def mutate_bytes(data: bytes, rng: Generator) -> bytes:
    """The bytes with one to four mutations."""
    result = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        MUTATIONS[rng.integers(len(MUTATIONS))](result, rng)
    return bytes(result)


def random_position(data: bytearray, rng: Generator) -> int:
    """A position; half of them in the first or last 256 bytes, where headers and lists of content are."""
    near = min(len(data), 256)
    if not data:
        return int(rng.choice((0,)))
    return int(rng.choice((rng.integers(near), len(data) - 1 - rng.integers(near), *rng.integers(len(data), size=2))))


def flip(data: bytearray, rng: Generator) -> None:
    for _ in range(rng.integers(1, 9)):
        if data:
            data[random_position(data, rng)] ^= 1 << rng.integers(8)


def cut(data: bytearray, rng: Generator) -> None:
    del data[random_position(data, rng) :]


def insert(data: bytearray, rng: Generator) -> None:
    position = random_position(data, rng)
    data[position:position] = rng.bytes(int(rng.choice([1, 2, 4, 100, 5000])))


def remove(data: bytearray, rng: Generator) -> None:
    position = random_position(data, rng)
    del data[position : position + int(rng.choice([1, 2, 4, 100]))]


def swap(data: bytearray, rng: Generator) -> None:
    size = int(rng.choice([1, 4, 16, 64]))
    first, second = sorted((random_position(data, rng), random_position(data, rng)))
    if first + size <= second and second + size <= len(data):
        before = data[first : first + size]
        data[first : first + size] = data[second : second + size]
        data[second : second + size] = before


def field(data: bytearray, rng: Generator) -> None:
    """Bytes that may be a number become an extreme one."""
    size = int(rng.choice([1, 2, 4, 8]))
    position = random_position(data, rng)
    number = (
        int(rng.choice([0, 1, (1 << 7) - 1, (1 << (8 * size - 1)) - 1])) if rng.integers(2) else (1 << 8 * size) - 1
    )
    data[position : position + size] = number.to_bytes(8, "little" if rng.integers(2) else "big")[:size]


def repeat(data: bytearray, rng: Generator) -> None:
    position = random_position(data, rng)
    data[position:position] = data[position : position + int(rng.choice([4, 64, 1000]))]


def blank(data: bytearray, rng: Generator) -> None:
    position, size = random_position(data, rng), int(rng.choice([4, 64, 1000]))
    size = len(data[position : position + size])
    data[position : position + size] = bytes([int(rng.choice([0, 255]))]) * size


MUTATIONS = (flip, flip, flip, cut, insert, remove, swap, field, field, field, repeat, blank)


def mutate_behind_checksums(data: bytes, rng: Generator) -> bytes:
    """A mutated PNG whose chunks have the right checksums."""
    result, position = bytearray(mutate_bytes(data, rng)), 8
    while position + 12 <= len(result):
        end = position + 8 + int.from_bytes(result[position : position + 4], "big")
        result[end : end + 4] = zlib.crc32(result[position + 4 : end]).to_bytes(4, "big")
        position = end + 4
    return bytes(result)


def mutate_gzipped(data: bytes, rng: Generator) -> bytes:
    """A gzip of mutated bytes."""
    if data[:2] != b"\x1f\x8b":
        return mutate_bytes(data, rng)
    return gzip.compress(mutate_bytes(gzip.decompress(data), rng), 1)


def mutate_member(data: bytes, rng: Generator) -> bytes:
    """A zip with a mutated member."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as original, zipfile.ZipFile(content, "w") as archive:
        mutated_member = rng.integers(len(original.namelist()))
        for i, info in enumerate(original.infolist()):
            inside = original.read(info)
            archive.writestr(info, mutate_bytes(inside, rng) if i == mutated_member else inside)
    return content.getvalue()


FOLDER = {"size": 16}
KINDS = {ending: Kind("folder", images(ending), "", FOLDER) for ending in ("png", "jpeg", "gif", "bmp", "webp", "tiff")}
KINDS |= {
    "png": KINDS["png"]._replace(mutate_inside=mutate_behind_checksums),
    "npz": Kind("npz", npz, "a.npz", mutate_inside=mutate_member),
    "npy": Kind("npz", npy, "a.npy"),
    "zip": Kind("archive", zip_archive, "a.zip", FOLDER, mutate_inside=mutate_member),
    "tar": Kind("archive", tar(""), "a.tar", FOLDER),
    "tar.gz": Kind("archive", tar(".gz"), "a.tar.gz", FOLDER, mutate_inside=mutate_gzipped),
    "hdf5": Kind("hdf5", hdf5, "a.h5", package="h5py"),
    "lmdb": Kind("lmdb", lmdb, "a", FOLDER | {"key": "64-{index:05d}"}, "data.mdb", package="lmdb"),
    "lmdb without keys": Kind("lmdb", lmdb, "a", FOLDER, "data.mdb", package="lmdb"),
    "matlab": Kind("cars3d", cars3d, package="scipy"),
    "smallnorb": Kind("smallnorb", smallnorb, mutate_inside=mutate_gzipped),
    "csv": Kind("folder", labels, "p", FOLDER | {"labels": "a.csv"}, "a.csv"),
    "arrow": Kind("huggingface", huggingface, "a", FOLDER, package="datasets"),
}


class Case(NamedTuple):
    kind: str
    number: int
    seed: int

    def rng(self) -> Generator:
        return np.random.default_rng([self.seed, list(KINDS).index(self.kind), abs(self.number)])


def write(case: Case, originals: Path, sample: Path) -> Path:
    """Copy a whole data set to `place` and mutate one of its files, which is returned; none at numbers below 0."""
    kind, rng = KINDS[case.kind], case.rng()
    shutil.rmtree(sample, ignore_errors=True)
    shutil.copytree(originals / case.kind / str(rng.integers(VARIANTS) if case.number >= 0 else ~case.number), sample)
    target = rng.choice(sorted(file for file in sample.rglob(kind.mutated_files) if file.is_file()))  # type: ignore[arg-type]
    if case.number >= 0:
        mutate = kind.mutate_inside if kind.mutate_inside is not None and rng.integers(2) else mutate_bytes
        target.write_bytes(mutate(target.read_bytes(), rng))
    return target


def table(kind: Kind, sample: Path) -> dict[str, Any]:
    settings = {key: str(sample / value) if key == "labels" else value for key, value in kind.settings.items()}
    return {"name": kind.module, "path": str(sample / kind.path), **settings}


# the child


def serve(originals: Path, sample: Path) -> None:
    """Read each case that a line names, and answer with its outcome."""
    import resource

    from unweave.data.cache import cache

    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_BYTES, MAX_ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    usage = shutil.disk_usage("/")
    shutil.disk_usage = lambda _: usage._replace(free=FREE_BYTES)  # type: ignore[assignment]
    os.fsync = lambda _: None  # this cache need not survive a loss of power
    shrink_grids()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        case = Case(**json.loads(line))
        write(case, originals, sample)
        shutil.rmtree(cache.root(), ignore_errors=True)
        print(f"{case.kind} {case.number}", file=sys.stderr, flush=True)
        print(json.dumps(outcome(KINDS[case.kind], sample)), file=answers, flush=True)


def outcome(kind: Kind, sample: Path) -> dict[str, Any]:
    """Open and read the data set, in this process; "what" is right, or begins with WRONG."""
    from dataclasses import replace

    from unweave import registry
    from unweave.data.cache import cache, entries
    from unweave.data.dataset import find_dataset
    from unweave.data.digest import dataset_digest
    from unweave.data.open import open_data

    try:
        module = registry.module("data", kind.module)
        module.DATASET = replace(find_dataset(kind.module), child_process_only=False)  # type: ignore[attr-defined]
        dataset = open_data(table(kind, sample))
        if dataset_digest(dataset) != dataset.digest() or open_data(table(kind, sample)).digest() != dataset.digest():
            return {"what": "WRONG: the cache is not what was said"}
        result = {"what": "a data set"}
    except (ValueError, LookupError, OSError) as error:
        result = {"what": type(error).__name__, "text": str(error)}
        inner = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        ours = Path(registry.__file__).parent in inner.parents
        if not isinstance(error, OSError) and not (ours and str(error)):
            result = {"what": f"WRONG: {type(error).__name__} from {inner.name}", "text": traceback.format_exc()}
        elif str(error).startswith(
            f"{kind.module} cannot be read: "
        ):  # an error of a library, which the cache translates
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            result["what"] += " for an error that the reader let pass"
    except BaseException as error:
        return {"what": f"WRONG: {type(error).__name__}", "text": traceback.format_exc()}
    for entry in entries.list_entries():
        if entry.folder.suffix == ".part" or cache.read_if_intact(entry.folder) is None:
            return {"what": "WRONG: it left a damaged cache", "text": str(result)}
    return result


class Child:
    """A process that reads cases, started again where it ends."""

    def __init__(self, originals: Path, sample: Path, log: Path) -> None:
        environment = os.environ | {"UNWEAVE_CACHE": str(sample.parent / "cache"), "PYTHONFAULTHANDLER": "1"}
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--serve", str(originals), str(sample)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
            )

    def ask(self, case: Case, limit: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write((json.dumps(case._asdict()) + "\n").encode())
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        if not ready:
            return {"what": f"WRONG: not done in {limit:g} s"}
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        return {"what": "crash", "text": signal.Signals(-code).name if code < 0 else f"exit {code}"}

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def outcome_of_crash(case: Case, sample: Path) -> dict[str, Any]:
    """What a crash becomes in use: opened in the usual way, by a child of the cache's own."""
    from unweave.data.dataset import find_dataset
    from unweave.data.open import open_data

    if not find_dataset(KINDS[case.kind].module).child_process_only:
        return {"what": "WRONG: crash of a reader that runs in the user's process"}
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("UNWEAVE_CACHE")
        os.environ["UNWEAVE_CACHE"] = folder
        try:
            open_data(table(KINDS[case.kind], sample))
        except ValueError as error:
            return {"what": f"{type(error).__name__} after a crash", "text": str(error)}
        finally:
            os.environ.pop("UNWEAVE_CACHE")
            os.environ |= {"UNWEAVE_CACHE": before} if before else {}
    return {"what": "a data set"}  # it depends on memory whether it crashes


def fuzz(files: int, seed: int, limit: float, keep: Path | None) -> dict[str, Any]:
    """Read this many mutated files, spread over all kinds."""
    counts: dict[str, Counter[str]] = {}
    wrong, slowest, start_time = [], (0.0, ""), time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        originals, sample, log = (Path(folder) / name for name in ("whole", "sample", "log"))
        names = list(kinds())
        for name in names:
            for variant in range(VARIANTS):
                (originals / name / str(variant)).mkdir(parents=True)
                KINDS[name].make(originals / name / str(variant), variant, np.random.default_rng(variant))
        child = Child(originals, sample, log)
        try:
            for case in (Case(name, ~variant, seed) for name in names for variant in range(VARIANTS)):
                result = child.ask(case, 10 * limit)
                if result["what"] != "a data set":
                    raise RuntimeError(f"the whole data set of kind {case.kind}, {~case.number}, gives {result}")
            for number in range(files):
                case = Case(names[number % len(names)], number // len(names), seed)
                start = time.monotonic()
                result = child.ask(case, limit)
                slowest = max(slowest, (round(time.monotonic() - start, 2), f"{case.kind} {case.number}"))
                if result["what"] == "crash":
                    result = outcome_of_crash(case, sample)
                if child.process.poll() is not None or "not done" in result["what"]:
                    child.close()
                    child = Child(originals, sample, log.with_name(f"log{number}"))
                counts.setdefault(case.kind, Counter())[result["what"]] += 1
                if result["what"].startswith("WRONG"):
                    wrong.append({**case._asdict(), **result})
                    print(json.dumps(wrong[-1])[:4000], file=sys.stderr)
                    if keep is not None:
                        write(case, originals, keep / f"{case.kind}-{case.seed}-{case.number}".replace(" ", "-"))
        finally:
            child.close()
    return {
        "files": files,
        "seed": seed,
        "right": files - len(wrong),
        "wrong": [f"{failure['kind']} {failure['number']}: {failure['what']}" for failure in wrong],
        "kinds": {name: dict(sorted(count.items())) for name, count in counts.items()},
        "slowest_seconds": slowest,
        "seconds": round(time.monotonic() - start_time, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20, help="seconds for a file")
    parser.add_argument("--keep", type=Path, help="a folder for the data sets that gave something wrong")
    parser.add_argument("--serve", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    command = f"python benchmarks/fuzz_readers.py --files {options.files} --seed {options.seed}"
    report = {"command": command} | fuzz(options.files, options.seed, options.limit, options.keep)
    print(json.dumps(report, indent=2))
    if report["wrong"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
