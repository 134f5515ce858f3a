import pytest
from rich.table import Table

from unweave.cli import output


def test_a_table_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("run [red]", title="[x]", caption="in [/nowhere]: \x1b[2J")
    table.add_row("a[/b] [bold]c:smile:")
    output.print_table(table)
    shown = capsys.readouterr().out
    for text in ("run [red]", "[x]", "[/nowhere]: \\x1b[2J", "a[/b] [bold]c:smile:"):
        assert text in shown
    output.say("\x1b[2J")
    assert capsys.readouterr().err == "\\x1b[2J\n"
