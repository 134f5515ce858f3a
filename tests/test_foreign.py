import pytest

from unweave.foreign import errors_as, load


def test_a_package_that_is_missing_is_named_with_its_extra():
    assert load("json", "this needs", "data").loads("1") == 1
    with pytest.raises(ImportError, match=r"^this needs no_such: pip install 'unweave\[data\]'$"):
        load("no_such.part", "this needs", "data")


@pytest.mark.parametrize("error", [KeyError("a"), OSError("b"), KeyboardInterrupt()])
def test_errors_of_these_kinds_are_explained_and_others_stay(error):
    kinds, but = (LookupError, OSError), PermissionError
    expected = ValueError if isinstance(error, kinds) else type(error)
    with pytest.raises(expected) as raised, errors_as(kinds, lambda cause: ValueError(f"no: {cause}"), but):
        raise error
    assert raised.value is error or raised.value.__cause__ is error


def test_what_is_excepted_and_what_is_given_back_are_the_error_itself():
    for error in (PermissionError("a"), OSError("b")):
        with (
            pytest.raises(OSError, match=str(error)) as raised,
            errors_as(OSError, lambda cause: cause, PermissionError),
        ):
            raise error
        assert raised.value is error
        assert raised.value.__cause__ is None


def test_a_function_may_be_decorated_and_called_often():
    half = errors_as(ZeroDivisionError, lambda cause: ValueError("nothing"))(lambda x: 1 / x)
    assert half(2) == half(2) == 0.5
    with pytest.raises(ValueError, match="nothing"):
        half(0)
