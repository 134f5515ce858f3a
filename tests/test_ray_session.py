import pytest

from unweave.ray_session import check_reachable, check_resources, places_for, thread_environment
from unweave.threads import usable_cores

NODE = {"CPU": 8.0, "GPU": 2.0, "memory": 16e9}


def test_a_cluster_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(ConnectionError, match=r"127.0.0.1:1 cannot be reached .*ray status"):
        check_reachable("127.0.0.1:1")
    with pytest.raises(ConnectionError, match="HOST:PORT, got 'cluster'"):
        check_reachable("cluster")


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
