"""What a person does to the factors of a run: name, merge, split, hide and show them; and find them where need be."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import gradio as gr

from unweave.app.components import LONG_WORK, unit_options
from unweave.app.explorer import Explorer
from unweave.app.page_parts import errors_in_page, page_error
from unweave.runs.factors import hide_factor, read_factors

Reopen = Callable[[], Awaitable[str]]
"""Builds the page of the run anew, once its factors have changed; where it is."""

RELOAD = "(path) => { if (path) window.location.assign(path) }"


class FactorPanel(NamedTuple):
    """Where factors are named and changed."""

    box: gr.Accordion
    which: gr.Dropdown
    name: gr.Textbox
    rename: gr.Button
    merging: list[gr.Dropdown]  # where there is a choice of what to merge one with


def build_factor_panel(explorer: Explorer, rename: bool, reopen: Reopen | None) -> FactorPanel:
    """The panel and its events but for naming, which the page does: names are shown in several places."""
    factors = [unit.word for unit in explorer.units[: explorer.factor_count]]
    what = "factor" if factors else "unit"
    with gr.Accordion(f"Name or change a {what}", open=False, visible=rename, elem_id="change") as box:
        which = gr.Dropdown(unit_options(explorer.names()), value=0, label=what.capitalize())
        with gr.Row():
            name = gr.Textbox(label=f"Name of the {what}", max_lines=1, placeholder="wall colour", scale=3)
            rename_button = gr.Button("Rename", min_width=90)
        merging = []
        if reopen is not None and explorer.dataset is not None:
            if factors:
                merging.append(_changes(explorer, which, reopen))
            else:
                _finding(explorer, reopen)
    return FactorPanel(box, which, name, rename_button, merging)


def _finding(explorer: Explorer, reopen: Reopen) -> None:
    """Units are grouped into factors once, which takes a minute on a free core, and longer where others work."""
    address = gr.Textbox(visible="hidden")
    about = gr.HTML("<p>Units that change one thing together become one slider.</p>")
    find = gr.Button("Find its factors (some minutes)", variant="primary")

    async def find_factors() -> str:
        from unweave.evaluation.run_factors import factors_of

        return await change_and_reopen(lambda: factors_of(explorer.run, again=True), reopen)

    find.click(find_factors, None, address, show_progress_on=about, **LONG_WORK).success(None, address, None, js=RELOAD)


def _changes(explorer: Explorer, which: gr.Dropdown, reopen: Reopen) -> gr.Dropdown:
    """Merge, split, hide, show; where there is a choice of what to merge one with."""
    found = read_factors(explorer.run)
    hidden = [] if found is None else [found.word(i) for i, factor in enumerate(found.factors) if factor.hidden]
    address = gr.Textbox(visible="hidden")
    options = [(name, index) for name, index in unit_options(explorer.names())[: explorer.factor_count]]
    with gr.Row():
        other = gr.Dropdown(options, value=None, label="Merge it with", scale=3)
        merge = gr.Button("Merge", min_width=90)
    with gr.Row():
        units = gr.CheckboxGroup([str(unit) for unit in explorer.units[0].units], label="Split off its units", scale=3)
        split = gr.Button("Split", min_width=90)
    with gr.Row():
        hide = gr.Button("Hide it", min_width=90)
        again = gr.Dropdown(hidden, label="Hidden", visible=bool(hidden), scale=3)
        show = gr.Button("Show it again", min_width=90, visible=bool(hidden))
    about = gr.HTML("<p>What is merged or split is measured again, which takes a while.</p>")
    factor_units = [[str(number) for number in unit.units] for unit in explorer.units]

    def word(index: int | None) -> str:
        if index is None:
            raise page_error("choose the factor to merge it with.")
        if not 0 <= index < explorer.factor_count:
            raise page_error("choose a factor: single units are not changed.")
        return explorer.units[index].word

    async def merge_them(index: int, second: int | None) -> str:
        from unweave.evaluation.run_factors import merge_factors

        return await change_and_reopen(lambda: merge_factors(explorer.run, [word(index), word(second)]), reopen)

    async def split_it(index: int, taken: Sequence[str]) -> str:
        from unweave.evaluation.run_factors import split_factor

        return await change_and_reopen(lambda: split_factor(explorer.run, word(index), list(taken)), reopen)

    async def hide_it(index: int) -> str:
        return await change_and_reopen(lambda: hide_factor(explorer.run, word(index)), reopen)

    async def show_it(factor: str) -> str:
        return await change_and_reopen(lambda: hide_factor(explorer.run, factor, hidden=False), reopen)

    which.change(lambda index: gr.update(choices=factor_units[index], value=[]), which, units)
    for button, change, inputs in (
        (merge, merge_them, [which, other]), (split, split_it, [which, units]), (hide, hide_it, [which]),
        (show, show_it, [again]),
    ):  # fmt: skip
        event = button.click(change, inputs, address, show_progress_on=about, **LONG_WORK)
        event.success(None, address, None, js=RELOAD)
    return other


async def change_and_reopen(change: Callable[[], Any], reopen: Reopen) -> str:
    """Carry out a change, and build the page anew; errors are said in the page."""
    import asyncio

    with errors_in_page():
        await asyncio.to_thread(change)
        return await reopen()
