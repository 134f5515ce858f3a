from unweave.editing.inputs import read_inputs
from unweave.runs.run import Run


def test_verbs_of_single_units_take_those_of_factors_and_all_where_none_is_listed(factored_run: Run) -> None:
    inputs = read_inputs(factored_run, 0, 1)
    assert inputs.single_units("f1,3,f3") == [0, 2, 3]
    assert inputs.single_units(None) == [0, 1, 2, 3]
    assert [group.word for group in inputs.units(None)] == ["f1", "f2"]
