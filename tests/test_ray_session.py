import pytest

from unweave.ray_session import check_reachable, cores, thread_environment


def test_a_cluster_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(ConnectionError, match=r"127.0.0.1:1 cannot be reached .*ray status"):
        check_reachable("127.0.0.1:1")
    with pytest.raises(ConnectionError, match="HOST:PORT, got 'cluster'"):
        check_reachable("cluster")


def test_every_library_of_a_worker_has_the_same_threads() -> None:
    assert set(thread_environment(2)["env_vars"].values()) == {"2"}
    assert cores() >= 1
