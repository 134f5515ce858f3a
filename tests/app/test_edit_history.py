from unweave.app.edit_history import EditHistory

START = EditHistory((0.5, 0.5))


def test_undo_and_redo_are_inverse() -> None:
    edited = START.moved((0.6, 0.5)).moved((0.6, 0.1))
    assert edited.undo().now == (0.6, 0.5)
    assert edited.undo().undo().now == START.now
    assert edited.undo().undo().redo().redo().now == edited.now
    assert START.undo() == START
    assert edited.redo() == edited


def test_a_slider_that_goes_on_is_one_edit() -> None:
    edited = START.moved((0.6, 0.5)).moved((0.7, 0.5)).moved((0.8, 0.5))
    assert edited.undo().now == START.now
    assert len(edited.moved((0.8, 0.9)).past) == 2


def test_what_does_not_move_is_no_edit_and_a_new_edit_forgets_what_was_undone() -> None:
    assert START.moved([0.5, 0.5]) == START
    undone = START.moved((0.6, 0.5)).undo()
    assert undone.moved((0.5, 0.2)).future == ()
