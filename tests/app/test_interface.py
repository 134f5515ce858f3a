"""The page in a real browser where there is one, and what its server gives away."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import psutil
import pytest
from PIL import Image

pytest.importorskip("gradio")

from unweave import choosing
from unweave.app import space
from unweave.app.explorer import Explorer
from unweave.run import Run

OWN = "the image's own noise"


class Served(NamedTuple):
    address: str
    run: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`unweave app` on the model in the package, whose pictures a slider really changes."""
    place = tmp_path_factory.mktemp("app")
    (place / "secret.txt").write_text("secret")
    command = [sys.executable, "-m", "unweave", "app", "builtin:rooms"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_TEMP_DIR": str(place / "uploads")}
    with subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stderr is not None
        told = next((line for line in server.stderr if line.startswith("open ")), "")
        yield Served(told.removeprefix("open ").strip().rstrip("/"), place / "runs" / "builtin-rooms")
        server.terminate()


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here (Debian: apt install chromium)")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def fetched(address: str) -> int:
    """The status of a GET."""
    try:
        with urlopen(Request(address), timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_nothing_outside_the_page_is_served(served: Served) -> None:
    run = served.run
    assert served.address.startswith("http://127.0.0.1:")
    assert fetched(served.address) == 200
    for place in ("/etc/passwd", run.parents[1] / "secret.txt", run / "settings.toml", Path.cwd() / "pyproject.toml"):
        for way in ("/gradio_api/file=", "/file=", "/gradio_api/stream/", "/gradio_api/proxy=http://"):
            assert fetched(f"{served.address}{way}{place}") >= 400, (way, place)
    for way in ("/gradio_api/file=../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/..%2f..%2fetc%2fpasswd"):
        assert fetched(f"{served.address}{way}") >= 400, way


def asked(address: str, function: int, data: list[Any]) -> dict[str, Any]:
    """What the server says to a call as the page makes it, without the page."""
    session = uuid4().hex
    body = json.dumps({"data": data, "fn_index": function, "session_hash": session}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}/gradio_api/queue/join", body, headers), timeout=20) as answer:
        assert answer.status == 200
    with urlopen(f"{address}/gradio_api/queue/data?session_hash={session}", timeout=60) as lines:
        for line in lines:
            told = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
            if told.get("msg") == "process_completed":
                return dict(told)
    raise AssertionError("the server said nothing")


def test_a_path_cannot_be_smuggled_in_as_an_upload(served: Served) -> None:
    with urlopen(f"{served.address}/config", timeout=20) as answer:
        functions = json.load(answer)["dependencies"]
    uploads = [one["id"] for one in functions if [event for _, event in one["targets"]] == ["upload"]]
    assert len(uploads) == 2
    with tempfile.TemporaryDirectory(dir=Path.home()) as place:
        private = Path(place) / "private.png"
        Image.new("RGB", (9, 9), "red").save(private)
        for sent in (private, served.run / "settings.toml", Path("/etc/passwd")):
            data = [{"path": str(sent), "meta": {"_type": "gradio.FileData"}}, OWN]
            told = asked(served.address, uploads[0], data)
            assert not told["success"], sent
            assert "private.png" not in json.dumps(told["output"].get("data", ""))


@pytest.mark.slow
def test_a_visit(served: Served, browser: Any, tmp_path: Path) -> None:
    visitor = browser.new_page(viewport={"width": 1280, "height": 900})
    outside = []
    visitor.on("request", lambda asked: outside.append(asked.url) if "127.0.0.1" not in asked.url else None)
    visitor.goto(served.address)
    command = visitor.get_by_label("The command that makes this picture again")
    wait = visitor.wait_for_function
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('reconstruct'))")
    before, shown = command.input_value(), visitor.get_by_alt_text("edit").get_attribute("src")
    slider = visitor.locator("input[type=range]").first
    first = (slider.get_attribute("aria-label") or "").split()[-1]
    assert first.isdigit()
    slider.focus()
    key = "ArrowLeft" if float(slider.input_value()) > 50 else "ArrowRight"
    for _ in range(12):
        visitor.keyboard.press(key)
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('adjust'))")
    assert command.input_value() != before
    assert visitor.get_by_alt_text("edit").get_attribute("src") != shown
    with visitor.expect_download() as saved:
        visitor.get_by_role("button", name="Save picture and command").click()
    saved.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as kept:
        assert kept.info["unweave"] == command.input_value()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "mine.png")
    visitor.locator("input[type=file]").first.set_input_files(tmp_path / "mine.png")
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('mine.png'))")
    (tmp_path / "evil.png").write_bytes(b"\x80\x04\x95cos\nsystem\n")
    visitor.get_by_label("Clear").first.click()
    visitor.locator("input[type=file]").first.set_input_files(tmp_path / "evil.png")
    visitor.get_by_text("evil.png cannot be read as an image").first.wait_for(timeout=20_000)
    assert "uploads" not in visitor.locator("body").inner_text()
    visitor.get_by_role("tab", name="One unit").click()
    visitor.get_by_label("Name of the unit").fill("wall colour")
    visitor.get_by_role("button", name="Rename").click()
    visitor.wait_for_timeout(1_500)
    assert choosing.named(Run(served.run)) == {"wall colour": first}
    visitor.reload()
    visitor.get_by_text("wall colour").first.wait_for(timeout=20_000)
    visitor.get_by_role("tab", name="Swap").click()
    visitor.get_by_label("Thumbnail 3 of 12").last.click()
    visitor.wait_for_timeout(3_000)
    visitor.get_by_role("button", name="Swap", exact=True).click()
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('edit swap'))")
    visitor.get_by_role("tab", name="One unit").click()
    visitor.get_by_role("button", name="Every unit from low to high").click()
    drawn = "document.querySelectorAll('.grid-container img').length"
    before = visitor.evaluate(drawn)
    wait(f"() => {drawn} > {before + 1}")
    visitor.get_by_role("button", name="Cancel what is running").click()
    visitor.wait_for_timeout(1_500)
    stopped = visitor.evaluate(drawn)
    visitor.wait_for_timeout(2_000)
    assert visitor.evaluate(drawn) == stopped
    assert outside == []
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.slow
def test_a_phone_sees_the_whole_page(served: Served, browser: Any) -> None:
    phone = browser.new_page(viewport={"width": 375, "height": 700})
    phone.goto(served.address)
    phone.locator("input[type=range]").first.wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.slow
