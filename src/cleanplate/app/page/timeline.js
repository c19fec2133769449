// The timeline: shots, in and out, and for each object where it is, how sure that is, and its marks.

import { choose, goTo, setIn, setOut } from "./actions.js";
import { change, clip, count, desk, listen, objects, result, span } from "./desk.js";
import { make, say, show } from "./dom.js";
import { LANE_WORDS, clock, frames, rate } from "./words.js";

const MOST_MARKS = 400; // in one lane; more are no help to anyone
let root;
let tracks;
let head;

const left = (frame) => `${(100 * frame) / count()}%`;
const centre = (frame) => `${(100 * (frame + 0.5)) / count()}%`;
const spanStyle = (first, last) =>
  `left:${left(first)};width:${(100 * (last - first + 1)) / count()}%`;
const seconds = (frame) => desk.times?.[frame] ?? frame / clip().rate;

function frameAt(event) {
  const box = tracks.getBoundingClientRect();
  return Math.min(
    count() - 1,
    Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * count())),
  );
}

/** Times along the ruler: as many as there is room for, at round seconds. */
function ticks() {
  const whole = count() / clip().rate;
  const room = Math.max(2, Math.floor(tracks.clientWidth / 90));
  const steps = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((one) => whole / one <= room) ?? 7200;
  const found = [];
  for (let at = step; at < whole - step / 3; at += step) {
    const style = `left:${(100 * at) / whole}%`;
    found.push(make("span", { class: "cp-tick", style }, clock(at, step < 1 ? 1 : 0)));
  }
  return found;
}

function ruler() {
  const [start, stop] = span();
  const cuts = (clip().cuts ?? []).map((frame) =>
    make("span", {
      class: "cp-cut",
      style: `left:${left(frame)}`,
      title: `Shot cut at frame ${frame}`,
    }),
  );
  return make(
    "div",
    { class: "cp-ruler" },
    ticks(),
    cuts,
    make("div", { class: "cp-span", style: spanStyle(start, stop - 1) }),
  );
}

function edge(kind) {
  const [start, stop] = span();
  const frame = kind === "in" ? start : stop - 1;
  const say_it = kind === "in" ? "In" : "Out";
  return make("div", {
    class: `cp-edge cp-${kind}`,
    style: `left:${kind === "in" ? left(start) : left(stop)}`,
    role: "slider",
    tabindex: 0,
    "data-key": kind,
    "data-edge": kind,
    "aria-label": `${say_it} point`,
    "aria-valuemin": 0,
    "aria-valuemax": count() - 1,
    "aria-valuenow": frame,
    "aria-valuetext": `frame ${frame}, ${clock(seconds(frame), 2)}`,
    title: `${say_it}: frame ${frame} (${kind === "in" ? "I" : "O"}; drag to move)`,
  });
}

function heat(one) {
  const values = desk.state.confidence?.[one.id] ?? [];
  const canvas = make("canvas", {
    class: "cp-heat",
    width: Math.max(1, values.length),
    height: 12,
    "aria-hidden": "true",
  });
  const context = canvas.getContext("2d");
  values.forEach((value, x) => {
    if (value === null || value < 0) return; // nothing was followed there
    context.fillStyle = value < 0.5 ? "#f0a035" : one.colour;
    const height = Math.max(1, Math.round(value * 12));
    context.fillRect(x, 12 - height, 1, height);
  });
  return canvas;
}

function marksOf(one) {
  const marked = Object.entries(desk.state.prompts ?? {})
    .filter(([, entries]) => entries[one.id])
    .map(([frame, entries]) => [Number(frame), entries[one.id].kind])
    .slice(0, MOST_MARKS);
  return marked.map(([frame, kind], place) => {
    const word = { approved: "looks right", gone: "gone from here" }[kind] ?? "marked";
    return make("button", {
      type: "button",
      class: `cp-mark cp-mark-${kind}`,
      style: `left:${centre(frame)};--colour:${one.colour}`,
      tabindex: place ? -1 : 0,
      "data-key": `mark-${one.id}-${frame}`,
      "data-frame": frame,
      "data-object": one.id,
      "aria-label": `${one.name}, ${word}, frame ${frame}`,
      title: `${one.name}: ${word} at frame ${frame}`,
    });
  });
}

function lane(one) {
  const runs = (desk.state.lanes?.[one.id] ?? [])
    .filter(([, , state]) => state !== "none")
    .map(([first, last, state, confidence]) =>
      make("span", {
        class: `cp-run cp-run-${state.replace(" ", "-")}`,
        style: `${spanStyle(first, last)};--colour:${one.colour}`,
        title: `${one.name}: ${LANE_WORDS[state] ?? state}, frames ${frames(first, last)}${confidence ? `, sure to ${Math.round(100 * confidence)} %` : ""}`,
      }),
    );
  const stale = (desk.state.stale ?? [])
    .filter(([id]) => id === one.id)
    .map(([, first, last]) =>
      make("span", {
        class: "cp-stale",
        style: spanStyle(first, last),
        title: "Tracked before your change",
      }),
    );
  const doubts = (desk.state.doubtful ?? [])
    .filter((row) => row.object === one.id)
    .map((row) =>
      make("span", { class: "cp-doubt", style: spanStyle(row.first, row.last), title: row.reason }),
    );
  return make(
    "div",
    {
      class: `cp-lane${one.id === desk.object ? " cp-current" : ""}`,
      "data-object": one.id,
      role: "group",
      "aria-label": `${one.name}, marks`,
    },
    make("div", { class: "cp-runs" }, runs, stale, doubts),
    heat(one),
    marksOf(one),
  );
}

