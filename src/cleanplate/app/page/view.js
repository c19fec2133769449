// Where the picture lies on the stage: zoom and pan, and pixels of the one as pixels of the other.

import { clip } from "./desk.js";

const MOST = 16; // screen pixels for one of the clip

export const view = { scale: 1, x: 0, y: 0, fitted: true, width: 1, height: 1 };

function fitScale() {
  const { width, height } = clip();
  return Math.min(view.width / width, view.height / height);
}

/** The whole picture, in the middle. */
export function fit() {
  if (!clip()) return;
  const { width, height } = clip();
  view.scale = fitScale();
  view.x = (view.width - width * view.scale) / 2;
  view.y = (view.height - height * view.scale) / 2;
  view.fitted = true;
}

/** The stage has another size. */
export function resize(width, height) {
  const [dx, dy] = [(width - view.width) / 2, (height - view.height) / 2];
  Object.assign(view, { width, height });
  if (view.fitted) fit();
  else {
    view.x += dx;
    view.y += dy;
    restrain();
  }
}

/** At least a part of the picture stays on the stage. */
function restrain() {
  if (!clip()) return;
  const { width, height } = clip();
  const margin = 60;
  view.x = Math.min(view.width - margin, Math.max(margin - width * view.scale, view.x));
  view.y = Math.min(view.height - margin, Math.max(margin - height * view.scale, view.y));
}

/** Zoom so that what lies under (x, y) of the stage stays there. */
export function zoomAt(x, y, factor) {
  const least = Math.min(0.5, fitScale()) / 2;
  const scale = Math.min(MOST, Math.max(least, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  restrain();
}

export const zoomTo = (scale) => zoomAt(view.width / 2, view.height / 2, scale / view.scale);

export function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  view.fitted = false;
  restrain();
}

/** Pixels of the clip, as fractions, under (x, y) of the stage. */
export const toClip = (x, y) => [(x - view.x) / view.scale, (y - view.y) / view.scale];

export const toStage = (x, y) => [view.x + x * view.scale, view.y + y * view.scale];

/** The pixel of the clip under (x, y) of the stage, or null beside the picture. */
export function pixelAt(x, y) {
  const [px, py] = toClip(x, y).map(Math.floor);
  const { width, height } = clip();
  return px >= 0 && py >= 0 && px < width && py < height ? [px, py] : null;
}

/** (x, y) of the stage as a place on the picture's grid, clamped to it. */
export function cornerAt(x, y) {
  const { width, height } = clip();
  const [px, py] = toClip(x, y);
  return [
    Math.min(width, Math.max(0, Math.round(px))),
    Math.min(height, Math.max(0, Math.round(py))),
  ];
}
