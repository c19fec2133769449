// The stage: draws the picture with its masks, or the clip against a result, and what is pointed with.

import { change, clip, count, desk, laneAt, listen, object, objects, result } from "./desk.js";
import { foreseen } from "./ahead.js";
import { shownPreview } from "./filled.js";
import { drawMarks } from "./marks.js";
import { overlayOf } from "./overlay.js";
import { hurry, picture, prefetch, ready } from "./pictures.js";
import { moving, startPlayer } from "./player.js";
import { say } from "./dom.js";
import { fit, resize, toStage, view } from "./view.js";

const AHEAD = 10;
let canvas;
let context;
let last = { frame: null, picture: null, other: null, mask: null, key: "" };
let failed = new Set();

/** Width that a still is asked for at: a great clip on a small stage need not come whole. */
function stillWidth() {
  const { width } = clip();
  const seen = view.scale * width * devicePixelRatio;
  return width > 2000 && seen <= 1920 ? "?w=1920" : "";
}

const stillUrl = (frame) => desk.link.url(`/frame/${frame}.jpg${stillWidth()}`);
const maskUrl = (frame) =>
  desk.link.url(
    `/mask/${frame}.png?v=${encodeURIComponent(desk.state.masks ?? desk.state.version)}`,
  );

/** The other picture of a comparison, by address; null where there is none. */
function otherUrl(frame) {
  const one = result();
  if (!one || (desk.peek && !isReframed())) return null;
  if (isReframed()) return desk.link.url(`/result/${one.name}/${frame}.jpg`);
  if (desk.compare === "difference") return desk.link.url(`/difference/${one.name}/${frame}.png`);
  if (desk.compare === "flicker") return desk.link.url(`/flicker/${one.name}/${frame}.png`);
  return desk.link.url(`/result/${one.name}/${frame}.jpg`);
}

const isFilled = () => desk.filled && !desk.peek && !result() && !desk.speed && shownPreview();
const hasMasks = () => desk.masks && !isFilled() && !result() && !desk.state.opening && objects().length > 0;

function fetchFor(url) {
  if (failed.has(url)) return;
  picture(url).then(draw, (error) => {
    if (error.name === "AbortError") return;
    failed.add(url);
    if (url.includes(`/${desk.frame}.`))
      change({ note: { place: "stage", text: error.message, error: true } });
  });
}

/** The pictures of this frame that are here; those that are not are fetched. */
function gather() {
  const { frame } = desk;
  const still = stillUrl(frame);
  const other = otherUrl(frame);
  const mask = hasMasks() ? maskUrl(frame) : null;
  const wanted = [still, other, mask].filter(Boolean);
  const found = Object.fromEntries(wanted.map((url) => [url, ready(url)]));
  hurry(wanted.filter((url) => !found[url]));
  for (const url of wanted) if (!found[url]) fetchFor(url);
  return {
    frame,
    picture: found[still],
    other: other && found[other],
    mask: mask && found[mask],
    mask_url: mask,
    other_url: other,
  };
}

function prefetchAround() {
  const around = [];
  for (let by = 1; by <= AHEAD; by += 1) {
    for (const frame of desk.speed < 0 ? [desk.frame - by] : [desk.frame + by, desk.frame - by]) {
      if (frame < 0 || frame >= count()) continue;
      if (!moving()) around.push(stillUrl(frame));
      if (hasMasks() && (by <= 4 || desk.speed)) around.push(maskUrl(frame));
      const one = result();
      if (one && !moving() && frame >= one.first && frame <= one.last && by <= 4)
        around.push(otherUrl(frame));
    }
  }
  prefetch(around.filter(Boolean));
}

function put(source, clipTo = null) {
  const { width, height } = clip();
  context.save();
  if (clipTo) {
    context.beginPath();
    context.rect(...clipTo);
    context.clip();
  }
  context.imageSmoothingEnabled = view.scale * devicePixelRatio < 3;
  context.imageSmoothingQuality = "medium";
  context.drawImage(source, view.x, view.y, width * view.scale, height * view.scale);
  context.restore();
}

/** Difference of two moving pictures, made as visible as the server makes that of stills. */
function putDifference(a, b) {
  context.save();
  put(a);
  context.globalCompositeOperation = "difference";
  put(b);
  context.restore();
  context.save();
  context.globalCompositeOperation = "color-dodge";
  context.fillStyle = "#c0c0c0";
  context.fillRect(0, 0, view.width, view.height);
  context.restore();
}

/** Between which x of the stage the wipe can stand. */
export function wipeReach() {
  const [left] = toStage(0, 0);
  const [right] = toStage(clip().width, 0);
  return [Math.max(0, left), Math.min(view.width, right)];
}

/** Where the wipe stands, in pixels of the stage. */
export function wipeX() {
  const [from, to] = wipeReach();
  return from + (to - from) * desk.wipe;
}

function compare(original, other, isVideo) {
  if (isReframed()) return putReframed(original, other);
  if (desk.peek || !other) return put(original);
  if (desk.compare === "wipe") {
    put(original);
    return put(other, [wipeX(), 0, view.width, view.height]);
  }
  if (desk.compare === "side") return putSides(original, other);
  if (desk.compare === "result" || !isVideo) return put(other);
  if (desk.compare === "difference") return putDifference(original, other);
  return put(other);
}

