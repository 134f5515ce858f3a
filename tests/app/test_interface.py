"""The page in a real browser where there is one, and what its server gives away."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from PIL import Image
from tests.app.conftest import app_in
from tests.app.visitor import Visitor

pytest.importorskip("gradio")

from unweave.app.explorer import Explorer
from unweave.app.export import export_folder
from unweave.app.interface import launch
from unweave.runs.factors import require_factors
from unweave.runs.run import Run

pytestmark = pytest.mark.long

SLIDERS = "input[type=range][aria-label^='range slider']"


class Served(NamedTuple):
    address: str
    run: Path
    folder: Path  # where it was started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`unweave app` on the model in the package, whose pictures a slider really changes."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "secret.txt").write_text("secret")
    (folder / "temporary").mkdir()
    variables = {"GRADIO_ALLOWED_PATHS": str(folder), "TMPDIR": str(folder / "temporary")}
    with app_in(folder, "builtin:rooms", **variables) as address:
        yield Served(address.removesuffix("/"), folder / "runs" / "builtin-rooms", folder)


def get_status(address: str) -> int:
    """The status of a GET."""
    try:
        with urlopen(Request(address), timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.slow
def test_sigterm_ends_the_app_in_two_seconds_and_leaves_nothing(quick_run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "unweave", "app", str(quick_run.path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    app = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert app.stderr is not None
    line = next(text for text in app.stderr if text.startswith("open "))
    assert get_status(line.split()[1]) == 200
    began = time.monotonic()
    app.send_signal(signal.SIGTERM)
    assert app.wait(timeout=20) == 143
    assert time.monotonic() - began < 2
    assert list(tmp_path.glob("unweave-*")) == []


def test_nothing_outside_the_page_is_served(served: Served) -> None:
    run, secret = served.run, served.folder / "secret.txt"
    assert served.address.startswith("http://127.0.0.1:")
    assert get_status(served.address) == 200
    for path in ("/etc/passwd", secret, run / "settings.toml", Path.cwd() / "pyproject.toml"):
        for prefix in ("/gradio_api/file=", "/file=", "/gradio_api/stream/", "/gradio_api/proxy=http://"):
            assert get_status(f"{served.address}{prefix}{path}") >= 400, (prefix, path)
    for path in ("/gradio_api/file=../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/..%2f..%2fetc%2fpasswd"):
        assert get_status(f"{served.address}{path}") >= 400, path


def test_a_path_cannot_be_smuggled_in_as_an_upload(served: Served) -> None:
    visitor = Visitor(served.address)
    assert len(visitor.of("upload")) == 2
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        private = Path(folder) / "private.png"
        Image.new("RGB", (9, 9), "red").save(private)
        for sent in (private, served.run / "settings.toml", Path("/etc/passwd")):
            answer = visitor.open(str(sent))
            assert not answer["success"], sent
            assert "private.png" not in json.dumps(answer)


def picture(ending: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), shade: int = 90, **options: Any) -> bytes:
    memory = io.BytesIO()
    Image.new("L", size, shade).convert(mode).save(memory, ending, **options)
    return memory.getvalue()


def greys_of_16_bits(shade: int) -> bytes:
    memory = io.BytesIO()
    Image.new("I;16", (40, 30), shade).save(memory, "PNG")
    return memory.getvalue()


ANIMATED = {"save_all": True, "append_images": [Image.new("P", (40, 30), 7)]}
TURNED = Image.Exif()
TURNED[0x0112] = 6
GOOD = {
    "greys of 16 bits.png": greys_of_16_bits(90 * 257),
    "one pixel.png": picture("PNG", size=(1, 1)),
    "a line.png": picture("PNG", size=(4_000, 1)),
    "palette.gif": picture("GIF", "P", **ANIMATED),
    "inks.jpg": picture("JPEG", "CMYK"),
    "alpha.webp": picture("WEBP", "RGBA"),
    "turned (1) é'.jpg": picture("JPEG", exif=TURNED),
    "a program behind it.png": picture("PNG") + b"PK\x03\x04<script>alert(1)</script>",
}
BAD = {
    "empty.png": b"",
    "cut.png": picture("PNG", size=(400, 300))[:90],
    "cut.jpg": picture("JPEG")[:200],
    "pickle.png": b"\x80\x04\x95cos\nsystem\n",
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "page.png": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "bomb.png": picture("PNG", "1", (9_000, 9_000)),
    "larger than it is.png": picture("PNG")[:16] + b"\xff\xff\xff\xff" * 2 + picture("PNG")[24:],
    "numbers.tif": picture("TIFF", "F"),
    "zip.png": b"PK\x05\x06" + bytes(18),
    "twelve bits in sixteen.png": greys_of_16_bits(90),
}


def test_whatever_is_uploaded_the_page_lives(served: Served) -> None:
    visitor = Visitor(served.address)
    for name, content in GOOD.items():
        answer = visitor.open(visitor.send(name, content), name)
        assert answer["success"], (name, answer["output"])
        command = next(text for text in answer["output"]["data"] if "reconstruct" in str(text))
        assert shlex.split(command)[-1] == name
    for function in (0, 1):
        for name, content in BAD.items():
            answer = visitor.open(visitor.send(name, content), name, function)
            assert not answer["success"], name
            assert "uploads" not in answer["output"]["error"]
    assert get_status(served.address) == 200


def test_visitors_do_not_disturb_each_other(served: Served) -> None:
    def visit(shade: int) -> list[str]:
        visitor, name = Visitor(served.address), f"{shade}.png"
        key = visitor.open(visitor.send(name, picture("PNG", shade=shade)), name)["output"]["data"][1]
        digests = []
        for share in (90, 10, 90):
            answer = visitor.move(key, share)
            assert "data" in answer, answer
            data = answer["data"]
            assert f" {name} --to " in data[2]
            digests.append(data[1]["after"])
        return digests

    with ThreadPoolExecutor(2) as both:
        one, two = both.map(visit, (20, 230))
    assert one[0] == one[2] != one[1]
    assert two[0] == two[2] != two[1]
    assert not set(one) & set(two)


def test_a_wrong_upload_leaves_the_servers_terminal_in_peace(served: Served) -> None:
    visitor, before = Visitor(served.address), (served.folder / "stderr.txt").read_text()
    answer = visitor.open(visitor.send("<b>x.png", b"no image"), "<b>x.png")
    assert "&lt;b&gt;x.png cannot be read" in answer["output"]["error"]
    assert (served.folder / "stderr.txt").read_text() == before


def is_skipped(data: list[Any]) -> bool:
    """Whether the outputs of an edit stay as they are; the first is a state, which no page sees."""
    return all(update["__type__"] == "update" and "value" not in update for update in data[1:])


def test_reset_leaves_out_an_edit_that_waits(served: Served) -> None:
    visitor = Visitor(served.address)
    reset = next(function["id"] for function in visitor.functions if function["api_name"] == "reset")
    before = visitor.open(visitor.send("mine.png", picture("PNG")), "mine.png")["output"]["data"][1]
    after = visitor.ask(reset, [None])["output"]["data"][1]
    assert after != before
    assert is_skipped(visitor.move(before, 90)["data"])
    assert "adjust" in visitor.move(after, 90)["data"][2]


def test_pictures_and_uploads_go_with_the_server(quick_run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "unweave", "app", str(quick_run.path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stderr is not None
        address = next(line for line in server.stderr if line.startswith("open ")).split()[1].rstrip("/")
        visitor = Visitor(address)
        assert visitor.open(visitor.send("mine.png", picture("PNG")), "mine.png")["success"]
        assert list(tmp_path.glob("unweave-*/*"))
        server.terminate()
        server.wait()
    assert not list(tmp_path.glob("unweave-*"))


def test_a_slider_that_was_moved_for_the_image_before_does_nothing(served: Served) -> None:
    visitor = Visitor(served.address)
    sent = visitor.send("mine.png", picture("PNG"))
    first = visitor.open(sent, "mine.png")["output"]["data"][1]
    second = visitor.open(sent, "mine.png")["output"]["data"][1]
    late, now = (visitor.move(key, 90)["data"] for key in (first, second))
    assert is_skipped(late)
    assert "adjust" in now[2]


def test_a_visit(served: Served, browser: Any, tmp_path: Path) -> None:
    visitor = browser.new_page(viewport={"width": 1280, "height": 900})
    outside = []
    visitor.on("request", lambda request: outside.append(request.url) if "127.0.0.1" not in request.url else None)
    visitor.goto(served.address)
    visitor.get_by_role("button", name="Make it again").click()
    command = visitor.get_by_label("The command that makes this edit again")
    wait = visitor.wait_for_function
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('reconstruct'))")
    before, picture_before = command.input_value(), visitor.get_by_alt_text("edit").get_attribute("src")
    slider = visitor.locator(SLIDERS).first
    first = "f1"
    assert "range slider for f1" in (slider.get_attribute("aria-label") or "")
    slider.focus()
    key = "ArrowLeft" if float(slider.input_value()) > 50 else "ArrowRight"
    for _ in range(12):
        visitor.keyboard.press(key)
    last = f"{first}={float(slider.input_value()) / 100:.2f}"
    wait(f"() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('{last}'))")
    assert command.input_value() != before
    assert visitor.get_by_alt_text("edit").get_attribute("src") != picture_before
    visitor.wait_for_timeout(500)
    with visitor.expect_download() as download:
        visitor.get_by_role("button", name="Save").click()
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.info["unweave"] == command.input_value()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "mine.png")
    visitor.locator("input[type=file]").first.set_input_files(tmp_path / "mine.png")
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('mine.png'))")
    (tmp_path / "evil.png").write_bytes(b"\x80\x04\x95cos\nsystem\n")
    visitor.get_by_label("Clear").first.click()
    visitor.locator("input[type=file]").first.set_input_files(tmp_path / "evil.png")
    visitor.get_by_text("evil.png cannot be read as an image").first.wait_for(timeout=20_000)
    assert "uploads" not in visitor.locator("body").inner_text()
    visitor.get_by_role("button", name="Name or change a factor").click()
    visitor.get_by_label("Name of the factor").fill("wall colour")
    visitor.get_by_role("button", name="Rename").click()
    visitor.wait_for_timeout(1_500)
    assert require_factors(Run(served.run)).factors[0].name == "wall colour"
    visitor.reload()
    visitor.get_by_text("wall colour").first.wait_for(timeout=20_000)
    visitor.get_by_role("tab", name="Two pictures").click()
    visitor.get_by_label("Thumbnail 3 of 12").last.click()
    visitor.wait_for_timeout(3_000)
    visitor.get_by_role("button", name="Swap", exact=True).click()
    wait("() => [...document.querySelectorAll('textarea')].some(one => one.value.includes('edit swap'))")
    visitor.wait_for_timeout(4_000)
    captions = "[...document.querySelectorAll('.caption-label')].map(one => one.innerText)"
    assert visitor.evaluate(captions)[:2] == ["rebuilt", "partner"]
    assert len(visitor.evaluate(captions)) > 2
    broken = "[...document.querySelectorAll('img')].filter(one => one.complete && one.naturalWidth == 0).length"
    assert visitor.evaluate(broken) == 0
    visitor.get_by_role("tab", name="One by one").click()
    visitor.get_by_role("button", name="Every unit from low to high").click()
    drawn = "document.querySelectorAll('.grid-container img').length"
    before = visitor.evaluate(drawn)
    wait(f"() => {drawn} > {before + 1}")
    visitor.get_by_role("button", name="Cancel").click()
    visitor.wait_for_timeout(1_500)
    stopped = visitor.evaluate(drawn)
    visitor.wait_for_timeout(2_000)
    assert visitor.evaluate(drawn) == stopped
    visitor.get_by_label("Thumbnail 5 of 12").first.click()
    wait(f"() => {captions}.length == 0")  # they were of the image before
    assert outside == []
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 1280


STRIPS_DRAWN = """[...document.querySelectorAll(".card")].filter(card => card.offsetParent)
    .every(card => card.querySelector(".strip img"))"""
NAMELESS = """() => [...document.querySelectorAll('input,textarea,button')]
    .filter(one => one.offsetParent !== null)
    .filter(one => ![one.getAttribute('aria-label'), one.innerText, one.querySelector('img')?.alt,
        ...[...one.labels ?? []].map(label => label.innerText)].some(name => name?.trim()))
    .map(one => one.outerHTML.slice(0, 200))"""


def test_every_control_has_a_name_and_a_place_in_the_tab_order(served: Served, browser: Any) -> None:
    visitor = browser.new_page(viewport={"width": 1280, "height": 900})
    visitor.goto(served.address)
    sliders = visitor.locator(SLIDERS)
    sliders.first.wait_for()
    visitor.wait_for_function(STRIPS_DRAWN)  # drawing a strip takes the focus from its card
    for tab in ("Two pictures", "Many pictures", "The set", "One by one", "Factors"):
        visitor.get_by_role("tab", name=tab).click()
        visitor.wait_for_timeout(500)
        assert visitor.evaluate(NAMELESS) == []
    reached = []
    for _ in range(60):  # states and buttons lie between the sliders
        visitor.keyboard.press("Tab")
        reached.append(visitor.evaluate("document.activeElement.getAttribute('aria-label')"))
    cards = visitor.locator(f".card {SLIDERS}").count()
    assert len({name for name in reached if name and name.startswith("range slider for ")}) == cards > 3, reached


def test_a_phone_sees_the_whole_page(served: Served, browser: Any) -> None:
    phone = browser.new_page(viewport={"width": 375, "height": 700})
    phone.goto(served.address)
    phone.locator(SLIDERS).first.wait_for()
    for tab in phone.get_by_role("tab").all():  # none hides behind dots
        box = tab.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= 375
        tab.click()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_lasso_is_drawn_by_keys_alone(served: Served, browser: Any) -> None:
    visitor = browser.new_page(viewport={"width": 1280, "height": 900})
    visitor.goto(served.address)
    visitor.get_by_role("tab", name="The set").click()
    visitor.get_by_role("button", name="Draw the map").click()
    visitor.wait_for_selector(".map circle", state="attached", timeout=60_000)
    visitor.locator(".map svg").focus()

    def press(*keys: str) -> None:
        for key in keys:
            visitor.keyboard.press(key)

    def walk(key: str) -> list[str]:
        return [key] * 10

    press(*walk("ArrowUp"), *walk("ArrowLeft"), " ", *walk("ArrowRight"), *walk("ArrowRight"), " ")
    press(*walk("ArrowDown"), *walk("ArrowDown"), " ", *walk("ArrowLeft"), *walk("ArrowLeft"), " ", "Enter")
    taken = visitor.locator(".map circle.taken")
    taken.first.wait_for(state="attached")
    assert 150 < taken.count() < 350  # four fifths of either side
    visitor.get_by_text(f"{taken.count()} pictures are selected.").wait_for()
    before = visitor.get_by_alt_text("edit").get_attribute("src")
    visitor.locator(".map svg").focus()
    press("ArrowUp", "ArrowUp", "Enter")
    visitor.wait_for_function("src => document.querySelector('.compare img.after').src !== src", arg=before)


def test_whoever_waits_sees_their_place_in_the_line(served: Served, browser: Any) -> None:
    visitor = browser.new_page(viewport={"width": 1280, "height": 900})
    visitor.goto(served.address)
    visitor.wait_for_selector(".compare img.after[src^=data]")
    others = [Visitor(served.address) for _ in range(8)]
    keys = [other.open(other.send("a.png", picture("PNG")), "a.png")["output"]["data"][1] for other in others]
    with ThreadPoolExecutor(len(others)) as crowd:
        moved = [crowd.submit(other.move, key, 90) for other, key in zip(others, keys)]
        visitor.locator(SLIDERS).first.focus()
        visitor.keyboard.press("ArrowLeft")
        visitor.get_by_text(re.compile(r"queue: \d/\d")).first.wait_for(timeout=20_000)
        for each in moved:
            each.result()


def test_many_edits_of_two_people_leave_no_trace_in_memory(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    ready: list[str] = []
    page = launch(Explorer(quick_run), host="127.0.0.1", port=None, share=False, ready=ready.append, wait=False)
    before = []

    def visit(shade: int) -> None:
        visitor = Visitor(ready[0].rstrip("/"))
        key = visitor.open(visitor.send("a.png", picture("PNG", shade=shade)))["output"]["data"][1]
        for position in range(100):
            assert "adjust" in visitor.move(key, position)["data"][2]
            if position == 5:
                before.append(psutil.Process().memory_info().rss)

    try:
        with ThreadPoolExecutor(2) as both:
            list(both.map(visit, (20, 230)))
        growth = psutil.Process().memory_info().rss - before[0]
    finally:
        page.close()
    assert growth < 200e6


def test_thirty_visitors_at_once_are_all_served(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    ready: list[str] = []
    page = launch(Explorer(quick_run), host="127.0.0.1", port=None, share=False, ready=ready.append, wait=False)

    def visit(shade: int) -> list[str]:
        visitor, name = Visitor(ready[0].rstrip("/")), f"{shade}.png"
        key = visitor.open(visitor.send(name, picture("PNG", shade=shade)), name)["output"]["data"][1]
        return [str(visitor.move(key, share)["data"][2]) for share in (10, 90)]

    try:
        with ThreadPoolExecutor(30) as crowd:
            commands = list(crowd.map(visit, range(30)))
    finally:
        page.close()
    assert all(f" {shade}.png --to " in command for shade, both in enumerate(commands) for command in both)


def test_a_folder_for_a_space(quick_run: Run, tmp_path: Path) -> None:
    folder = export_folder(Explorer(quick_run), tmp_path / "space")
    assert {path.name for path in folder.iterdir()} == {"README.md", "app.py", "requirements.txt", "run", "unweave"}
    requirements = (folder / "requirements.txt").read_text()
    assert "torch" in requirements
    assert "gradio" in requirements
    assert "pytest" not in requirements
    assert len(list((folder / "run" / "examples").glob("*.png"))) == 12
    assert (folder / "unweave" / "app" / "interface.py").is_file()
    assert not list(folder.rglob("__pycache__"))
    with pytest.raises(FileExistsError, match="space"):
        export_folder(Explorer(quick_run), folder)
