// Pictures of frames, masks and results: fetched three at a time, the wanted one first, kept by address.

const MOST_AT_ONCE = 3; // a browser opens six connections to one server, and others need some
const KEPT_BYTES = 160e6; // of files as they came
const KEPT_BITMAPS = 24;

const files = new Map(); // address to Blob, oldest first
const bitmaps = new Map(); // address to ImageBitmap, oldest first
const waiting = []; // {url, urgent, resolve, reject, promise}
const going = new Map(); // address to {abort, promise, urgent}
let size = 0;

function remember(url, blob) {
  files.set(url, blob);
  size += blob.size;
  for (const [old, one] of files) {
    if (size <= KEPT_BYTES) break;
    files.delete(old);
    size -= one.size;
  }
}

async function load(url, signal) {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    let sentence = `This picture could not be had (${response.status}).`;
    try {
      sentence = (await response.json()).error ?? sentence;
    } catch {
      // No JSON: the sentence above stands.
    }
    throw new Error(sentence);
  }
  const blob = await response.blob();
  remember(url, blob);
  return blob;
}

function pump() {
  while (going.size < MOST_AT_ONCE && waiting.length) {
    const place = Math.max(
      0,
      waiting.findIndex((one) => one.urgent),
    );
    const [next] = waiting.splice(place, 1);
    const abort = new AbortController();
    going.set(next.url, { abort, promise: next.promise, urgent: next.urgent });
    load(next.url, abort.signal)
      .then(next.resolve, next.reject)
      .finally(() => {
        going.delete(next.url);
        pump();
      });
  }
}

/** The file at `url`. An urgent one goes before all others. */
function file(url, urgent) {
  const kept = files.get(url);
  if (kept) return Promise.resolve(kept);
  if (going.has(url)) return going.get(url).promise;
  const asked = waiting.find((one) => one.url === url);
  if (asked) {
    asked.urgent ||= urgent;
    return asked.promise;
  }
  const one = { url, urgent };
  one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
  one.promise.catch(() => {}); // prefetches fail in silence; who waits hears it
  waiting.push(one);
  pump();
  return one.promise;
}

/** The picture at `url`, decoded without any colour correction. */
export async function picture(url, urgent = true) {
  const kept = bitmaps.get(url);
  if (kept) {
    bitmaps.delete(url);
    bitmaps.set(url, kept);
    return kept;
  }
  const blob = await file(url, urgent);
  const bitmap = await createImageBitmap(blob, {
    premultiplyAlpha: "none",
    colorSpaceConversion: "none",
  });
  bitmaps.set(url, bitmap);
  for (const old of bitmaps.keys()) {
    if (bitmaps.size <= KEPT_BITMAPS) break;
    bitmaps.delete(old); // not closed: it may be on the stage still
  }
  return bitmap;
}

/** The picture at `url` if it is here and decoded. */
export const ready = (url) => bitmaps.get(url) ?? null;

/** Fetch these soon, and forget what was to be fetched before and is not among them. */
export function prefetch(urls) {
  const wanted = new Set(urls);
  for (let place = waiting.length - 1; place >= 0; place -= 1) {
    const one = waiting[place];
    if (one.urgent || wanted.has(one.url)) continue;
    waiting.splice(place, 1);
    one.reject(new DOMException("not wanted any more", "AbortError"));
  }
  for (const url of urls) if (!files.has(url)) file(url, false);
}

/** What was urgent for another frame is not any more. */
export function hurry(urls) {
  const wanted = new Set(urls);
  for (const one of waiting) one.urgent = wanted.has(one.url);
  for (const [url, one] of going) if (!wanted.has(url) && one.urgent) one.abort.abort();
}

/** Forget everything: another clip comes. */
export function forget() {
  files.clear();
  bitmaps.clear();
  size = 0;
}