/** Whether what is on the stage has a shape of its own. */
const isReframed = () => result()?.kind === "retarget";

/** The clip, and beside it the same frame in another shape, each as large as its half allows. */
function putReframed(original, other) {
  const half = view.width / 2;
  [original, other].forEach((source, side) => {
    if (!source) return;
    const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
    const scale = Math.min((half - 8) / width, view.height / height);
    const [x, y] = [(half - width * scale) / 2, (view.height - height * scale) / 2];
    context.drawImage(source, side * half + x, y, width * scale, height * scale);
  });
}

/** Original and result beside each other, the same part of each. */
function putSides(original, other) {
  const half = view.width / 2;
  const { width, height } = clip();
  const scale = view.fitted ? Math.min(half / width, view.height / height) : view.scale;
  const x = view.fitted ? (half - width * scale) / 2 : view.x - half / 2;
  const y = view.fitted ? (view.height - height * scale) / 2 : view.y;
  [original, other].forEach((source, side) => {
    context.save();
    context.beginPath();
    context.rect(side * half + side, 0, half - 1, view.height);
    context.clip();
    context.drawImage(source, side * half + x, y, width * scale, height * scale);
    context.restore();
  });
}

export function draw() {
  if (!desk.state || !clip()?.width) return;
  const ratio = devicePixelRatio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const videos = moving();
  if (videos) drawMoving(videos);
  else drawStill();
  if (result()) return;
  for (const one of [foreseen.now, foreseen.kept]) if (one?.frame === desk.frame) put(one.canvas);
  drawMarks(context);
}

function drawMoving({ clip: original, result: other }) {
  if (result()) compare(original, other, true);
  else {
    put(original);
    if (hasMasks()) {
      const url = maskUrl(desk.frame);
      const bitmap = ready(url);
      if (bitmap) last = { ...last, mask: overlayOf(url, bitmap), maskFrame: desk.frame };
      else picture(url, false).catch(() => {});
      // A mask a few frames late is better than one that flickers; an old one is worse than none.
      if (last.mask && Math.abs(last.maskFrame - desk.frame) <= 3) put(last.mask);
    }
  }
  canvas.dataset.frame = desk.frame;
  last.frame = desk.frame;
  prefetchAround();
}

function drawStill() {
  const found = gather();
  const key = desk.link.id;
  const complete = found.picture && (!found.other_url || found.other);
  if (complete) {
    last = { ...last, key, frame: found.frame, picture: found.picture, other: found.other };
    canvas.dataset.frame = found.frame;
    canvas.dataset.other = found.other_url ? desk.compare : "";
    prefetchAround();
  }
  if (last.key !== key || !last.picture) return;
  const filled = isFilled();
  canvas.dataset.filled = filled && last.frame === filled.frame ? (filled.sharp ? "sharp" : "coarse") : "";
  if (result()) compare(last.picture, last.other, false);
  else put(canvas.dataset.filled ? filled.bitmap : last.picture);
  if (!found.mask_url) {
    canvas.dataset.mask = "";
    return;
  }
  if (found.mask && last.frame === desk.frame) {
    last.mask = overlayOf(found.mask_url, found.mask);
    last.maskFrame = desk.frame;
    canvas.dataset.mask = found.mask_url;
  }
  if (last.mask && last.maskFrame === last.frame) put(last.mask);
}

/** Whether the still of this frame is on the stage. */
const isDrawn = (frame) => last.frame === frame;

function describe() {
  if (!desk.state) return "No clip";
  const one = object();
  const parts = [`Frame ${desk.frame} of ${desk.state.clip.name}`];
  if (result()) parts.push(`against the result, ${desk.compare}`);
  else if (one) {
    const [state] = laneAt(one.id, desk.frame);
    parts.push(`${one.name}: ${state === "none" ? "not marked here" : state}`);
  }
  if (desk.crosshair) parts.push(`crosshair at ${desk.crosshair.x}, ${desk.crosshair.y}`);
  return `${parts.join("; ")}. Click to mark; P points by keys.`;
}

export function startStage(root) {
  canvas = root.querySelector("canvas");
  context = canvas.getContext("2d", { willReadFrequently: true });
  const measure = () => {
    const box = root.getBoundingClientRect();
    const width = Math.max(1, Math.round(box.width));
    const height = Math.max(1, Math.round(box.height));
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    if (clip()?.width) resize(width, height);
    else Object.assign(view, { width, height, fitted: true });
    draw();
  };
  new ResizeObserver(measure).observe(root);
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", measure, {
    once: true,
  });
  startPlayer(draw, isDrawn);
  let known = null;
  listen(() => {
    if (!desk.state?.clip?.width) return;
    if (known !== desk.link.id) {
      known = desk.link.id;
      failed = new Set();
      fit();
    }
    if (!moving()) draw();
    canvas.setAttribute("aria-label", describe());
  });
  return canvas;
}

export function zoomWord(element) {
  say(element, view.fitted ? "Fit" : `${Math.round(view.scale * 100)} %`);
}
