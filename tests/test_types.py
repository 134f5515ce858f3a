import pytest

from unweave.types import NamedGroups, check_weights, list_times


def test_a_group_is_found_by_its_name_or_by_what_the_method_reads() -> None:
    groups = NamedGroups({"code": range(3)}, lambda name: [int(name[1:])] if name.startswith("t") else None)
    assert list(groups.find("code")) == [0, 1, 2]
    assert list(groups.find("t2")) == [2]
    with pytest.raises(LookupError, match="'wall'; there is: code"):
        groups.find("wall")


def test_there_are_no_groups_unless_a_method_says_so() -> None:
    with pytest.raises(LookupError, match="there is: none"):
        NamedGroups().find("code")


@pytest.mark.usefixtures("untyped")
def test_there_are_two_kinds_of_weights() -> None:
    check_weights("raw")
    with pytest.raises(ValueError, match=r"must be 'averaged' or 'raw', got 'average'"):
        check_weights("average")


@pytest.mark.usefixtures("untyped")
def test_times_are_numbers() -> None:
    assert list_times(500) == [500]
    assert list_times((1, 2)) == [1, 2]
    with pytest.raises(ValueError, match=r"as \[100, 500\]; got '500'"):
        list_times("500")
