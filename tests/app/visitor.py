"""A page that is open, without a browser."""

import json
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

OWN_NOISE = "the image's own noise"


class Visitor:
    """Says to the server what the page says, without the page."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address, uuid4().hex
        with urlopen(f"{address}/config", timeout=20) as answer:
            self.functions = json.load(answer)["dependencies"]

    def of(self, event: str) -> list[int]:
        """The functions behind an event, in the order of the page."""
        return [function["id"] for function in self.functions if [name for _, name in function["targets"]] == [event]]

    def move(self, key: str, share: float) -> dict[str, Any]:
        """All sliders, of the image that the browser shows under this key."""
        sliders = self.of("input")[1:]  # after where to begin from
        return self.ask(sliders[0], [None, key, None, *[share] * len(sliders)])["output"]

    def ask(self, function: int, data: list[Any]) -> dict[str, Any]:
        body = json.dumps({"data": data, "fn_index": function, "session_hash": self.session}).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.address}/gradio_api/queue/join", body, headers), timeout=20) as answer:
            assert answer.status == 200
        with urlopen(f"{self.address}/gradio_api/queue/data?session_hash={self.session}", timeout=60) as lines:
            for line in lines:
                message = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
                if message.get("msg") == "process_completed":
                    return dict(message)
        raise AssertionError("the server said nothing")

    def send(self, name: str, content: bytes) -> str:
        """Upload a file; where the server has it."""
        mark = uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        with urlopen(Request(f"{self.address}/gradio_api/upload", body, headers), timeout=20) as answer:
            return str(json.load(answer)[0])

    def open(self, path: str, name: str = "", function: int = 0) -> dict[str, Any]:
        """Pick a file that the server has: as the image, or as the partner (1)."""
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        return self.ask(self.of("upload")[function], [file, OWN_NOISE, name])
