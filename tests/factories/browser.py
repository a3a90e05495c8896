"""A headless Chromium of the test's own, driven over its DevTools protocol, that reaches nothing but this machine."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from simple_websocket import Client

from tests.factories.waiting import wait_until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1200,1400",
)
START_TIMEOUT_S = 60.0
MOST_SHOWN = 4000


def find_chromium() -> str:
    """Return the path of the machine's Chromium; without one the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on PATH")

    return found


class Page:
    """One page of a browser."""

    def __init__(self, socket: Client) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give one DevTools command and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.receive(timeout=30) or "{}")
            if message.get("id") == number:
                result: dict[str, Any] = message["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url: str) -> None:
        """Go to `url`."""
        self.command("Page.navigate", url=url)

    def wait_for(self, selector: str) -> None:
        """Wait until the page holds an element.

        :raises TimeoutError: when it does not come; with what the page shows instead.
        """
        try:
            wait_until(lambda: self.evaluate(f"!!document.querySelector({selector!r})"), timeout_s=30)
        except TimeoutError as err:
            shown = self.evaluate("document.location.href + ' ' + document.documentElement.outerHTML")
            raise TimeoutError(f"{selector} does not come: {str(shown)[:MOST_SHOWN]}") from err

    def click(self, selector: str) -> None:
        """Click an element, once it is there."""
        self.wait_for(selector)
        self.evaluate(f"document.querySelector({selector!r}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type into a field, once it is there."""
        self.wait_for(selector)
        self.evaluate(f"document.querySelector({selector!r}).focus()")
        self.command("Input.insertText", text=text)

    def text(self, selector: str = "body") -> str:
        """Return the visible text of an element."""
        return str(self.evaluate(f"document.querySelector({selector!r}).innerText"))

    def screenshot(self, path: Path) -> None:
        """Save what the page shows."""
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))


@contextmanager
def open_page() -> Iterator[Page]:
    """Run a browser with an empty profile for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="galley-chromium-", ignore_cleanup_errors=True) as profile:
        command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            socket = Client(_page_address(Path(profile) / "DevToolsActivePort"))
            yield Page(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(timeout=30)


def _page_address(port_file: Path) -> str:
    wait_until(lambda: port_file.is_file() and port_file.read_text(), timeout_s=START_TIMEOUT_S)
    port = int(port_file.read_text().split()[0])
    with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
