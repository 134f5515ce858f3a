"""How a run looks: Gradio's components around `Explorer`, which does everything. The tabs are modules."""

import os
import tempfile
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from unweave.app.cards import Cards
from unweave.app.components import STRIPS, PictureStore, unit_options
from unweave.app.explorer import Explorer
from unweave.app.factor_changes import Reopen, build_factor_panel
from unweave.app.guard import LOOPBACK, QUEUE_PLACES, Guard, waiting_visitors
from unweave.app.many_tab import build_many_tab
from unweave.app.page_parts import LAUNCH, PICTURE_SECONDS, errors_in_page, theme
from unweave.app.picture_panel import picture_in_hand, picture_source, repeat_box
from unweave.app.set_tab import build_set_tab
from unweave.app.swap_tab import build_swap_tab
from unweave.app.unit_tab import build_unit_tab

MAX_UPLOAD_SIZE = "20mb"


def build_page(explorer: Explorer, store: PictureStore, rename: bool = True, reopen: Reopen | None = None) -> gr.Blocks:
    """The page of a run; units can be renamed by whoever has it, unless `rename` is False.

    With `reopen`, on one's own machine, factors can also be merged, split and hidden.
    """
    what = "factor" if explorer.factor_count else "unit"
    title = f"{explorer.run.method_name} on {explorer.dataset_name()}: one {what} at a time"
    factors = f"{explorer.factor_count} factors. " if explorer.factor_count else f"{len(explorer.units)} units. "
    back = '<a href="/">All runs</a> ' if reopen is not None else ""
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(PICTURE_SECONDS, PICTURE_SECONDS)) as page:
        gr.HTML(  # not Markdown: what data are called is text
            f"<h1>{escape(title)}</h1><p>{back}{factors}Pick an image, move a slider, see what it does.</p>"
        )
        with gr.Row(elem_classes="desk"):
            hand = picture_in_hand()
            with gr.Column(scale=3, min_width=300):
                with gr.Accordion("Pick a picture", open=True, elem_id="pick"):
                    source, start = picture_source(explorer)
                cards = Cards(explorer, hand, store, changeable=rename)
                with gr.Tabs(overflow_behavior="wrap"):  # or those that a phone has no room for hide behind dots
                    with gr.Tab("Factors" if explorer.factor_count else "Units"):
                        cards.build()
                        events = cards.connect(page, source, start)
                        changes = build_factor_panel(explorer, rename, reopen)
                    with gr.Tab("Two pictures"):
                        units, swap_events = build_swap_tab(explorer, cards, start, store)
                    with gr.Tab("One by one"):
                        unit = build_unit_tab(explorer, hand, store)
                    with gr.Tab("Many pictures"):
                        build_many_tab(explorer, hand, store, own_machine=reopen is not None)
                    with gr.Tab("The set"):
                        set_menus = build_set_tab(explorer, cards, start)
                repeat_box(hand)

        def rename_unit(index: int, name: str) -> list[Any]:
            with errors_in_page():
                explorer.rename(index, name)
            return labels()

        def labels() -> list[Any]:
            options = unit_options(explorer.names())
            return [
                *(gr.update(label=label) for label in explorer.slider_labels()),
                *(cards.head(index) for index in range(len(cards.heads))),
                *(gr.update(choices=options[: explorer.factor_count]) for _ in merging),
                *(gr.update(choices=options) for _ in menus),
            ]

        merging, menus = changes.merging, [units, unit, changes.which, *set_menus]
        labelled = [*cards.sliders, *cards.heads, *merging, *menus]
        if rename:
            renamed = changes.rename.click(rename_unit, [changes.which, changes.name], labelled)
            strips: dict[str, Any] = {"show_progress": "hidden", **STRIPS}
            redraw = renamed.success(cards.draw_strips, hand.picked, cards.heads, **strips)  # the new heads have none
            hand.key.change(None, cancels=[redraw])
            events.append(redraw)
        page.load(labels, None, labelled, show_progress="hidden")
        for index, head in enumerate(cards.heads[: explorer.factor_count] if rename else []):
            head.click(chooses(index), None, [changes.which, changes.box], show_progress="hidden")
        hand.stop.click(None, cancels=[*events, *swap_events])
    return page


def chooses(index: int) -> Callable[[gr.EventData], list[Any]]:
    """What a click on "change" of a card does: the factor is chosen where factors are changed."""

    def choose(event: gr.EventData) -> list[Any]:
        if event._data.get("act") != "change":
            return [gr.skip(), gr.skip()]
        return [gr.update(value=index), gr.update(open=True)]

    return choose


def launch(
    explorer: Explorer,
    *,
    host: str,
    port: int | None,
    share: bool,
    rename: bool = True,
    proxies: Sequence[str] = (),
    ready: Callable[[str], object] = print,
    wait: bool = True,
) -> gr.Blocks:
    """Serve the page of one run until Ctrl-C (or, without `wait`, until its `close`); `ready` gets its address.

    It reads nothing but the run, its data and what is uploaded. `proxies` are as `Guard` takes them.
    Raises OSError where the port is taken.
    """
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes it where allowed_paths is empty
    folder = tempfile.TemporaryDirectory(
        prefix="unweave-", ignore_cleanup_errors=True
    )  # of the picture store, as long as the page lives
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder.name) / "gradio"))
    page = build_page(explorer, PictureStore(folder), rename)
    page.queue(max_size=QUEUE_PLACES, api_open=False)
    loopback = host in LOOPBACK and not share
    guard = Middleware(Guard, loopback=loopback, waiting=waiting_visitors(page), proxies=proxies)
    launch: dict[str, Any] = {**LAUNCH, "app_kwargs": {"middleware": [guard]}, "theme": theme()}
    _, address, _ = page.launch(
        server_name=host, server_port=port, share=share, max_file_size=MAX_UPLOAD_SIZE, **launch
    )
    ready(address if not page.share_url else f"{address} and {page.share_url}")
    if wait:
        try:
            page.block_thread()
        finally:
            folder.cleanup()
    return page
