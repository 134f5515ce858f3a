"""The course: four notebooks with questions, from docs/course/*.py.

Each is run with its solutions, so that what it says is checked, and goes to the site three times: as a page, as a
notebook with blanks for the class, and as a notebook with the solutions and what they give.
"""

import base64
import re
import tempfile
from pathlib import Path
from typing import Any

import notebooks
import pages as md


def write(sources: Path, out: Path, run: bool) -> None:
    """Pages, notebooks, and an index; `run` executes them with their solutions."""
    paths = sorted(sources.glob("[0-9]_*.py"))
    titles = {}
    for path in paths:
        cells = notebooks.read(path)
        titles[path.stem] = cells[0].text.splitlines()[0].removeprefix("# ")
        out.mkdir(parents=True, exist_ok=True)
        notebooks.write(out / f"{path.stem}.ipynb", [cell.blank() for cell in cells])
        notebooks.write(out / f"{path.stem}-solved.ipynb", cells)
        outputs = executed(out / f"{path.stem}-solved.ipynb") if run else [[] for _ in cells]
        md.write_page(out / f"{path.stem}.md", page(path.stem, cells, outputs, out))
    rows = [
        [f"[{title}]({stem}.md)", f"[with blanks](path:{stem}.ipynb)", f"[solved](path:{stem}-solved.ipynb)"]
        for stem, title in titles.items()
    ]
    text = (
        "# Course\n\nFour notebooks of twenty minutes or so each: a class of ninety minutes. They run on a laptop, "
        "without a download. Each has questions: fill in the lines marked `# your turn`; a cell that begins with "
        "`# check` fails while an answer is "
        "wrong.\n\n"
        "```sh\npip install . jupyterlab\njupyter lab\n```\n\n"
        + md.table(("lesson", "notebook", "solutions"), rows)
        + md.contents(titles)
    )
    md.write_page(out / "index.md", text)


def executed(path: Path) -> list[list[dict[str, Any]]]:
    """Run a notebook in place, and give the outputs of each cell. Raises nbclient's error where a cell fails."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:  # what the lesson writes does not belong to the site
        place = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    nbformat.write(notebook, path)
    return [cell.get("outputs", []) for cell in notebook.cells]


def page(stem: str, cells: list[notebooks.Cell], outputs: list[list[dict[str, Any]]], out: Path) -> str:
    """The lesson as it is given to the class, with the pictures that the solved one draws."""
    parts = []
    for number, (cell, shown) in enumerate(zip(cells, outputs)):
        if cell.kind == "markdown":
            parts.append(cell.text)
            continue
        parts.append(f"```python\n{cell.blank().text}\n```")
        for output in shown:
            if (picture := output.get("data", {}).get("image/png")) is not None:
                name = f"{stem}-{number}.png"
                (out / name).write_bytes(base64.b64decode(picture))
                parts.append(f"![]({name})")
            elif text := output.get("data", {}).get("text/plain") or _stdout(output):
                parts.append(f"```text\n{text.rstrip()}\n```")
    links = f"[Notebook with blanks](path:{stem}.ipynb) · [solved](path:{stem}-solved.ipynb)"
    parts.insert(1, links)
    return "\n\n".join(parts)


def _stdout(output: dict[str, Any]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", output.get("text", "")) if output.get("name") == "stdout" else ""
