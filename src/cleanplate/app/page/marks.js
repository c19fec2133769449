// What is pointed with, drawn over the picture at a size that zoom does not change.

import { clip, desk, objects, promptOf, proposed } from "./desk.js";
import { toStage, view } from "./view.js";

const DOT = 7; // radius of a point, in pixels of the stage
const HANDLE = 5; // half a box's handle

/** What the pointer is doing: {kind, ...}; pointer.js sets it. */
export const gesture = { kind: null };
export const pointer = { x: 0, y: 0, inside: false };

/** Corners and edges of a box that can be dragged: [x part, y part]. */
export const HANDLES = [
  [0, 0],
  [0.5, 0],
  [1, 0],
  [1, 0.5],
  [1, 1],
  [0.5, 1],
  [0, 1],
  [0, 0.5],
];

function dot(context, [x, y, positive], colour, current) {
  const [left, top] = toStage(x + 0.5, y + 0.5);
  const radius = current ? DOT : DOT - 2;
  context.save();
  context.globalAlpha = current ? 1 : 0.6;
  context.beginPath();
  context.arc(left, top, radius, 0, 2 * Math.PI);
  context.fillStyle = positive ? colour : "#16181d";
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = positive ? "#ffffff" : colour;
  context.stroke();
  context.beginPath();
  context.moveTo(left - 3, top);
  context.lineTo(left + 3, top);
  if (positive) {
    context.moveTo(left, top - 3);
    context.lineTo(left, top + 3);
  }
  context.strokeStyle = positive ? "#16181d" : "#ffffff";
  context.stroke();
  context.restore();
}

function box(context, [x0, y0, x1, y1], colour, handles) {
  const [left, top] = toStage(x0, y0);
  const [right, bottom] = toStage(x1, y1);
  context.save();
  context.strokeStyle = "#16181d";
  context.lineWidth = 3;
  context.strokeRect(left, top, right - left, bottom - top);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.strokeRect(left, top, right - left, bottom - top);
  if (handles) {
    context.fillStyle = "#ffffff";
    context.strokeStyle = "#16181d";
    for (const [u, v] of HANDLES) {
      const [x, y] = [left + (right - left) * u, top + (bottom - top) * v];
      context.fillRect(x - HANDLE + 1, y - HANDLE + 1, 2 * HANDLE - 2, 2 * HANDLE - 2);
      context.strokeRect(x - HANDLE + 1, y - HANDLE + 1, 2 * HANDLE - 2, 2 * HANDLE - 2);
    }
  }
  context.restore();
}

/** What was found without a click, in the frames that show it. */
function proposals(context) {
  context.save();
  context.setLineDash([6, 4]);
  for (const { box: corners, first, last } of proposed()) {
    if (desk.frame >= first && desk.frame <= last) box(context, corners, "#ffffff", false);
  }
  context.restore();
}

function stroke(context, { points, radius, positive }, colour, alpha) {
  context.save();
  context.globalAlpha = alpha;
  context.strokeStyle = positive ? colour : "#16181d";
  context.lineCap = "round";
  context.lineJoin = "round";
  context.lineWidth = Math.max(1, 2 * radius * view.scale);
  context.beginPath();
  points.forEach(([x, y], place) => {
    const at = toStage(x + 0.5, y + 0.5);
    if (place) context.lineTo(...at);
    else {
      context.moveTo(...at);
      context.lineTo(at[0] + 0.01, at[1]);
    }
  });
  context.stroke();
  context.restore();
}

/** Ring of the brush's true size, dark and light so that it shows on anything. */
function ring(context) {
  const radius = Math.max(2, desk.radius * view.scale);
  for (const [colour, width] of [
    ["#16181d", 3],
    ["#ffffff", 1.2],
  ]) {
    context.beginPath();
    context.arc(pointer.x, pointer.y, radius, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width;
    if (desk.tool === "eraser") context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }
}

function crosshair(context) {
  const [x, y] = toStage(desk.crosshair.x + 0.5, desk.crosshair.y + 0.5);
  for (const [colour, width] of [
    ["#16181d", 4],
    ["#ffffff", 1.5],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 22 * dx, y + 22 * dy);
    }
    context.stroke();
  }
}

export function drawMarks(context) {
  if (!desk.speed) {
    proposals(context);
    for (const one of objects()) {
      if (one.hidden) continue;
      const prompt = promptOf(desk.frame, one.id);
      const current = one.id === desk.object;
      const pending = desk.drafts.has(`${desk.frame}/${one.id}`);
      const brushing = current && ["brush", "eraser"].includes(desk.tool);
      for (const brush of prompt.brushes) {
        if (pending || brushing) stroke(context, brush, one.colour, pending ? 0.5 : 0.22);
      }
      if (prompt.box && !(current && gesture.kind === "box")) {
        box(context, prompt.box, one.colour, current && desk.tool === "box");
      }
      for (const point of prompt.points) dot(context, point, one.colour, current);
    }
    const early = promptOf(desk.frame, 0); // of an object that the server is making
    for (const brush of early.brushes) stroke(context, brush, "#ffffff", 0.5);
    if (early.box) box(context, early.box, "#ffffff", false);
    for (const point of early.points) dot(context, point, "#ffffff", true);
  }
  const colour = objects().find((one) => one.id === desk.object)?.colour ?? "#ffffff";
  if (gesture.kind === "box" && gesture.box) box(context, gesture.box, colour, false);
  if (gesture.kind === "stroke") {
    stroke(
      context,
      { points: gesture.points, radius: desk.radius, positive: gesture.positive },
      colour,
      0.5,
    );
  }
  if (pointer.inside && ["brush", "eraser"].includes(desk.tool) && !desk.speed) ring(context);
  if (desk.crosshair) crosshair(context);
}

/** Number of the current object's point under (x, y) of the stage, or -1. */
export function pointAt(x, y) {
  const { points } = promptOf(desk.frame, desk.object);
  return points.findLastIndex(([px, py]) => {
    const [left, top] = toStage(px + 0.5, py + 0.5);
    return Math.hypot(left - x, top - y) <= DOT + 1;
  });
}

/** What of the current object's box lies under (x, y): a handle's number, "inside", or null. */
export function boxPartAt(x, y) {
  const found = promptOf(desk.frame, desk.object).box;
  if (!found) return null;
  const [left, top] = toStage(found[0], found[1]);
  const [right, bottom] = toStage(found[2], found[3]);
  const handle = HANDLES.findIndex(
    ([u, v]) =>
      Math.abs(left + (right - left) * u - x) <= 8 && Math.abs(top + (bottom - top) * v - y) <= 8,
  );
  if (handle >= 0) return handle;
  return x > left && x < right && y > top && y < bottom ? "inside" : null;
}

export const middle = () => ({ x: Math.floor(clip().width / 2), y: Math.floor(clip().height / 2) });
