"""One server on this machine: the start page at its root, and the page of every run that was opened below /open/."""

import asyncio
import contextvars
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple

import gradio as gr
from gradio.routes import App, mount_gradio_app
from starlette.middleware import Middleware
from starlette.routing import Mount

from unweave.app.guard import QUEUE_PLACES, Guard, UploadLimits, Visitor, waiting_visitors
from unweave.app.page_parts import CSS, LAUNCH, theme
from unweave.app.start_page import build_start_page
from unweave.app.trainings import Trainings

OWN_UPLOADS = UploadLimits(request_bytes=4 << 30, files=100_000, pictures=1_000_000, bytes=64 << 30)
"""On one's own machine a person drops whole collections."""


class OpenPage(NamedTuple):
    """The page of a run, and what ends it."""

    blocks: gr.Blocks
    mount: Mount
    lifespan: AsyncExitStack
    stamp: object  # what the run was when it was opened, as of `stamp_of`


class Studio:
    """The pages of one server. Runs are opened when they are asked for; only then torch is imported."""

    def __init__(self, folder: tempfile.TemporaryDirectory[str]) -> None:
        self.folder, self.trainings = folder, Trainings()
        self.pages: dict[str, OpenPage] = {}
        self.building = Lock()  # Gradio knows one page that is being built
        self.loop: asyncio.AbstractEventLoop | None = None
        self.app: App | None = None
        self.start = build_start_page(self.trainings, self.open)

    def prepare(self, photos: str) -> gr.Blocks:
        """The start page, which says on which loop it runs."""
        self.start = build_start_page(self.trainings, self.open, photos)

        async def note_loop() -> None:
            self.loop = asyncio.get_running_loop()

        self.start.extra_startup_events.append(note_loop)
        return self.start

    async def open(self, run: str) -> str:
        """Where the page of a run is: the one that is open, in other tabs too, where the run is still what it was.

        Raises what `Explorer` raises.
        """
        path, stamp = await asyncio.to_thread(stamp_of, run)
        page = self.pages.get(slug_of(path))
        if page is not None and page.stamp == stamp:
            return f"/open/{slug_of(path)}/"
        return await self.reopen(run)

    async def reopen(self, run: str) -> str:
        """Where the page of a run is, built anew. Raises what `Explorer` raises."""
        blocks, slug = await asyncio.to_thread(contextvars.Context().run, self.build, run)
        # In a context of its own: what Gradio knows of the event that asks is not of the page's own events.
        _, stamp = await asyncio.to_thread(stamp_of, run)
        await asyncio.create_task(self.show(slug, blocks, stamp), context=contextvars.Context())
        return f"/open/{slug}/"

    def build_both(self, one: str, two: str) -> tuple[gr.Blocks, str]:
        """The page of two runs side by side, and its name in addresses."""
        from unweave.app.explorer import Explorer
        from unweave.app.side_by_side import build_side_by_side

        explorers = (Explorer(one), Explorer(two))
        with self.building:
            blocks = build_side_by_side(explorers)
            blocks.queue(max_size=QUEUE_PLACES, api_open=False)
        return blocks, slug_of(*(explorer.run.path for explorer in explorers))

    def build(self, run: str) -> tuple[gr.Blocks, str]:
        """The page of a run, and its name in addresses."""
        from unweave.app.components import PictureStore
        from unweave.app.explorer import Explorer
        from unweave.app.interface import build_page

        explorer = Explorer(run)
        with self.building:
            blocks = build_page(explorer, PictureStore(self.folder), reopen=lambda: self.reopen(run))
            blocks.queue(max_size=QUEUE_PLACES, api_open=False)
        return blocks, slug_of(explorer.run.path)

    async def show(self, slug: str, blocks: gr.Blocks, stamp: object = None) -> None:
        """Put a page in its place, and end the one that was there."""
        assert self.app is not None
        old = self.pages.pop(slug, None)
        if old is not None:
            self.app.router.routes.remove(old.mount)
            await old.lifespan.aclose()
        path, holder = f"/open/{slug}", App(default_response_class=None)
        mount_gradio_app(
            holder, blocks, path, css=CSS, theme=theme(), ssr_mode=False, max_file_size="20mb", footer_links=[],
            run_history=False, enable_monitoring=False, show_error=False,
        )  # fmt: skip
        mount = next(route for route in holder.router.routes if isinstance(route, Mount) and route.path == path)
        page, lifespan = mount.app, AsyncExitStack()
        assert isinstance(page, App)
        await lifespan.enter_async_context(page.router.lifespan_context(page))
        blocks.has_launched = True  # or Gradio takes files from anywhere as uploads
        blocks.run_startup_events()
        page.startup_events_triggered = True
        self.app.router.routes.insert(0, mount)
        self.pages[slug] = OpenPage(blocks, mount, lifespan, stamp)

    def waiting(self) -> Iterable[Visitor]:
        """The visitors of all events that wait on any page."""
        return [visitor for page in [self.start, *(p.blocks for p in self.pages.values())]
                for visitor in waiting_visitors(page)()]  # fmt: skip


