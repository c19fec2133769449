"""Firefox as Debian has it, by WebDriver BiDi over its own socket: no driver, no patched build.

https://w3c.github.io/webdriver-bidi/
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from typing import Any

_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


def find() -> str | None:
    """The path of Firefox; None where it is not installed."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One window with one tab."""

    def __init__(self, size: tuple[int, int] = (1440, 900)) -> None:
        from websockets.sync.client import connect

        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        text = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _PREFERENCES.items()]
        Path(self._profile.name, "user.js").write_text("\n".join(text))
        path = find()
        assert path is not None
        words = [path, "--headless", "--remote-debugging-port", "0", "--profile"]
        self._process = subprocess.Popen(
            [*words, self._profile.name, "about:blank"], stderr=subprocess.PIPE, text=True
        )
        self._open = contextlib.ExitStack()
        self._open.callback(self._end)
        joined = connect(self._address() + "/session", max_size=None)
        self._socket = self._open.enter_context(joined)
        self._number = 0
        self.errors: list[str] = []
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        viewport = {"width": size[0], "height": size[1]}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=viewport)

    def _address(self, seconds: float = 60) -> str:
        """Read what Firefox says until it names its socket, and on, so that it never waits."""
        found: Queue[str] = Queue()
        said = self._process.stderr
        assert said is not None

        def read() -> None:
            for line in said:
                if match := _LISTENING.search(line):
                    found.put(match[1])

        threading.Thread(target=read, daemon=True).start()
        try:
            return found.get(timeout=seconds)
        except Empty:
            self._process.kill()
            raise AssertionError("Firefox did not open its socket") from None

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(timeout=90))
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.errors.append(str(told["params"]["text"]))
            if told.get("id") == self._number:
                assert told["type"] == "success", told
                return told["result"]

    def goto(self, address: str) -> None:
        """Load a page."""
        self._ask("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression is, by way of JSON."""
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def until(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression is true; it may use ``desk`` and ``state``."""
        told = (
            f"((desk) => {{ const state = desk?.state; return Boolean(desk && ({condition})); }})"
        )
        end = time.monotonic() + seconds
        while not self.evaluate(f"{told}(window.cleanplate?.desk)"):
            assert time.monotonic() < end, (condition, self.errors)
            time.sleep(0.1)

    def drag(self, *places: tuple[float, float]) -> None:
        """Press at the first place of the window, go to the others, let go."""
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30} for x, y in places
        ]
        down, up = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        self._act("pointer", [moves[0], down, *moves[1:], up])

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        box = self.evaluate(
            f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        )
        self.drag((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))

    def press(self, *keys: str) -> None:
        """Type keys, each by itself."""
        ways = [{"type": way, "value": key} for key in keys for way in ("keyDown", "keyUp")]
        self._act("key", ways)

    def _act(self, kind: str, actions: list[dict[str, Any]]) -> None:
        device = {"type": kind, "id": kind, "actions": actions}
        self._ask("input.performActions", context=self._tab, actions=[device])

    def picture(self, path: Path) -> None:
        """What it shows now, as a PNG."""
        data = self._ask("browsingContext.captureScreenshot", context=self._tab)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End it."""
        self._open.close()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._profile.cleanup()