def test_many_edits_of_two_people_leave_no_trace_in_memory(quick_run: Run) -> None:
    explorer, failed = Explorer(quick_run), []
    people = [explorer.pick(row, None) for row in (3, 9)]
    wanted = [explorer.edit(one, [0.9, *one.shares[1:]])[0] for one in people]
    before = psutil.Process().memory_info().rss

    def work(at: int) -> None:
        for _ in range(100):
            made = explorer.edit(people[at], [0.9, *people[at].shares[1:]])[0]
            if (made != wanted[at]).any():
                failed.append(at)

    both = [threading.Thread(target=work, args=(at,)) for at in (0, 1)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert failed == []
    assert psutil.Process().memory_info().rss - before < 200e6


def test_a_folder_for_a_space(quick_run: Run, tmp_path: Path) -> None:
    folder = space.export(Explorer(quick_run), tmp_path / "space")
    assert {path.name for path in folder.iterdir()} == {"README.md", "app.py", "requirements.txt", "run", "unweave"}
    needed = (folder / "requirements.txt").read_text()
    assert "torch" in needed
    assert "gradio" in needed
    assert "pytest" not in needed
    assert len(list((folder / "run" / "examples").glob("*.png"))) == 12
    assert (folder / "unweave" / "app" / "interface.py").is_file()
    assert not list(folder.rglob("__pycache__"))
    with pytest.raises(FileExistsError, match="space"):
        space.export(Explorer(quick_run), folder)