def slug_of(*runs: str | Path) -> str:
    """Paths of runs as a part of an address, another for other paths."""
    words = re.sub(r"[^\w-]+", "-", "-and-".join(map(str, runs))).strip("-") or "run"
    places = "\0".join(str(Path(run).resolve()) for run in runs)
    return f"{words}-{hashlib.sha256(places.encode()).hexdigest()[:8]}"


def stamp_of(run: str) -> tuple[Path, object]:
    """A run's folder, and what differs once it is trained or has other factors, but not once they are named.

    Raises what `Run` raises.
    """
    from unweave.runs.factors import read_factors
    from unweave.runs.run import Run

    opened = Run(run)
    files = [opened.path / name for name in ("log.jsonl", "run.json", "units.safetensors")]
    times = [file.stat().st_mtime_ns if file.exists() else 0 for file in files]
    found = read_factors(opened)
    factors = [] if found is None else [(each.units, each.hidden, each.verdict) for each in found.factors]
    return opened.path, (times, factors)


def warm_up() -> None:
    """Import what opens a run, once the start page is painted."""
    Thread(target=lambda: __import__("unweave.app.interface"), daemon=True).start()


def serve(
    *runs: str,
    host: str,
    port: int | None,
    photos: str = "",
    ready: Callable[[str], object] = print,
) -> None:
    """Serve the start page on loopback until Ctrl-C; a run that is named is opened at once, and two side by side.

    `ready` is called with the address to open. Ending it saves and ends a training that it started. Raises OSError
    where the port is taken, and what `Explorer` raises.
    """
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes it where allowed_paths is empty
    folder = tempfile.TemporaryDirectory(prefix="unweave-", ignore_cleanup_errors=True)
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(folder.name) / "gradio"))
    studio = Studio(folder)
    with ExitStack() as end:
        for last in (folder.cleanup, studio.trainings.close, folder.cleanup):  # uploads go at once, and late ones
            end.callback(last)
        built = studio.build_both(*runs) if len(runs) == 2 else studio.build(*runs) if runs else None
        stamp = stamp_of(runs[0])[1] if len(runs) == 1 else None
        page = studio.prepare(photos)
        with page:
            page.load(warm_up, None, None)
        page.queue(max_size=QUEUE_PLACES, api_open=False)
        guard = Middleware(Guard, loopback=True, waiting=studio.waiting, limits=OWN_UPLOADS)
        launch: dict[str, Any] = {**LAUNCH, "app_kwargs": {"middleware": [guard]}, "theme": theme()}
        studio.app, address, _ = page.launch(server_name=host, server_port=port, max_file_size="4gb", **launch)
        if built is not None:
            assert studio.loop is not None
            asyncio.run_coroutine_threadsafe(studio.show(built[1], built[0], stamp), studio.loop).result()
            address += f"open/{built[1]}/"
        ready(address)
        page.block_thread()
