// The pointer on the stage: points, boxes, strokes, zoom and pan. Where it lies is read anew each time.

import { addPoint, addStroke, removePoint, setBox } from "./actions.js";
import { heedPointer } from "./ahead.js";
import { change, desk, object, promptOf, result } from "./desk.js";
import { HANDLES, boxPartAt, gesture, pointAt, pointer } from "./marks.js";
import { draw } from "./stage.js";
import { cornerAt, pan, pixelAt, toClip, zoomAt } from "./view.js";

export const held = { space: false, spaceUsed: false };
const TAP = 12; // px that a finger may slip and still point
const touches = new Map();
let canvas;

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function wantsPan(event) {
  return event.button === 1 || held.space || desk.tool === "hand" || Boolean(result());
}

/** Whether this press takes away: right button, Shift, Ctrl-click on a Mac, or the minus tool. */
function takesAway(event) {
  return event.button === 2 || event.shiftKey || event.ctrlKey || desk.tool === "minus";
}

function down(event) {
  if (!desk.state || desk.state.opening) return;
  canvas.focus({ preventScroll: true });
  heedPointer();
  const [x, y] = place(event);
  touches.set(event.pointerId, [x, y]);
  canvas.setPointerCapture(event.pointerId);
  if (touches.size === 2) return beginPinch();
  if (desk.speed) change({ speed: 0 });
  change({ crosshair: null });
  if (wantsPan(event)) {
    held.spaceUsed = true;
    Object.assign(gesture, { kind: "pan", x, y });
    canvas.style.cursor = "grabbing";
    return;
  }
  if (desk.tool === "box" && event.button === 0) return beginBox(x, y);
  if (["brush", "eraser"].includes(desk.tool)) {
    const positive = desk.tool === "brush" && event.button !== 2 && !event.shiftKey;
    Object.assign(gesture, { kind: "stroke", positive, points: [strokePoint(x, y)] });
    return draw();
  }
  // A finger may be the first of two, or about to drag: it points when it is lifted.
  if (event.pointerType === "touch") Object.assign(gesture, { kind: "tap", x, y });
  else point(x, y, !takesAway(event));
}

function point(x, y, positive) {
  const pixel = pixelAt(x, y);
  if (!pixel) return;
  const old = object() ? pointAt(x, y) : -1;
  if (old >= 0) removePoint(old);
  else addPoint(...pixel, positive);
}

function strokePoint(x, y) {
  return toClip(x, y).map((value) => Math.round((value - 0.5) * 10) / 10);
}

function beginBox(x, y) {
  const part = object() ? boxPartAt(x, y) : null;
  const start = cornerAt(x, y);
  const old = promptOf(desk.frame, desk.object).box;
  Object.assign(gesture, { kind: "box", part, start, old, box: part === null ? null : old });
}

/** The box that a drag to (x, y) makes: a new one, or the old one moved or pulled. */
function boxTo(x, y) {
  const [cx, cy] = cornerAt(x, y);
  const [sx, sy] = gesture.start;
  if (gesture.part === null) return ordered([sx, sy, cx, cy]);
  const [x0, y0, x1, y1] = gesture.old;
  if (gesture.part === "inside") {
    const [right, bottom] = cornerAt(Infinity, Infinity);
    const dx = Math.min(right - x1, Math.max(-x0, cx - sx));
    const dy = Math.min(bottom - y1, Math.max(-y0, cy - sy));
    return [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
  }
  const [u, v] = HANDLES[gesture.part];
  return ordered([u === 0 ? cx : x0, v === 0 ? cy : y0, u === 1 ? cx : x1, v === 1 ? cy : y1]);
}

const ordered = ([x0, y0, x1, y1]) => [
  Math.min(x0, x1),
  Math.min(y0, y1),
  Math.max(x0, x1),
  Math.max(y0, y1),
];

function beginPinch() {
  const [a, b] = [...touches.values()];
  Object.assign(gesture, {
    kind: "pinch",
    distance: Math.hypot(a[0] - b[0], a[1] - b[1]),
    middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2],
  });
}

function pinch() {
  const [a, b] = [...touches.values()];
  const distance = Math.hypot(a[0] - b[0], a[1] - b[1]);
  const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  zoomAt(...middle, distance / gesture.distance);
  pan(middle[0] - gesture.middle[0], middle[1] - gesture.middle[1]);
  Object.assign(gesture, { distance, middle });
  change();
}

function move(event) {
  const [x, y] = place(event);
  Object.assign(pointer, { x, y, inside: true });
  heedPointer();
  if (touches.has(event.pointerId)) touches.set(event.pointerId, [x, y]);
  if (gesture.kind === "pinch") return pinch();
  if (gesture.kind === "tap" && Math.hypot(x - gesture.x, y - gesture.y) > TAP) gesture.kind = "pan";
  if (gesture.kind === "pan") {
    pan(x - gesture.x, y - gesture.y);
    Object.assign(gesture, { x, y });
    return change();
  }
  if (gesture.kind === "box") gesture.box = boxTo(x, y);
  if (gesture.kind === "stroke") {
    const next = strokePoint(x, y);
    const [px, py] = gesture.points[gesture.points.length - 1];
    if (Math.hypot(next[0] - px, next[1] - py) >= Math.max(1, desk.radius / 6))
      gesture.points.push(next);
  }
  if (gesture.kind || ["brush", "eraser"].includes(desk.tool)) draw();
  showCursor(x, y);
}

const EDGES = ["nwse-resize", "ns-resize", "nesw-resize", "ew-resize"];

function showCursor(x, y) {
  if (gesture.kind === "pan") return;
  let cursor = "crosshair";
  if (held.space || desk.tool === "hand" || result()) cursor = "grab";
  else if (["brush", "eraser"].includes(desk.tool)) cursor = "none";
  else if (object() && ["point", "minus"].includes(desk.tool) && pointAt(x, y) >= 0)
    cursor = "pointer";
  else if (desk.tool === "box" && object()) {
    const part = boxPartAt(x, y);
    if (part === "inside") cursor = "move";
    else if (part !== null) cursor = EDGES[part % 4];
  }
  canvas.style.cursor = cursor;
}

function up(event) {
  touches.delete(event.pointerId);
  const [x, y] = place(event);
  const done = { ...gesture };
  gesture.kind = null;
  if (done.kind === "box") {
    gesture.kind = "box"; // boxTo reads where the drag began
    const box = boxTo(x, y);
    gesture.kind = null;
    const same = done.old && box.every((value, at) => value === done.old[at]);
    if (box[2] - box[0] >= 2 && box[3] - box[1] >= 2 && !same) setBox(box);
  }
  if (done.kind === "tap") point(done.x, done.y, desk.tool !== "minus");
  if (done.kind === "stroke") addStroke(done.points, done.positive);
  showCursor(x, y);
  change();
}

/** Forget what the pointer was doing: Esc, or the window lost it. */
export function abandon() {
  const was = gesture.kind;
  gesture.kind = null;
  touches.clear();
  change();
  return was !== null;
}

function wheel(event) {
  if (!desk.state) return;
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  zoomAt(...place(event), Math.exp((-event.deltaY * lines) / 500));
  change();
}

export function startPointer(element) {
  canvas = element;
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", abandon);
  canvas.addEventListener("pointerleave", () => {
    pointer.inside = false;
    heedPointer();
    draw();
  });
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.closest(".cp-stage").addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("auxclick", (event) => event.preventDefault());
  window.addEventListener("blur", () => {
    held.space = false;
    abandon();
  });
}
