"""The distribution's Chromium, driven by selenium, with the few things more that these tests ask of it."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# Pictures are kept there, to be looked at after a change.
PICTURES = Path(os.environ.get("SEEDBED_PICTURES") or Path(__file__).resolve().parents[2] / "artifacts")

FLAGS = (
    "--headless=new",
    # Tests run as root in containers, where Chromium's own sandbox cannot be set up.
    "--no-sandbox",
    "--disable-gpu",
    # It asks nobody but the lab, neither for itself.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # A lab is plain HTTP, and nobody is there to press "Keep".
    "--disable-features=InsecureDownloadWarnings",
)


def fetch(url: str) -> bytes:
    """Return what a URL answers, never by way of a proxy."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=120) as answer:
        return answer.read()


class Browser(webdriver.Chrome):
    """A headless Chromium that tells what it asked for and what it shows."""

    def __init__(self, languages: str = "en") -> None:
        options = webdriver.ChromeOptions()
        # Named, so that selenium does not look for a browser and a driver elsewhere.
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": languages})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        super().__init__(options, Service("/usr/bin/chromedriver"))

    def wait(self, what: str, done: Callable[[], Any], seconds: float = 120) -> Any:
        """Return the first true answer of `done`, or fail saying what did not happen."""
        waiting = WebDriverWait(self, seconds, poll_frequency=0.05)
        return waiting.until(lambda _: done(), f"not within {seconds} s: {what}")

    def find(self, selector: str) -> list[WebElement]:
        """Return the elements of a selector."""
        return self.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """Click the first element of a selector, as a person would."""
        self.find(selector)[0].click()

    def texts(self, selector: str) -> list[str]:
        """Return the text of every visible element of a selector."""
        return self.execute_script(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
            ".map(e => e.textContent.trim())",
            selector,
        )

    def shows(self, selector: str, expected: list[str]) -> None:
        """Wait until the visible elements of a selector have these texts: a click is drawn a moment later."""
        self.wait(f"{selector} shows {expected}", lambda: self.texts(selector) == expected)

    def complaints(self) -> list[str]:
        """Return the errors and warnings on the console since the last look."""
        return [entry["message"] for entry in self.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]

    def requests(self) -> list[str]:
        """Return the URLs that were asked for since the last look."""
        messages = [json.loads(entry["message"])["message"] for entry in self.get_log("performance")]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    def screen(self, width: int, height: int = 900, theme: str = "light") -> None:
        """Set the size of the page's view, and light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def picture(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        shot = self.execute_cdp_cmd("Page.captureScreenshot", {})
        path.write_bytes(base64.b64decode(shot["data"]))

    def keep(self, name: str) -> None:
        """Keep a picture of what is seen."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.picture(PICTURES / f"{name}.png")
