"""How the explorer looks: Gradio's components around `Explorer`, which does everything. The tabs are modules."""

import os
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from unweave.app.components import PICTURE_SECONDS, StorePicture, errors_in_page, picture_store, unit_options
from unweave.app.explorer import Explorer
from unweave.app.guard import LOOPBACK, Guard, waiting_visitors
from unweave.app.image_panel import image_panel
from unweave.app.slider_tab import build_slider_tab
from unweave.app.swap_tab import build_swap_tab
from unweave.app.unit_tab import build_unit_tab

MAX_UPLOAD_SIZE = "20mb"
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


def build_page(explorer: Explorer, store: StorePicture, rename: bool = True) -> gr.Blocks:
    """The page of a run; units can be renamed by whoever has it, unless `rename` is False."""
    what = "factor" if explorer.factor_count else "unit"
    title = f"{explorer.run.method_name} on {explorer.dataset_name()}: one {what} at a time"
    factors = f"{explorer.factor_count} factors. " if explorer.factor_count else f"{len(explorer.units)} units. "
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(PICTURE_SECONDS, PICTURE_SECONDS)) as page:
        gr.HTML(  # not Markdown: what data are called is text
            f"<h1>{escape(title)}</h1><p>{factors}Pick an image, move a slider, see what it does.</p>"
        )
        panel = image_panel(explorer)
        with gr.Tab("Sliders"):
            sliders, slider_events = build_slider_tab(page, explorer, panel, store)
        with gr.Tab("Swap"):
            units, swap_events = build_swap_tab(explorer, panel, store)
        with gr.Tab("One by one"):
            unit = build_unit_tab(explorer, panel, store, rename)

        def rename_unit(index: int, name: str) -> list[Any]:
            with errors_in_page():
                explorer.rename(index, name)
            return labels()

        def labels() -> list[Any]:
            names = explorer.names()
            return [
                *(gr.Slider(label=label) for label in explorer.slider_labels()),
                gr.CheckboxGroup(unit_options(names)),
                gr.Dropdown(unit_options(names)),
            ]

        labelled = [*sliders, units, unit.dropdown]
        if rename:
            unit.rename.click(rename_unit, [unit.dropdown, unit.name], labelled)
        page.load(labels, None, labelled)
        panel.stop.click(None, cancels=[*slider_events, *swap_events, *unit.events])
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
    """Serve the page until Ctrl-C (or, without `wait`, until its `close`); `ready` is called with its address.

    It reads nothing but the run, its data and what is uploaded. Raises OSError where the port is taken.
    """
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes it where allowed_paths is empty
    folder = tempfile.TemporaryDirectory(
        prefix="unweave-", ignore_cleanup_errors=True
    )  # of the picture store, as long as the page lives
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder.name) / "gradio"))
    page = build_page(explorer, picture_store(folder), rename)
    page.queue(max_size=64, api_open=False)
    guard = Middleware(Guard, loopback=host in LOOPBACK and not share, waiting=waiting_visitors(page))
    _, address, _ = page.launch(
        server_name=host, server_port=port, share=share, inbrowser=False, quiet=True, show_error=False,
        prevent_thread_lock=True, max_file_size=MAX_UPLOAD_SIZE, allowed_paths=[], ssr_mode=False, mcp_server=False,
        footer_links=[], css=CSS, state_session_capacity=200, enable_monitoring=False, run_history=False,
        app_kwargs={"middleware": [guard]},
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )  # fmt: skip
    ready(address if not page.share_url else f"{address} and {page.share_url}")
    if wait:
        try:
            page.block_thread()
        finally:
            folder.cleanup()
    return page
