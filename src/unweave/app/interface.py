"""How the explorer looks: Gradio's components around `Explorer`, which does everything. The tabs are modules."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from unweave.app import one_unit, sliders, swapping
from unweave.app.explorer import Explorer
from unweave.app.parts import KEPT, Keep, keeper, options, told

BIGGEST = "20mb"  # of an upload
CSS = """
.pixels img{image-rendering:pixelated;object-fit:contain!important;width:100%;height:100%}
.pixels .grid-wrap{min-height:0!important;padding-top:30px!important}
div:has(>input[data-testid=number-input]){display:none}
.pixels .grid-container{grid-auto-rows:auto!important}
.pixels .grid-container{grid-template-columns:repeat(auto-fill,minmax(84px,1fr))!important}
.pixels .image-container{padding-top:30px}
.pixels .image-frame{width:100%;height:100%}
.source .grid-container{grid-template-columns:repeat(6,minmax(0,1fr))!important;gap:4px}
.source .grid-container button{aspect-ratio:1;min-height:0;min-width:0;height:auto}
@media(max-width:640px){.gradio-container{padding:8px!important}}
"""


def build(explorer: Explorer, keep: Keep, rename: bool = True) -> gr.Blocks:
    """The page of a run; units can be renamed by whoever has it, unless `rename` is False."""
    title = f"{explorer.run.method_name} on {explorer.data_name()}: one unit at a time"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        gr.Markdown(f"# {title}\n{len(explorer.choices)} units. Pick an image, move a slider, see what it does.")
        panel = sliders.panel(explorer)
        with gr.Tab("Sliders"):
            each, moves = sliders.tab(page, explorer, panel, keep)
        with gr.Tab("Swap"):
            units, swaps = swapping.tab(explorer, panel, keep)
        with gr.Tab("One unit"):
            unit = one_unit.tab(explorer, panel, keep, rename)

        def call(place: int, text: str) -> list[Any]:
            with told():
                explorer.rename(place, text)
            return labels()

        def labels() -> list[Any]:
            names = explorer.names()
            return [
                *(gr.Slider(label=name) for name in names),
                gr.CheckboxGroup(options(names)),
                gr.Dropdown(options(names)),
            ]

        named = [*each, units, unit.which]
        if rename:
            unit.rename.click(call, [unit.which, unit.text], named)
        page.load(labels, None, named)
        panel.stop.click(None, cancels=[*moves, *swaps, *unit.events])
    return page


def launch(
    explorer: Explorer,
    *,
    host: str,
    port: int | None,
    share: bool,
    rename: bool = True,
    ready: Callable[[str], object] = print,
    wait: bool = True,
) -> gr.Blocks:
    """Serve the page until Ctrl-C (or, without `wait`, until its `close`); `ready` is told its address.

    It reads nothing but the run, its data and what is uploaded. Raises OSError where the port is taken.
    """
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes it where allowed_paths is empty
    folder = tempfile.TemporaryDirectory(prefix="unweave-")  # the keeper's, as long as the page lives
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder.name) / "gradio"))
    page = build(explorer, keeper(folder), rename)
    page.queue(max_size=64)
    _, address, _ = page.launch(
        server_name=host, server_port=port, share=share, inbrowser=False, quiet=True, show_error=False,
        prevent_thread_lock=True, max_file_size=BIGGEST, allowed_paths=[], ssr_mode=False, mcp_server=False,
        footer_links=[], css=CSS, state_session_capacity=200, enable_monitoring=False, run_history=False,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )  # fmt: skip
    ready(address if not page.share_url else f"{address} and {page.share_url}")
    if wait:
        page.block_thread()
    return page
