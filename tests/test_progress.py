import sys
import time
from types import ModuleType

import pytest

from unweave import progress
from unweave.progress import Bars, Lines, Progress


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_nothing_is_drawn_in_a_pipe_and_a_bar_in_a_terminal_and_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNWEAVE_PROGRESS", raising=False)
    assert type(progress.current()) is Progress
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(progress.current()) is Bars
    monkeypatch.setenv("UNWEAVE_PROGRESS", "off")
    assert type(progress.current()) is Progress
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setitem(sys.modules, "IPython", sys)
    assert type(progress.current()) is Bars
    with progress.use(Lines()):
        assert type(progress.current()) is Lines
    assert type(progress.current()) is Bars


def test_a_bar_has_the_name_the_rate_and_the_note_and_goes_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.use(Bars()), progress.task("training", 1_000, "images", done=200) as task:
        task.drawn.delay = 0
        task.drawn.mininterval = 0
        time.sleep(0.01)
        task.update(500, "loss 0.5")
        progress.message("picture: a.png")
    assert "training" in terminal.text
    assert "500/1000" in terminal.text
    assert "loss 0.5" in terminal.text
    assert "picture: a.png\n" in terminal.text
    assert terminal.text.split("\r")[-2].strip() == ""


def test_lines_come_at_twentieths_and_say_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress.use(Lines()), progress.task("training", 10_000, "images", done=1_000) as task:
        for seen in range(1_000, 10_001, 100):
            now[0] = (seen - 1_000) / 100
            task.update(seen, f"loss {seen}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 17
    assert lines[0] == "training: 1,100/10,000 images, 100/s, 89 s left, loss 1100"
    assert lines[1] == "training: 1,600/10,000 images, 100/s, 84 s left, loss 1600"


def test_a_slow_beginning_is_not_the_rate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress.use(Lines()), progress.task("encoding", 1_000, "images") as task:
        for seconds, done in ((30.0, 100), (32.0, 300), (34.0, 500)):
            now[0] = seconds
            task.update(done)
    assert capsys.readouterr().err.splitlines() == [
        "encoding: 100/1,000 images, 3.3/s, 270 s left",
        "encoding: 300/1,000 images, 100/s, 7 s left",
        "encoding: 500/1,000 images, 100/s, 5 s left",
    ]


def test_bytes_without_a_total_come_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress.use(Lines()), progress.task("fetching x", unit="B") as task:
        for second in range(25):
            now[0] = float(second)
            task.update(2_000_000 * second)
        task.update(100_000_000, total=200_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "fetching x: 20.0 MB, 2.0 MB/s",
        "fetching x: 40.0 MB, 2.0 MB/s",
        "fetching x: 100.0 MB/200.0 MB, 4.2 MB/s, 24 s left",
    ]


def test_amounts_for_people() -> None:
    assert [progress.amount(n, "B") for n in (0, 999, 1_000, 255_000_000, 12_700_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "255.0 MB",
        "12.70 GB",
    ]
    assert [progress.amount(n, "images") for n in (0, 0.53, 7, 12_345.6)] == ["0", "0.5", "7", "12,346"]


@pytest.mark.parametrize("stream", [None, object()])
def test_a_process_without_a_terminal_is_silent(stream: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert type(progress.current()) is Progress


def test_a_notebook_shows_a_picture_and_then_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []

    class Handle:
        def update(self, picture: object) -> None:
            shown.append(("update", picture))

    module = ModuleType("IPython.display")
    module.__dict__["display"] = lambda picture, display_id: shown.append(picture) or Handle()
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    with progress.use(Bars()):
        canvas = progress.canvas()
        canvas.show("first")
        canvas.show("second")
    assert shown == ["first", ("update", "second")]
    with progress.use(Progress()):
        progress.canvas().show("nobody sees it")
    assert len(shown) == 2


def test_what_is_named_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b[2J\x07\u202eb\udcff\r[bold]c[/bold]\n"
    assert progress.printable(hostile) == "a\\x1b[2J\\x07\\u202eb\\udcff\\r[bold]c[/bold]\n"
    assert progress.printable("Wände, 壁\t😀\n") == "Wände, 壁\t😀\n"
    with progress.use(Lines()):
        progress.message(hostile)
    assert "\x1b" not in capsys.readouterr().err
