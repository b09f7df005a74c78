"""A browser for tests: the few words of the W3C WebDriver protocol that they need, over the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def wait_until(what: str, done: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return the first true answer of `done`, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = done()
        if answer:
            return answer
        time.sleep(0.05)  # between two looks; the deadline bounds the wait
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def fetch(url: str) -> bytes:
    """Return what a URL answers, never by way of a proxy."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
        return answer.read()


class Browser:
    """A headless Chromium of the distribution, driven by its chromedriver."""

    def __init__(self, downloads: Path, *arguments: str, languages: str = "en") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}", "--log-level=WARNING"])
        self.session = ""
        wait_until("chromedriver answers", self.is_ready)
        chrome = {
            # Tests run as root in containers, where Chromium's own sandbox cannot be set up.
            "args": [
                *("--headless=new", "--no-sandbox", "--disable-gpu", f"--lang={languages}", *arguments),
                # A lab is plain HTTP, and nobody is there to press "Keep".
                "--disable-features=InsecureDownloadWarnings",
            ],
            "prefs": {"download.default_directory": str(downloads), "intl.accept_languages": languages},
        }
        wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        self.emulate("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})

    def is_ready(self) -> bool:
        """Tell whether chromedriver takes sessions."""
        try:
            return bool(self.call("GET", "/status")["ready"])
        except OSError:
            return False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make one call of the protocol."""
        prefix = f"/session/{self.session}" if self.session else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, prefix + path, None if body is None else json.dumps(body))
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message'].splitlines()[0]}")
        return value

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(10)

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> list[str]:
        """Return the elements of a selector."""
        found = self.call("POST", "/elements", {"using": "css selector", "value": selector})
        return [element[ELEMENT] for element in found]

    def click(self, selector: str) -> None:
        """Click the first element of a selector, as a person would."""
        self.call("POST", f"/element/{self.find(selector)[0]}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Replace the text of a field."""
        field = self.find(selector)[0]
        self.call("POST", f"/element/{field}/clear", {})
        self.call("POST", f"/element/{field}/value", {"text": text})

    def texts(self, selector: str) -> list[str]:
        """Return the text of every visible element of a selector."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
            ".map(e => e.innerText.trim())",
            selector,
        )

    def shows(self, selector: str, expected: list[str], seconds: float = 10.0) -> None:
        """Wait until the visible elements of a selector have these texts: a click is drawn a moment later."""
        deadline = time.monotonic() + seconds
        while (found := self.texts(selector)) != expected and time.monotonic() < deadline:
            time.sleep(0.05)  # between two looks; the deadline bounds the wait
        assert found == expected

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Return what the browser logged since the last look."""
        return self.call("POST", "/se/log", {"type": kind})

    def requests(self) -> list[str]:
        """Return the URLs that were asked for since the last look."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    def emulate(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command of Chromium's own protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width: int, height: int = 900) -> None:
        """Set the size of the page's view."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.emulate("Emulation.setDeviceMetricsOverride", metrics)

    def theme(self, name: str) -> None:
        """Choose light or dark."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.emulate("Emulation.setEmulatedMedia", {"features": [feature]})

    def picture(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        shot = self.emulate("Page.captureScreenshot", {})
        path.write_bytes(base64.b64decode(shot["data"]))
