// Looking ahead while the pointer rests: the frame is made ready for a click, and what a click would
// outline is shown before it.

import { busy, change, desk, listen, object, result } from "./desk.js";
import { gesture, pointAt, pointer } from "./marks.js";
import { post } from "./server.js";
import { pixelAt } from "./view.js";

const REST = 350; // milliseconds until a frame is made ready
const HOVER = 150; // milliseconds until what a click would outline is asked for
let prepared = "";
let timer = 0;
let hover = { timer: 0, abort: null, key: "" };

/** Outlines that nobody has taken: what a click here would give, and one that was asked for; each is
 * {frame, canvas}, or null. */
export const foreseen = { now: null, kept: null };

function prepare() {
  const { state, link, frame } = desk;
  const key = `${link?.id} ${frame} ${state?.settings?.segmenter}`;
  if (!state || state.opening || desk.speed || result() || busy() || key === prepared) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (desk.frame !== frame || desk.link !== link || desk.lost) return;
    prepared = key;
    // Only a help: whatever is wrong is said when a click asks the same.
    post(link.path("/prepare"), { frame }).catch(() => {});
  }, REST);
}

function forget() {
  clearTimeout(hover.timer);
  hover.abort?.abort();
  if (!foreseen.now) return;
  foreseen.now = null;
  change();
}

/** White along the rim of a mask, nothing elsewhere. */
export function rim(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  const inside = new Uint32Array(image.data.buffer).map((pixel) => (pixel >>> 24 ? 1 : 0));
  const out = new Uint32Array(image.data.buffer);
  const wide = Math.max(1, Math.round(height / 400));
  for (let place = 0; place < out.length; place += 1) {
    const edge =
      inside[place] &&
      !(
        inside[place - wide] &&
        inside[place + wide] &&
        inside[place - wide * width] &&
        inside[place + wide * width]
      );
    out[place] = edge ? 0xffffffff : inside[place] ? 0x28ffffff : 0;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

async function foresee() {
  const { frame, link } = desk;
  const one = object();
  const pixel = pixelAt(pointer.x, pointer.y);
  if (!one || one.hidden || !pixel || pointAt(pointer.x, pointer.y) >= 0) return;
  hover.abort = new AbortController();
  const positive = desk.tool === "minus" ? 0 : 1;
  const query = `frame=${frame}&object=${one.id}&x=${pixel[0]}&y=${pixel[1]}&positive=${positive}`;
  try {
    const response = await fetch(link.url(`/preview?${query}`), { signal: hover.abort.signal });
    if (!response.ok || response.status === 204) return; // nothing to be found there
    const bitmap = await createImageBitmap(await response.blob());
    if (desk.frame !== frame || desk.link !== link || !pointer.inside || desk.drafts.size) return;
    foreseen.now = { frame, canvas: rim(bitmap) };
    change();
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
  }
}

/** The pointer moved, pressed or left. */
export function heedPointer() {
  forget();
  const pointing = ["point", "minus"].includes(desk.tool);
  if (
    !pointer.inside ||
    gesture.kind ||
    !pointing ||
    desk.speed ||
    result() ||
    desk.drafts.size ||
    busy()
  )
    return;
  hover.timer = setTimeout(foresee, HOVER);
}

export function startAhead() {
  listen(() => {
    prepare();
    if (foreseen.now && (foreseen.now.frame !== desk.frame || desk.drafts.size))
      foreseen.now = null;
  });
}
