// Keys of the whole page, and the list of them that ? opens.

import {
  addPoint,
  approve,
  chooseByDigit,
  clearPrompt,
  clearIn,
  clearOut,
  trackObjects,
  gone,
  goTo,
  jumpToDoubt,
  newObject,
  nextCandidate,
  play,
  redo,
  removeAll,
  setBox,
  setIn,
  setOut,
  setRadius,
  setTool,
  shuttle,
  step,
  tryHere,
  undo,
} from "./actions.js";
import { change, clip, desk, reach, result } from "./desk.js";
import { make } from "./dom.js";
import { toggleFilled } from "./filled.js";
import { middle } from "./marks.js";
import { abandon, held } from "./pointer.js";
import { fit, view, zoomAt } from "./view.js";

const GROUPS = [
  [
    "Frames",
    [
      ["← →", "One frame back or on; with Shift ten"],
      ["Home End", "First or last frame"],
      ["Space", "Play and pause"],
      ["J K L", "Play backward, stop, play; again for faster"],
      ["{ }", "Frame to check, before or after"],
      ["I O", "In or out here; with Shift clear it"],
    ],
  ],
  [
    "Point",
    [
      ["Click", "Part of it; on a point: delete the point"],
      ["Right click, Shift+click", "Not part of it"],
      ["V", "Add tool"],
      ["X", "Exclude tool"],
      ["D", "Draw a box"],
      ["B E", "Brush, eraser"],
      ["[ ]", "Smaller or larger brush"],
      ["T", "Next outline"],
      ["Del", "Clear the marks of this frame"],
      ["G", "It is gone from here"],
      ["A", "This frame looks right"],
      ["P", "Point by keys: arrows move (Shift by ten), Enter adds, Shift+Enter excludes"],
      ["Ctrl+Z, Ctrl+Shift+Z", "Undo, redo"],
    ],
  ],
  [
    "Objects",
    [
      ["N", "New object"],
      ["1 – 9", "Choose an object"],
    ],
  ],
  [
    "See",
    [
      ["M", "Masks on or off"],
      ["Q", "This frame filled, or its masks"],
      ["Wheel, + −", "Zoom"],
      ["0", "Fit"],
      ["Space+drag, middle drag, H", "Move the picture"],
      ["Hold C", "The original, while a result is shown"],
      ["W", "Next comparison"],
    ],
  ],
  [
    "Go",
    [
      ["F", "Track both ways"],
      ["Y", "Try 2 s here"],
      ["R", "Remove"],
      ["Esc", "Leave, cancel"],
      ["?", "This list"],
    ],
  ],
];

/** Ways to compare, in the order of their buttons. */
export const WAYS = ["wipe", "side", "result", "difference", "flicker"];

function moveCrosshair(dx, dy, far) {
  const by = far ? 10 : 1;
  const { x, y } = desk.crosshair;
  change({
    crosshair: {
      x: Math.min(clip().width - 1, Math.max(0, x + by * dx)),
      y: Math.min(clip().height - 1, Math.max(0, y + by * dy)),
      from: desk.crosshair.from,
    },
  });
}

