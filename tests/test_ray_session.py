import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unweave.ray_session import (
    check_reachable,
    check_resources,
    has_token,
    is_of_this_machine,
    places_for,
    thread_environment,
)
from unweave.threads import usable_cores

NODE = {"CPU": 8.0, "GPU": 2.0, "memory": 16e9}


def test_a_cluster_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(ConnectionError, match=r"127.0.0.1:1 cannot be reached .*ray status"):
        check_reachable("127.0.0.1:1")
    for address in ("cluster", "ray://cluster"):
        with pytest.raises(ConnectionError, match=f"HOST:PORT, that of its head, got {address!r}"):
            check_reachable(address)


def test_a_token_is_for_clusters_of_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ["127.0.0.1:6379", "ray://localhost:10001"]
    assert [is_of_this_machine(address) for address in (*own, "192.0.2.77:6379", "local", "auto")] == [
        *(True, True),
        *(False, False, False),
    ]
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not has_token()
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    assert has_token()


def test_every_library_of_a_worker_has_the_same_threads() -> None:
    assert set(thread_environment(2)["env_vars"].values()) == {"2"}
    assert usable_cores() >= 1


def test_places_are_limited_by_what_runs_out_first_on_a_node() -> None:
    assert places_for({"CPU": 1.0, "GPU": 0.0, "memory": 1.5e9}, [NODE]) == 8
    assert places_for({"CPU": 1.0, "GPU": 0.25, "memory": 1.5e9}, [NODE]) == 8
    assert places_for({"CPU": 1.0, "GPU": 1.0, "memory": 1.5e9}, [NODE]) == 2
    assert places_for({"CPU": 0.1, "GPU": 0.0, "memory": 4e9}, [NODE]) == 4
    assert places_for({"CPU": 5.0}, [NODE, NODE]) == 2


def test_what_fits_on_no_node_is_said_before_it_waits_for_ever() -> None:
    check_resources({"CPU": 8.0, "GPU": 2.0, "memory": 16e9}, [{"CPU": 1.0}, NODE])
    with pytest.raises(ValueError, match=r"32 GB of memory, and no node has more than 16 GB: ask for less \(--memory"):
        check_resources({"CPU": 1.0, "memory": 32e9}, [NODE, NODE])
    with pytest.raises(ValueError, match=r"4 of GPU, and no node has more than 2: ask for less \(--gpus"):
        check_resources({"GPU": 4.0}, [NODE, NODE])
    with pytest.raises(ValueError, match="no node has all that a job asks for at once"):
        check_resources({"CPU": 4.0, "GPU": 1.0}, [{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}])


CONNECT = """
import sys
from pathlib import Path
from unweave.ray_session import ClusterError, check_nodes, is_cluster, ray_session
with ray_session(sys.argv[1]) as ray:
    check_nodes(Path(sys.argv[2]))
    facts = len(ray.nodes()), is_cluster(ray, sys.argv[1])
    try:
        check_nodes(Path(sys.argv[2]), Path(sys.argv[2]) / "absent")
    except ClusterError as error:
        print(error, file=sys.stderr)
print(*facts)
"""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])


@contextmanager
def ray_head(environment: dict[str, str], log: Path) -> Iterator[int]:
    """The port of a cluster of this machine alone, inside the `with`."""
    port, program = free_port(), Path(sys.executable).with_name("ray")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, log.open("w") as said:  # short, as sockets have no more
        words = ["start", "--head", "--block", "--port", str(port), "--ray-client-server-port", str(free_port())]
        words += ["--num-cpus", "1", "--include-dashboard", "false", "--temp-dir", folder]
        process = subprocess.Popen([program, *words], env=environment, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 120
            while "Ray runtime started" not in log.read_text() and time.monotonic() < deadline:
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.long
@pytest.mark.parametrize("token", [True, False])
def test_a_head_on_this_machine_is_reached_by_its_address(tmp_path: Path, token: bool) -> None:
    pytest.importorskip("ray")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    if token:  # as every cluster that `ray.init` starts leaves one, and `ray start` asks for it then
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    with ray_head(environment, tmp_path / "head.log") as port:
        words = [sys.executable, "-c", CONNECT, f"127.0.0.1:{port}", str(tmp_path)]
        answer = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
        stranger = environment | {"RAY_AUTH_MODE": "disabled"}
        refused = subprocess.run(words, env=stranger, capture_output=True, text=True, timeout=120)
    assert answer.stdout.split() == ["1", "True"], answer.stderr
    assert "absent: put it where all nodes see it." in answer.stderr
    assert ("ask for a token (RAY_AUTH_MODE=token" in refused.stderr) == token
