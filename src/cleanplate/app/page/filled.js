// The shown frame, filled: a preview that follows the marks, coarse at first, then sharp.

import { busy, change, clip, desk, listen, objects, result } from "./desk.js";
import { say } from "./dom.js";

const REST = 200; // milliseconds without a change until a preview is asked for
const CALM = 1500; // milliseconds with a coarse preview until the sharp one is asked for
const id = (name) => document.getElementById(name);

/** What is here: {key, frame, bitmap, around, sharp}, or null. */
export const preview = { now: null, working: false, seconds: 0 };
let asked = { key: "", abort: null, timer: 0 };

/** All that the preview of the shown frame depends on. */
function keyNow() {
  const { link, frame, state } = desk;
  return `${link.id} ${frame} ${state.masks} ${state.version}`;
}

/** The preview of the frame on the stage, if it is here and nothing has changed since. */
export const shownPreview = () =>
  preview.now && preview.now.frame === desk.frame && preview.now.key === asked.key ? preview.now : null;

async function ask(key, sharp) {
  const { frame, link } = desk;
  const abort = new AbortController();
  asked.abort = abort;
  const began = performance.now();
  preview.working = true;
  change();
  try {
    const url = link.url(`/filled/${frame}.jpg?sharp=${sharp}`);
    const response = await fetch(url, { signal: abort.signal });
    const known = response.status === 200;
    const bitmap = known ? await createImageBitmap(await response.blob()) : null;
    if (asked.key !== key) return;
    preview.working = false;
    if (known) {
      const around = response.headers.get("X-Around").split(",").map(Number);
      preview.now = { key, frame, bitmap, around, sharp };
      if (!sharp) preview.seconds = (performance.now() - began) / 1000;
    }
    change();
    if (known && !sharp) asked.timer = setTimeout(() => asked.key === key && ask(key, true), CALM);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (asked.key === key) preview.working = false; // a preview is a help: the link tells of a lost server
    change();
  }
}

function follow() {
  const { state } = desk;
  const able = state && !state.opening && objects().length && !result() && !desk.speed && !desk.drafts.size;
  if (!able || busy()) {
    if (!able || asked.key) forget(); // a job at work has the machine
    return;
  }
  const key = keyNow();
  if (key === asked.key) return;
  forget();
  asked.key = key;
  asked.timer = setTimeout(() => asked.key === key && ask(key, false), REST);
}

function forget() {
  clearTimeout(asked.timer);
  asked.abort?.abort();
  asked = { key: "", abort: null, timer: 0 };
  preview.working = false;
}

/** The part that changes, as large as the column is wide. */
function drawSmall(canvas) {
  const { bitmap, around } = preview.now;
  const [x0, y0, x1, y1] = around;
  const width = 560;
  const height = Math.round(Math.min(320, (width * (y1 - y0)) / (x1 - x0)));
  if (canvas.dataset.shown === `${preview.now.key} ${preview.now.sharp}`) return;
  canvas.dataset.shown = `${preview.now.key} ${preview.now.sharp}`;
  canvas.width = width;
  canvas.height = height;
  const scale = Math.min(width / (x1 - x0), height / (y1 - y0));
  const [w, h] = [(x1 - x0) * scale, (y1 - y0) * scale];
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0, (width - w) / 2, (height - h) / 2, w, h);
}

function draw() {
  const button = id("cp-filled");
  const here = desk.state && !desk.state.opening ? shownPreview() : null;
  const waits = preview.working && !here;
  button.hidden = !(here || waits);
  if (button.hidden) return;
  const canvas = button.querySelector("canvas");
  canvas.hidden = !here;
  if (here) drawSmall(canvas);
  button.disabled = !here;
  button.setAttribute("aria-pressed", here && desk.filled ? "true" : "false");
  const word = !here ? `Filling frame ${desk.frame}…` : `Frame ${desk.frame}, filled`;
  const more = !here ? "" : here.sharp ? "sharp" : preview.working ? "coarse, sharpening…" : "coarse";
  say(id("cp-filled-word"), word);
  say(id("cp-filled-more"), more);
}

export const toggleFilled = () => shownPreview() && change({ filled: !desk.filled });

export function startFilled() {
  id("cp-filled").addEventListener("click", toggleFilled);
  listen(() => {
    if (!clip()?.frames || desk.state?.opening) forget();
    else follow();
    draw();
  });
}
