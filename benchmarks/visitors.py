"""A class at one page: how long each visitor waits for an edit, and whether the server's memory grows.

    python benchmarks/visitors.py builtin:rooms --visitors 30 --edits 10

Starts `unweave app RUN --serve` and lets so many plain clients visit it at once, each asking as the page does: the
page, a picture of its own, the strips of that picture, then edits, with --pause seconds in between. Prints JSON: what
went wrong, seconds from the move of a slider to the picture, the farthest place in the line that was shown, and the
server's memory after each tenth of the edits. Needs the extra `app`.
"""

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple
from urllib.request import Request, urlopen
from uuid import uuid4

import psutil
from PIL import Image

OWN_NOISE = "the image's own noise"


class Answer(NamedTuple):
    """What the server said to an event."""

    data: list[Any]
    seconds: float
    place: int  # the farthest in the line that was said; 0: none


class Visitor:
    """One page that is open, without a browser. Raises RuntimeError where the server reports an error."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address.rstrip("/"), uuid4().hex
        with urlopen(address, timeout=60) as page:
            page.read()
        with urlopen(f"{self.address}/config", timeout=60) as answer:
            self.functions = json.load(answer)["dependencies"]

    def function(self, event: str, name: str = "", after: int = 0) -> int:
        """The number of a function by its event and name."""
        listed = [
            each["id"]
            for each in self.functions
            if (not event or [what for _, what in each["targets"]] == [event]) and name in (each["api_name"] or "")
        ]
        return int(listed[after])

    def ask(self, function: int, data: list[Any]) -> Answer:
        """The answer to an event."""
        began, place = time.monotonic(), 0
        body = json.dumps({"data": data, "fn_index": function, "session_hash": self.session}).encode()
        request = Request(f"{self.address}/gradio_api/queue/join", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            answer.read()
        with urlopen(f"{self.address}/gradio_api/queue/data?session_hash={self.session}", timeout=600) as lines:
            for line in lines:
                message = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
                if message.get("msg") == "estimation":
                    place = max(place, message["rank"] + 1)
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(f"{message['output']}")
                    return Answer(message["output"].get("data", []), time.monotonic() - began, place)
        raise RuntimeError("the server said nothing")

    def pick(self, shade: int) -> str:
        """Upload a picture of one colour and take it in hand; its key."""
        memory, mark = io.BytesIO(), uuid4().hex
        Image.new("RGB", (64, 64), (shade, 90, 255 - shade)).save(memory, "PNG")
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{shade}.png"\r\n\r\n'
        body = head.encode() + memory.getvalue() + f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        with urlopen(Request(f"{self.address}/gradio_api/upload", body, headers), timeout=60) as answer:
            path = json.load(answer)[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        return str(self.ask(self.function("upload"), [file, OWN_NOISE, f"{shade}.png"]).data[1])

    def edit(self, key: str, value: int) -> Answer:
        """All sliders moved to a place."""
        first = self.function("input", after=1)  # after where to begin from
        count = sum([what for _, what in each["targets"]] == ["input"] for each in self.functions) - 1
        return self.ask(first, [None, key, None, *[value] * count])


@contextmanager
def served(run: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a server of the run, and its process."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr.txt"
        command = [sys.executable, "-m", "unweave", "app", run, "--serve"]
        with log.open("w") as file:
            server = subprocess.Popen(command, stderr=file, env=os.environ | {"TMPDIR": folder})
        try:
            while not (address := re.search(r"^open (\S+)", log.read_text(), re.MULTILINE)):
                if server.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.05)
            yield address[1], psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait()


def visit(address: str, number: int, edits: int, pause: float, together: Barrier) -> tuple[list[Answer], list[str]]:
    """What one visitor sees: the answers to its edits, and what went wrong."""
    answers, wrong, key = list[Answer](), list[str](), ""
    try:
        visitor = Visitor(address)
        key = visitor.pick(number * 8 % 256)
        visitor.ask(visitor.function("", "draw_strips"), [None])
    except (OSError, RuntimeError, ValueError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    together.wait()
    for turn in range(edits):
        try:
            answers.append(visitor.edit(key, (7 * number + 31 * turn) % 101))
        except (OSError, RuntimeError, ValueError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
        time.sleep(pause)
    return answers, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="builtin:rooms")
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--edits", type=int, default=10, help="of each visitor")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between a picture and the next edit")
    options = parser.parse_args()
    with served(options.run) as (address, server), ThreadPoolExecutor(options.visitors) as crowd:
        together = Barrier(options.visitors + 1)
        visits = [
            crowd.submit(visit, address, number, options.edits, options.pause, together)
            for number in range(options.visitors)
        ]
        together.wait()
        began, memory = time.monotonic(), [server.memory_info().rss]
        while not all(visit.done() for visit in visits):
            time.sleep(1.0)
            memory.append(server.memory_info().rss)
        seconds = time.monotonic() - began
        answers = [answer for each in visits for answer in each.result()[0]]
        wrong = [text for each in visits for text in each.result()[1]]
    waits = [answer.seconds for answer in answers]
    tenths = [memory[round(share * (len(memory) - 1) / 10)] for share in range(11)]
    results = {
        "command": " ".join(["python", "benchmarks/visitors.py", *sys.argv[1:]]), "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1), "visitors": options.visitors, "edits": len(answers), "errors": len(wrong),
        "first_errors": wrong[:3], "seconds": round(seconds, 1), "wait_median": round(statistics.median(waits), 2),
        "wait_slowest": round(max(waits), 2), "farthest_place": max(answer.place for answer in answers),
        "memory_mb": [round(size / 1e6) for size in tenths],
    }  # fmt: skip
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
