"""A connection to Ray: this machine's own, begun for the time of a `with`, or a given cluster."""

import math
import os
import socket
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from unweave.threads import LIMITS, usable_cores

MINIMUM_STORE = 80 << 20  # bytes; Ray takes no less for its object store
PATIENCE = 5.0  # seconds for a cluster to answer
TOKEN = Path("~/.ray/auth_token")


class ClusterError(OSError):
    """A cluster of which a node cannot do its part."""


def import_ray(address: str = "local") -> Any:
    """Ray, with usage statistics off. Raises ImportError without the extra.

    A head that was started where a token lies asks for it. Ray itself sends it to a cluster that it looks for, but not
    to one at an address; to one of this machine it is sent. Ray reads that once, when it is imported.
    """
    if has_token() and is_of_this_machine(address):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a task without GPUs sees none
    try:
        import ray
    except ImportError:
        raise ImportError("this needs Ray: pip install 'unweave[ray]'.") from None
    return ray


@contextmanager
def ray_session(address: str | None = None, *, cpus: float | None = None, store: int = MINIMUM_STORE) -> Iterator[Any]:
    """Ray inside the `with`: the cluster at `address` (or in RAY_ADDRESS), else one of this machine alone.

    A connection that is there already is used, and stays. `cpus` and `store` (bytes for objects) are of an own one;
    it has the cores that this process may use unless more are asked for. Raises ConnectionError where the cluster
    cannot be reached.
    """
    address = _address(address)
    ray = import_ray(address)
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False, "logging_level": "error"}
    if address == "local":
        os.environ.setdefault("RAY_worker_niceness", "0")
        options |= {
            "num_cpus": max(usable_cores(), cpus or 0),
            "object_store_memory": max(store, MINIMUM_STORE),
        }
    else:
        check_reachable(address)
        del options["include_dashboard"]
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ConnectionError(_unreachable(address, error)) from error
    try:
        with redirect_stdout(sys.stderr):  # where Ray says what becomes of its workers
            yield ray
    finally:
        ray.shutdown()


def check_reachable(address: str) -> None:
    """Raises ConnectionError where nothing listens at HOST:PORT (or ray://HOST:PORT, of a Ray Client)."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise ConnectionError(f"the address of a Ray cluster is HOST:PORT, that of its head, got {address!r}.")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(_unreachable(address, error)) from None


def is_of_this_machine(address: str) -> bool:
    """Whether the host of HOST:PORT is this machine, by one of its own addresses."""
    host = address.removeprefix("ray://").rpartition(":")[0]
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as own:
            own.bind((host.strip("[]"), 0))
    except OSError:
        return False
    return bool(host)


def has_token() -> bool:
    """Whether this person has a token of Ray, which it makes for the first cluster of a machine's own."""
    return bool({"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ)) or TOKEN.expanduser().is_file()


def check_nodes(folder: Path, *inputs: Path) -> None:
    """Every node of the cluster has this version of unweave and sees this folder, which is written, and these inputs.

    Raises ClusterError, with a line for each node that does not.
    """
    from importlib.metadata import version

    ray = import_ray()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    own, token = version("unweave"), folder / f".node-{uuid.uuid4().hex}"

    def problem(paths: list[str], wanted: str) -> str:  # sent as it is, as a node may lack the package
        from importlib.metadata import PackageNotFoundError, version
        from pathlib import Path

        try:
            present = version("unweave")
        except PackageNotFoundError:
            return f"has no unweave: pip install unweave=={wanted} there"
        if present != wanted:
            return f"has unweave {present} where this is {wanted}: install the same one there"
        if not Path(paths[0]).exists():
            return f"does not see {Path(paths[0]).parent}: give an --out that all nodes share"
        absent = [path for path in paths[1:] if not Path(path).exists()]
        return f"does not see {absent[0]}: put it where all nodes see it" if absent else ""

    probe = ray.remote(num_cpus=0, max_retries=0)(problem)
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    token.parent.mkdir(parents=True, exist_ok=True)
    token.touch()
    problems = []
    try:
        answers = {
            name: probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                [str(path.resolve()) for path in (token, *inputs)], own
            )
            for node, name in nodes.items()
        }
        for name, answer in answers.items():
            try:
                reason = ray.get(answer, timeout=60)
            except Exception as error:
                reason = f"does not answer ({type(error).__name__}): take it out of the cluster, or start it again"
            problems += [f"the node {name} {reason}."] if reason else []
    finally:
        token.unlink(missing_ok=True)
    if problems:
        raise ClusterError("\n".join(problems))


def is_cluster(ray: Any, address: str | None) -> bool:
    """Whether processes may be on other machines, or of another installation, than this one."""
    return len(ray.nodes()) > 1 or _address(address) != "local"


def node_resources(ray: Any) -> list[Mapping[str, float]]:
    """What each node that is up has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def check_resources(each: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> None:
    """Raises ValueError where a job fits on no node, for which it would wait for ever."""
    if any(_fit(each, node) for node in nodes):
        return
    for name, amount in each.items():
        most = max((node.get(name, 0) for node in nodes), default=0)
        if amount > most:
            scale, unit = (1e9, " GB") if name == "memory" else (1, "")
            raise ValueError(
                f"a job asks for {amount / scale:g}{unit} of {name}, and no node has more than {most / scale:g}{unit}: "
                f"ask for less (--{name.lower()}{'' if name == 'memory' else 's'})."
            )
    raise ValueError("no node has all that a job asks for at once: ask for less (--cpus, --gpus, --memory).")


def places_for(each: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> int:
    """How many jobs, each with these resources, the nodes do at a time; one at least."""
    return max(1, sum(_fit(each, node) for node in nodes))


def _fit(each: Mapping[str, float], node: Mapping[str, float]) -> int:
    """How many such jobs fit on a node."""
    return min(math.floor(node.get(name, 0) / amount + 1e-6) for name, amount in each.items() if amount)


def thread_environment(threads: int) -> dict[str, Any]:
    """The runtime environment of Ray processes with so many threads each."""
    return {"env_vars": dict.fromkeys(LIMITS, str(threads))}


def _address(address: str | None) -> str:
    """That of the cluster: as given, in RAY_ADDRESS, or this machine's own."""
    return address or os.environ.get("RAY_ADDRESS") or "local"


def _unreachable(address: str, error: Exception) -> str:
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"the Ray cluster at {address} cannot be reached ({why}): is it up (`ray status`), is this the address of its "
        "head, is this machine one of its nodes (`ray start --address HOST:PORT`; else ray://HOST:10001), and does it "
        f"ask for a token (RAY_AUTH_MODE=token, with the token of its head in {TOKEN})?"
    )