/** Enter with the crosshair: a point, or the corners of a box one after the other. */
function mark(positive) {
  const { x, y, from } = desk.crosshair;
  if (desk.tool !== "box") return addPoint(x, y, positive && desk.tool !== "minus");
  if (!from)
    return change({
      crosshair: { x, y, from: [x, y] },
      hint: "Move to the opposite corner and press Enter.",
    });
  const box = [
    Math.min(x, from[0]),
    Math.min(y, from[1]),
    Math.max(x, from[0]) + 1,
    Math.max(y, from[1]) + 1,
  ];
  change({ crosshair: null });
  return setBox(box);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function whileCrosshair(event) {
  if (!desk.crosshair) return false;
  if (ARROWS[event.key]) moveCrosshair(...ARROWS[event.key], event.shiftKey);
  else if (event.key === "Enter") mark(!event.shiftKey);
  else return false;
  return true;
}

function pointByKeys() {
  if (result()) change({ shown: null });
  change({
    crosshair: desk.crosshair ? null : middle(),
    hint: desk.crosshair ? "" : "Arrows move the crosshair, Enter marks, Esc leaves.",
  });
  document.querySelector("#cp-stage canvas").focus({ preventScroll: true });
}

const zoomMiddle = (factor) => {
  zoomAt(view.width / 2, view.height / 2, factor);
  change();
};

const PLAIN = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => goTo(reach()[0]),
  End: () => goTo(reach()[1]),
  j: () => shuttle(-1),
  k: () => change({ speed: 0 }),
  l: () => shuttle(1),
  i: () => setIn(),
  o: () => setOut(),
  v: () => setTool("point"),
  x: () => setTool("minus"),
  d: () => setTool("box"),
  b: () => setTool("brush"),
  e: () => setTool("eraser"),
  h: () => setTool("hand"),
  "[": () => setRadius(desk.radius - Math.max(1, desk.radius * 0.15)),
  "]": () => setRadius(desk.radius + Math.max(1, desk.radius * 0.15)),
  t: () => nextCandidate(1),
  Delete: () => clearPrompt(),
  Backspace: () => clearPrompt(),
  g: () => gone(),
  a: () => approve(desk.frame, desk.object),
  p: pointByKeys,
  n: () => newObject(),
  m: () => change({ masks: !desk.masks }),
  q: toggleFilled,
  "+": () => zoomMiddle(1.25),
  "=": () => zoomMiddle(1.25),
  "-": () => zoomMiddle(0.8),
  0: () => {
    fit();
    change();
  },
  w: () => result() && change({ compare: WAYS[(WAYS.indexOf(desk.compare) + 1) % WAYS.length] }),
  "{": () => jumpToDoubt(-1),
  "}": () => jumpToDoubt(1),
  f: () => trackObjects("both"),
  y: tryHere,
  r: removeAll,
  Escape: () => abandon() || change({ crosshair: null, note: null, speed: 0 }),
};
const SHIFTED = {
  ArrowLeft: () => step(-10),
  ArrowRight: () => step(10),
  I: clearIn,
  O: clearOut,
  "{": PLAIN["{"],
  "}": PLAIN["}"],
  "+": PLAIN["+"],
  "?": openKeys,
};

/** Whether a key belongs to what has the focus: a field, a button, a dialog. */
function isTyping(target) {
  if (target.closest("dialog, [role=dialog]")) return true;
  return Boolean(
    target.closest("input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable=true]"),
  );
}

function keyDown(event) {
  const { target, key } = event;
  if (event.defaultPrevented || isTyping(target)) return;
  const command = event.ctrlKey || event.metaKey;
  if (key === "?") return act(event, openKeys);
  if (!desk.state || desk.state.opening) return;
  if (command && !event.altKey) {
    const letter = key.toLowerCase();
    if (letter === "z") act(event, event.shiftKey ? redo : undo);
    if (letter === "y") act(event, redo);
    return;
  }
  if (event.altKey) return;
  if (target.closest("button, a, summary, [role=slider], [type=range]") && isOfFocus(target, key))
    return;
  if (key === " ") {
    event.preventDefault();
    if (!event.repeat) Object.assign(held, { space: true, spaceUsed: false });
    return;
  }
  if (key.toLowerCase() === "c" && !event.repeat) return act(event, () => change({ peek: true }));
  if (whileCrosshair(event)) return event.preventDefault();
  const table = event.shiftKey ? SHIFTED : PLAIN;
  const found =
    table[key] ?? (key.length === 1 && !event.shiftKey ? table[key.toLowerCase()] : null);
  if (found) return act(event, found);
  if (/^[1-9]$/.test(key)) act(event, () => chooseByDigit(Number(key)));
}

/** Keys that a focused control has a use for itself. */
function isOfFocus(target, key) {
  if ([" ", "Enter"].includes(key)) return true;
  return (
    target.matches("[role=slider]:not(.cp-head), [type=range], [type=radio]") &&
    (key.startsWith("Arrow") || key === "Home" || key === "End")
  );
}

function act(event, what) {
  event.preventDefault();
  what();
}

function keyUp(event) {
  if (event.key.toLowerCase() === "c" && desk.peek) change({ peek: false });
  if (event.key !== " " || !held.space) return;
  held.space = false;
  if (!held.spaceUsed && !isTyping(event.target)) play(1);
}

export function openKeys() {
  const dialog = document.getElementById("cp-keys");
  if (!dialog.open) dialog.showModal();
}

function group([title, keys]) {
  return make(
    "section",
    {},
    make("h3", {}, title),
    make(
      "dl",
      {},
      keys.map(([key, says]) => [make("dt", {}, key), make("dd", {}, says)]),
    ),
  );
}

export function startKeys() {
  const dialog = document.getElementById("cp-keys");
  dialog.querySelector(".cp-key-groups").replaceChildren(...GROUPS.map(group));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  document.addEventListener("keydown", keyDown);
  document.addEventListener("keyup", keyUp);
  window.addEventListener("blur", () => change({ peek: false }));
}
