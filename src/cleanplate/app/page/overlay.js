// A mask as one sees it over the picture: tinted, outlined, as a matte or as a cut-out.

import { desk, growth, objects } from "./desk.js";

const drawn = new Map(); // key to canvas, oldest first
const KEPT = 6;

function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Ids of the objects, pixel by pixel, from the palette picture of a mask. */
function idsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const ids = new Uint8Array(pixels.length);
  const byColour = new Map();
  for (const one of objects()) {
    const [red, green, blue] = rgb(one.colour);
    byColour.set(((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0, one.hidden ? 0 : one.id);
  }
  for (let place = 0; place < pixels.length; place += 1) {
    const pixel = pixels[place];
    if (pixel >>> 24) ids[place] = byColour.get(pixel) ?? 0;
  }
  return ids;
}

/** The middle of all that is masked, as a part of the width; null where nothing is. */
export function middleOf(bitmap) {
  const ids = idsOf(bitmap);
  let [sum, number] = [0, 0];
  for (let place = 0; place < ids.length; place += 1) {
    if (!ids[place]) continue;
    sum += place % bitmap.width;
    number += 1;
  }
  return number ? sum / number / bitmap.width : null;
}

// Objects differ by a pattern too, for eyes that do not tell their colours apart.
const PATTERNS = [
  () => true,
  (x, y, size) => ((x + y) / size) & 1,
  (x, y, size) => ((x - y + 65536) / size) & 1,
  (x, y, size) => (y / size) & 1,
];

function paint(ids, width, height) {
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const colours = new Map(objects().map((one) => [one.id, rgb(one.colour)]));
  const size = Math.max(3, Math.round(height / 90));
  const rim = Math.max(1, Math.round(height / 540));
  const alpha = Math.round(255 * desk.opacity);
  const { look } = desk;
  if (look === "matte") {
    for (let place = 0; place < out.length; place += 1)
      out[place] = ids[place] ? 0xffffffff : 0xff000000;
    return image;
  }
  if (look === "cutout") {
    for (let place = 0; place < out.length; place += 1) {
      if (!ids[place]) {
        const x = place % width;
        const y = (place / width) | 0;
        out[place] = ((x / (4 * size)) ^ (y / (4 * size))) & 1 ? 0xff5a5a5a : 0xff444444;
      }
    }
    return image;
  }
  for (let y = 0, place = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, place += 1) {
      const id = ids[place];
      if (!id) continue;
      const [red, green, blue] = colours.get(id) ?? [255, 0, 0];
      const edge =
        x < rim ||
        y < rim ||
        x >= width - rim ||
        y >= height - rim ||
        ids[place - rim] !== id ||
        ids[place + rim] !== id ||
        ids[place - rim * width] !== id ||
        ids[place + rim * width] !== id;
      let level = 255;
      if (!edge) {
        if (look === "outline") continue;
        level = PATTERNS[(id - 1) % PATTERNS.length](x, y, size) ? alpha : alpha * 0.55;
      }
      out[place] = ((level << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
  }
  return image;
}

/** A canvas with a thin veil where masks grow to: what will change is a little more than the mask. */
function grown(bitmap, masks, by) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  const steps = Math.max(8, Math.min(48, 4 * by));
  for (let step = 0; step < steps; step += 1) {
    const angle = (2 * Math.PI * step) / steps;
    context.drawImage(masks, Math.round(by * Math.cos(angle)), Math.round(by * Math.sin(angle)));
  }
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "rgb(255 255 255 / 38%)";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(masks, 0, 0);
  context.globalCompositeOperation = "source-over";
  return [canvas, context];
}

/** Masks without those of hidden objects, opaque. */
function solid(ids, width, height) {
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  for (let place = 0; place < out.length; place += 1) if (ids[place]) out[place] = 0xffffffff;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function lay(bitmap) {
  const { width, height } = bitmap;
  const ids = idsOf(bitmap);
  const masks = new OffscreenCanvas(width, height);
  masks.getContext("2d").putImageData(paint(ids, width, height), 0, 0);
  const by = growth();
  if (!by || !["fill", "outline"].includes(desk.look)) return masks;
  const [canvas, context] = grown(bitmap, solid(ids, width, height), by);
  context.drawImage(masks, 0, 0);
  return canvas;
}

/** A canvas of the clip's size to lay over the picture. */
export function overlayOf(url, bitmap) {
  const key = JSON.stringify([
    url,
    desk.look,
    desk.look === "fill" ? desk.opacity : 0,
    growth(),
    objects().map((one) => [one.id, one.colour, one.hidden]),
  ]);
  const kept = drawn.get(key);
  if (kept) return kept;
  const canvas = lay(bitmap);
  drawn.set(key, canvas);
  if (drawn.size > KEPT) drawn.delete(drawn.keys().next().value);
  return canvas;
}
