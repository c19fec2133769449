"""What a person does at the page, and what they see there."""

from __future__ import annotations

from typing import Any

from tests.app_browser.clips import BITS, BLOCK

CANVAS = "#cp-stage canvas"
_READ = """([size, bits]) => {
  const canvas = document.querySelector('#cp-stage canvas');
  const context = canvas.getContext('2d');
  const { view } = window.cleanplate;
  const grey = (place) => {
    const x = (view.x + (place + 0.5) * size * view.scale) * devicePixelRatio;
    const y = (view.y + 0.5 * size * view.scale) * devicePixelRatio;
    const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
    return red + green + blue > 384 ? 1 : 0;
  };
  if (!grey(0) || grey(1)) return -1;
  let number = 0;
  for (let bit = 0; bit < bits; bit += 1) number |= grey(bit + 2) << bit;
  return number;
}"""


class Person:
    """One tab. Waits for conditions, never for time."""

    def __init__(self, context: Any, address: str) -> None:
        self.context, self.address = context, address
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page = self._tab()

    def _tab(self) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", self._note)
        return page

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def visit(self, project: str | None = None) -> None:
        self.page.goto(self.address + (f"/?project={project}" if project else "/"))
        self.page.wait_for_selector("body.cp-begun", state="attached")
        if project:
            self.sees(0)

    def another_tab(self) -> Person:
        """The same link in a second tab of the same browser."""
        other = object.__new__(Person)
        other.context, other.address, other.errors, other.elsewhere = (
            *(self.context, self.address, [], []),
        )
        other.page = other._tab()
        other.page.goto(self.page.url)
        other.page.wait_for_selector("body.cp-begun", state="attached")
        return other

    # What the page knows

    @property
    def project(self) -> str:
        return str(self.page.evaluate("window.cleanplate.desk.link.id"))

    def desk(self, what: str) -> Any:
        return self.page.evaluate(f"window.cleanplate.desk.{what}")

    def until(self, condition: str, seconds: float = 60) -> Any:
        """Wait until a JavaScript expression is true; it may use ``desk`` and ``state``."""
        script = f"""(() => {{
            const desk = window.cleanplate?.desk;
            const state = desk?.state;
            return Boolean(desk) && ({condition});
        }})()"""
        return self.page.wait_for_function(script, timeout=1000 * seconds).json_value()

    def settled(self, seconds: float = 60) -> None:
        """Wait until all that was said is answered."""
        self.until("desk.drafts.size === 0 && desk.link.waiting === 0", seconds)

    # What they see

    def sees(self, frame: int, seconds: float = 30) -> None:
        """Wait until the stage shows this frame."""
        self.page.wait_for_selector(
            f"{CANVAS}[data-frame='{frame}']", state="attached", timeout=1000 * seconds
        )

    def sees_mask(self) -> None:
        """Wait until the mask of all that was said is on the stage."""
        self.settled()
        masks = "encodeURIComponent(state.masks)"
        self.until(f"document.querySelector('{CANVAS}').dataset.mask?.endsWith({masks})")

    def reads_code(self) -> int:
        """The number that the blocks on the stage tell; -1 where there are none."""
        return int(self.page.evaluate(_READ, [BLOCK, BITS]))

    def drawn(self) -> int:
        """The frame that the stage says it shows."""
        return int(self.page.get_attribute(CANVAS, "data-frame"))

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    # Where things are

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The middle of a pixel of the clip, on the screen."""
        box = self.page.locator(CANVAS).bounding_box()
        view = self.page.evaluate("({ ...window.cleanplate.view })")
        return (
            box["x"] + view["x"] + (x + 0.5) * view["scale"],
            box["y"] + view["y"] + (y + 0.5) * view["scale"],
        )

    # What they do

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, x: float, y: float, **more: Any) -> None:
        self.page.mouse.click(*self.place(x, y), **more)

    def drag(self, *points: tuple[float, float], release: bool = True) -> None:
        """Press at the first, go to the others, let go at the last."""
        self.page.mouse.move(*self.place(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=3)
        if release:
            self.page.mouse.up()

    def points(self, object_id: int = 1, frame: int = 0) -> list[list[Any]]:
        """What the server was told."""
        return self.desk(f"state.prompts[{frame}]?.[{object_id}]?.points ?? []")

    def mask(self, frame: int, project: str | None = None) -> bytes:
        """A frame's mask as the server gives it now."""
        path = f"/project/{project or self.project}/mask/{frame}.png"
        answer = self.context.request.get(self.address + path)
        assert answer.ok, answer.text()
        return bytes(answer.body())
