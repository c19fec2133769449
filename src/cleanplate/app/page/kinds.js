// What was picked, and what that means: the tracker that suits it, why, and the ways out where it
// will not do.

import { set, setStill } from "./actions.js";
import { change, desk, objects, span } from "./desk.js";
import { make } from "./dom.js";
import { getWeights } from "./fetching.js";
import { get } from "./server.js";
import { bytes } from "./words.js";

const known = new Map(); // "link/object/mask" to what the server says; null while it is asked

/** The mask of the first mark of an object, by its name; empty while there is none. */
function markOf(id) {
  const frames = Object.entries(desk.state?.prompts ?? {})
    .filter(([, own]) => own[id]?.kind === "prompt" && own[id].mask)
    .map(([frame]) => Number(frame));
  if (!frames.length) return "";
  return desk.state.prompts[Math.min(...frames)][id].mask;
}

/** What the object is taken for: {kind, reason, tracker}; null while that is not known. */
export function kindOf(one) {
  const mark = markOf(one.id);
  if (!mark || desk.state.opening) return null;
  const key = `${desk.link.id}/${one.id}/${mark}`;
  if (!known.has(key)) {
    known.set(key, null);
    get(desk.link.path(`/kind/${one.id}`)).then(
      (kind) => {
        known.set(key, kind);
        change();
      },
      () => known.delete(key), // a help: whatever is wrong is said elsewhere
    );
  }
  return known.get(key);
}

const trackerOf = (one) => desk.state.trackers?.[one.id] ?? "";
const TITLES = { planar: "flat", flowtrack: "something that bends", sam2: "something that bends" };

/** Whether the tracker that will be used cannot do what is picked. */
const isMisfit = (one, kind) =>
  !one.static && kind && kind.kind !== "burned" && kind.tracker !== trackerOf(one) &&
  (kind.kind === "bends" ? trackerOf(one) === "planar" : trackerOf(one) === "flowtrack");

/** Whether only a second or two of it will hold. */
const isBrief = (one, kind) =>
  !one.static && kind?.kind === "bends" && ["planar", "flowtrack"].includes(trackerOf(one));

function link(text, key, act, title = "") {
  return make("button", { type: "button", class: "cp-link", "data-key": key, title, onclick: act }, text);
}

export function betterTracking(key) {
  const offer = (desk.state.offers ?? []).find((one) => one.place === "track");
  if (!offer) return null;
  const use = offer.commercial ? ", free for commercial use" : "";
  const text = `Get better tracking (${offer.size ? bytes(offer.size) : "size not stated"}${use})`;
  return link(text, key, () => getWeights(offer.names), offer.says);
}

/** What is said of the chosen object where it is picked. */
export function kindLine(one) {
  const kind = kindOf(one);
  if (!kind || one.static) return null;
  const acts = [];
  let says = kind.reason;
  if (kind.kind === "burned")
    acts.push(link("It does not move", "kind-still", () => setStill(one.id, true)));
  else if (isMisfit(one, kind))
    acts.push(
      link(`Track it as ${TITLES[kind.tracker] ?? kind.tracker}`, "kind-tracker", () =>
        set({ tracker: kind.tracker === "planar" ? "auto" : kind.tracker }),
      ),
    );
  if (isBrief(one, kind)) {
    says += " Without a learned tracker it holds for a second or two: mark it again where asked.";
    acts.push(betterTracking("kind-get"));
  }
  return make(
    "div",
    { class: "cp-kind" },
    make("p", { class: "cp-says" }, says),
    make("div", { class: "cp-here-acts" }, ...acts),
  );
}

/** What makes a removal likely to leave something: a sentence, and the frames to go to; else null. */
export function trackTrouble() {
  const [start, stop] = span();
  for (const one of objects()) {
    if (one.static) continue;
    const rows = (desk.state.doubtful ?? []).filter((row) => row.object === one.id);
    const unsure = rows.reduce(
      (sum, row) => sum + Math.max(0, Math.min(stop - 1, row.last) - Math.max(start, row.first) + 1),
      0,
    );
    const due = rows.filter((row) => row.due !== null);
    if (!due.length && unsure < Math.max(3, 0.05 * (stop - start))) continue;
    const frame = Math.min(...(due.length ? due.map((row) => row.due) : rows.map((row) => row.frame)));
    const what = due.length
      ? `${one.name} was lost, and is due to be marked in ${due.length === 1 ? `frame ${frame}` : `${due.length} frames`}`
      : `${one.name} is uncertain in ${unsure} of ${stop - start} frames`;
    return { object: one.id, frame, says: `${what}: parts of it may stay in the picture.` };
  }
  return null;
}
