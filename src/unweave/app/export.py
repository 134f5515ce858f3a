"""A folder that runs the explorer anywhere, such as on a Hugging Face Space: the run, this package and an app.py."""

import json
import shutil
from importlib.metadata import requires, version
from pathlib import Path

from PIL import Image

from unweave import registry
from unweave.app.explorer import Explorer
from unweave.figures.pixels import rgb_pixels
from unweave.runs import hub
from unweave.runs.unit_ranges import write_ranges

APP = '''"""The explorer of an unweave run: `pip install -r requirements.txt`, `python app.py`; or a Gradio Space."""

import os
from pathlib import Path

import unweave
from unweave.app import interface
from unweave.app.explorer import Explorer

run = unweave.from_pretrained(str(Path(__file__).parent / "run"))
host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
interface.launch(Explorer(run), host=host, port=None, share=False, rename=False)
'''

CARD = """---
title: {title}
sdk: gradio
sdk_version: {gradio}
app_file: app.py
python_version: "3.11"
---

The explorer of an [unweave](run/README.md) run: pick or upload an image, move a unit, swap it from another image.
Units cannot be renamed here. `unweave/` is the package that made it, version {version} (Apache-2.0).
"""


def export_folder(explorer: Explorer, folder: Path) -> Path:
    """Write the folder, whole or not at all.

    Raises FileExistsError where it has content, ValueError for a method from outside this package.

    The run is shared in half precision where it is a method's own weights alone, without its optimiser; a dozen images
    of its data go along, so that there is something to begin with. Frozen foundations are copied whole.
    """
    if not registry.module("methods", explorer.run.method_name).__name__.startswith("unweave."):
        raise ValueError(f"{explorer.run.method_name} is not in this package, which is what the folder would carry.")
    with hub.new_folder(folder) as temporary:
        explorer.run.save_pretrained(temporary / "run", half=True)
        write_ranges(temporary / "run", explorer.units, explorer.ranges)
        examples = temporary / "run" / "examples"
        examples.mkdir()
        shown = explorer.examples() if explorer.shape[0] in (1, 3) else []  # a PNG holds no other channels
        for number, (_, image) in enumerate(shown):
            Image.fromarray(rgb_pixels(image[None])[0]).save(examples / f"{number:02d}.png")
        package = Path(__file__).parents[1]
        ignored = shutil.ignore_patterns("__pycache__", "builtin_weights", "*.pyc")
        shutil.copytree(package, temporary / "unweave", ignore=ignored)
        required = [line for line in requires("unweave") or [] if "extra ==" not in line or 'extra == "app"' in line]
        names = [line.split(";")[0].strip() for line in required]
        (temporary / "requirements.txt").write_text("\n".join(names) + "\n", "utf-8")
        (temporary / "app.py").write_text(APP, "utf-8")
        title = f"{explorer.run.path.name}, one unit at a time"
        fields = {"title": json.dumps(title), "gradio": version("gradio"), "version": version("unweave")}
        (temporary / "README.md").write_text(CARD.format(**fields), "utf-8")
    return folder