function names() {
  return objects().map((one) =>
    make(
      "button",
      {
        type: "button",
        class: `cp-lane-name${one.id === desk.object ? " cp-current" : ""}`,
        "data-key": `lane-${one.id}`,
        "aria-pressed": one.id === desk.object ? "true" : "false",
        title: one.name,
        onclick: () => choose(one.id),
      },
      make("span", {
        class: `cp-swatch cp-pattern-${(one.id - 1) % 4}`,
        style: `--colour:${one.colour}`,
      }),
      make("span", { class: "cp-lane-word" }, one.name),
    ),
  );
}

function drawHead() {
  const { frame } = desk;
  head.style.left = centre(frame);
  head.setAttribute("aria-valuemax", count() - 1);
  head.setAttribute("aria-valuenow", frame);
  head.setAttribute("aria-valuetext", `frame ${frame}, ${clock(seconds(frame), 2)}`);
}

function draw() {
  if (!desk.state || desk.state.opening || !clip()?.frames) return;
  const { state } = desk;
  const shown = result();
  const keys = desk.cropping && !shown ? (state.crop?.keys ?? []) : [];
  show(root.querySelector(".cp-names"), ["names", objects(), desk.object], names);
  const all = [
    state.lanes,
    state.confidence,
    state.stale,
    state.doubtful,
    state.prompts,
    span(),
    objects(),
    desk.object,
    clip().cuts,
    count(),
    tracks.clientWidth,
    shown?.name,
    keys,
  ];
  show(root.querySelector(".cp-rows"), all, () => [
    ruler(),
    ...objects().map(lane),
    make("div", { class: "cp-outside", style: `left:0;width:${left(span()[0])}` }),
    make("div", { class: "cp-outside", style: `left:${left(span()[1])};right:0` }),
    keys.map((frame) => make("span", { class: "cp-key", style: `left:${centre(frame)}` })),
    shown ? make("div", { class: "cp-extent", style: spanStyle(shown.first, shown.last) }) : null,
    edge("in"),
    edge("out"),
  ]);
  drawHead();
}

/** The numbers of the transport: frame, time, and in and out. */
function readOut(element) {
  if (!desk.state || desk.state.opening || !clip()?.frames) return;
  const { frame } = desk;
  const field = element.querySelector("#cp-frame");
  if (document.activeElement !== field) field.value = frame;
  say(element.querySelector(".cp-last"), `/ ${count() - 1}`);
  say(element.querySelector(".cp-time"), clock(seconds(frame), 2));
  const [start, stop] = span();
  const whole = start === 0 && stop === count();
  say(
    element.querySelector(".cp-range"),
    whole
      ? `${rate(clip().rate)} frames/s`
      : `In ${start}, out ${stop - 1}: ${clock((stop - start) / clip().rate)}`,
  );
}

let drag = null;

function press(event) {
  if (event.button !== 0 || !desk.state) return;
  const mark = event.target.closest(".cp-mark");
  if (mark) return;
  const grip = event.target.closest("[data-edge]");
  drag = grip ? grip.dataset.edge : "head";
  tracks.setPointerCapture(event.pointerId);
  if (desk.speed) change({ speed: 0 });
  const row = event.target.closest(".cp-lane");
  if (row) choose(Number(row.dataset.object));
  if (drag === "head") goTo(frameAt(event));
  event.preventDefault();
}

function pull(event) {
  if (drag === "head") goTo(frameAt(event));
  else if (drag) {
    // The handle follows at once; the edit goes out when it is let go.
    const frame = frameAt(event);
    const grip = root.querySelector(`.cp-${drag}`);
    grip.style.left = drag === "in" ? left(frame) : left(frame + 1);
    goTo(frame);
  }
}

function release(event) {
  if (drag === "in") setIn(Math.min(frameAt(event), span()[1] - 1));
  if (drag === "out") setOut(Math.max(frameAt(event), span()[0]));
  drag = null;
}

function keys(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  const grip = event.target.closest("[data-edge]");
  const mark = event.target.closest(".cp-mark");
  if (!grip && !mark) return;
  event.stopPropagation();
  event.preventDefault();
  const way = event.shiftKey ? 10 * by : by;
  const [start, stop] = span();
  if (grip?.dataset.edge === "in") setIn(Math.min(stop - 1, Math.max(0, start + way)));
  else if (grip) setOut(Math.max(start, Math.min(count() - 1, stop - 1 + way)));
  else {
    const marks = [...mark.parentElement.querySelectorAll(".cp-mark")];
    marks[marks.indexOf(mark) + by]?.focus();
  }
}

export function startTimeline(element, transport) {
  root = element;
  tracks = element.querySelector(".cp-tracks");
  head = element.querySelector(".cp-head");
  tracks.addEventListener("pointerdown", press);
  tracks.addEventListener("pointermove", pull);
  tracks.addEventListener("pointerup", release);
  tracks.addEventListener("pointercancel", () => {
    drag = null;
  });
  tracks.addEventListener("keydown", keys);
  tracks.addEventListener("click", (event) => {
    const mark = event.target.closest(".cp-mark");
    if (!mark) return;
    choose(Number(mark.dataset.object));
    goTo(Number(mark.dataset.frame));
  });
  new ResizeObserver(draw).observe(tracks);
  listen(() => {
    draw();
    readOut(transport);
  });
}
