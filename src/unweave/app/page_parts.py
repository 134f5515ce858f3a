"""What all pages share: errors as sentences, the look, and how a server of pages is set up. No torch, and no run."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

PICTURE_SECONDS = 3600  # that pictures are there to be looked at
CSS = (Path(__file__).parent / "page.css").read_text("utf-8")


@contextmanager
def errors_in_page() -> Iterator[None]:
    """Errors that a person can do something about become messages in the page."""
    try:
        yield
    except (ValueError, LookupError, OSError, TypeError) as error:
        raise page_error(str(error.args[0]) if isinstance(error, KeyError) else str(error)) from error


def page_error(text: str) -> gr.Error:
    """A message in the page, and nothing in the terminal; Gradio reads the text as HTML."""
    return gr.Error(escape(text), print_exception=False)


def theme() -> gr.themes.Base:
    """Fonts of the machine: nothing is fetched. White on the colour of buttons has a contrast of more than 4.5."""
    fonts: dict[str, Any] = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return gr.themes.Default(primary_hue="indigo", **fonts).set(
        button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700", body_text_color_subdued="*neutral_600",
        block_label_text_color="*neutral_600", block_info_text_color="*neutral_600",
    )  # fmt: skip


LAUNCH: dict[str, Any] = {
    "inbrowser": False, "quiet": True, "show_error": False, "prevent_thread_lock": True, "allowed_paths": [],
    "ssr_mode": False, "mcp_server": False, "footer_links": [], "css": CSS, "enable_monitoring": False,
    "run_history": False, "state_session_capacity": 200,
}  # fmt: skip
"""How every page is launched."""
