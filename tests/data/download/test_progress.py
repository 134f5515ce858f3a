import io
import logging
import sys

from unweave.data.download.progress import progress_bar, progress_lines


def test_a_line_now_and_then_with_bytes_share_and_speed(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO, "unweave"):
        told = progress_lines("fetching x", every=10.0)
        for second in range(25):
            now[0] = float(second)
            told(1_000_000 + 2_000_000 * second, 100_000_000)
        told(0, None)  # begins again
        now[0] = 40.0
        told(1_500, None)
    assert caplog.messages == [
        "fetching x: 21.0 MB of 100.0 MB (21%), 2.0 MB/s",
        "fetching x: 41.0 MB of 100.0 MB (41%), 2.0 MB/s",
        "fetching x: 1.5 kB, 93 bytes/s",
    ]


def test_a_bar_on_a_terminal_has_bytes_and_speed(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stderr = sys.stderr
    with progress_bar("fetching x") as told:
        told(500_000, 2_000_000)
        told(1_000_000, 2_000_000)
        told(0, 2_000_000)
        told(2_000_000, 2_000_000)
    drawn = stderr.getvalue()
    assert "fetching x" in drawn
    assert "2.0/2.0 MB" in drawn


def test_no_bar_without_a_terminal(capsys):
    with progress_bar("fetching x") as told:
        told(1, 2)
        told(2, 2)
    assert capsys.readouterr() == ("", "")
