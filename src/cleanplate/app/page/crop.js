// The crop of a clip in another shape: planned by the server, shown over the clip, dragged by hand.

import { attempt, goTo, planCrop, reframe } from "./actions.js";
import { busy, change, clip, count, desk, listen, object, result } from "./desk.js";
import { say } from "./dom.js";
import { get, post } from "./server.js";
import { view } from "./view.js";

let corners = null; // of the crop in each frame
let known = ""; // which crop they are of
let asked = "";
let drag = null; // {x, y: of the pointer, from: corner}
let moved = null; // [x, y] while it is dragged, or until the server says so too
let plannedAspect = "";
let box;
let panel;
const find = (name) => panel.querySelector(`#cp-${name}`);

const crop = () => desk.state?.crop ?? null;
const stampOf = () => (crop() ? `${desk.link.id} ${crop().stamp}` : "");
const cleanClip = () =>
  (desk.state.results ?? []).filter((one) => one.kind === "remove" && one.last - one.first + 1 === count()).pop();

function fetchCorners() {
  const stamp = stampOf();
  if (!stamp || stamp === asked) return;
  asked = stamp;
  get(desk.link.path("/crop.json")).then(
    (told) => {
      if (asked !== stamp) return;
      corners = told;
      known = stamp;
      if (!drag) moved = null;
      change();
    },
    (error) => change({ note: { place: "crop", text: error.message, error: true } }),
  );
}

const cornerNow = () => moved ?? corners?.[desk.frame] ?? null;

function inside([x, y]) {
  const { width, height } = crop();
  return [
    Math.min(clip().width - width, Math.max(0, x)),
    Math.min(clip().height - height, Math.max(0, y)),
  ];
}

async function put([x, y]) {
  moved = [x, y];
  const body = { frame: desk.frame, x, y };
  const told = await attempt("crop", () => post(desk.link.path("/crop"), body));
  if (told) await desk.link.refresh();
  else moved = null;
  change();
}

function press(event) {
  if (event.button !== 0 || !cornerNow()) return;
  event.preventDefault();
  box.focus({ preventScroll: true });
  if (desk.speed) change({ speed: 0 });
  drag = { x: event.clientX, y: event.clientY, from: cornerNow() };
  box.setPointerCapture(event.pointerId);
}

function pull(event) {
  if (!drag) return;
  const by = [event.clientX - drag.x, event.clientY - drag.y].map((px) => px / view.scale);
  moved = inside([drag.from[0] + by[0], drag.from[1] + by[1]]);
  draw();
}

function release() {
  if (!drag) return;
  const was = drag.from;
  drag = null;
  if (moved && (moved[0] !== was[0] || moved[1] !== was[1])) put(moved);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function keys(event) {
  const way = ARROWS[event.key];
  if (!way || !cornerNow()) return;
  event.preventDefault();
  event.stopPropagation();
  const by = event.shiftKey ? 20 : 2;
  put(inside([cornerNow()[0] + by * way[0], cornerNow()[1] + by * way[1]]));
}

function drawBox() {
  const at = desk.cropping && !result() && !desk.state.opening && known === stampOf() ? cornerNow() : null;
  box.hidden = !at;
  if (!at) return;
  const { width, height, keys: frames, aspect } = crop();
  const style = {
    left: `${view.x + at[0] * view.scale}px`,
    top: `${view.y + at[1] * view.scale}px`,
    width: `${width * view.scale}px`,
    height: `${height * view.scale}px`,
  };
  Object.assign(box.style, style);
  const isKey = frames.includes(desk.frame);
  box.classList.toggle("cp-is-key", isKey);
  say(find("key-word"), `${frames.length} keyframes; frame ${desk.frame} is ${isKey ? "one" : "between"}.`);
  say(box.firstElementChild, `${aspect}${isKey ? " · keyframe" : ""}`);
}

const keyBefore = () => crop().keys.filter((frame) => frame < desk.frame).pop();
const keyAfter = () => crop().keys.find((frame) => frame > desk.frame);

function drawPanel() {
  const one = crop();
  const now = busy();
  find("crop-plan").disabled = now;
  find("crop-keys").hidden = !one;
  if (one && one.aspect !== plannedAspect) find("aspect").value = plannedAspect = one.aspect;
  const error = desk.note?.place === "crop" ? desk.note : null;
  const planned = desk.state.job?.kind === "crop" && desk.state.job.state === "done" ? desk.state.job.sentence : "";
  const before = object()
    ? "The crop keeps the tracked objects in the picture."
    : "The crop goes with what moves; mark and track an object to keep that in the picture.";
  say(find("crop-note"), error?.text ?? (one ? planned : before));
  find("crop-note").hidden = !find("crop-note").textContent;
  find("crop-note").classList.toggle("cp-error", Boolean(error?.error));
  if (!one) return;
  find("key-back").disabled = keyBefore() === undefined;
  find("key-on").disabled = keyAfter() === undefined;
  find("key-drop").disabled = !one.keys.includes(desk.frame) || one.keys.length < 2;
  find("crop-of-box").hidden = !cleanClip();
  find("crop-go").disabled = now;
  say(find("crop-go"), `Reframe to ${one.aspect}`);
}

function draw() {
  if (!desk.state || desk.state.opening || !clip()?.frames) {
    box.hidden = true;
    return;
  }
  fetchCorners();
  drawPanel();
  drawBox();
}

export function startCrop(root, element) {
  panel = root;
  box = element;
  const details = find("shape");
  details.addEventListener("toggle", () => change({ cropping: details.open, ...(details.open ? { shown: null } : {}) }));
  find("crop-plan").addEventListener("click", () => planCrop(find("aspect").value));
  find("crop-go").addEventListener("click", () =>
    reframe(find("crop-of").checked ? (cleanClip()?.name ?? null) : null),
  );
  find("key-back").addEventListener("click", () => goTo(keyBefore()));
  find("key-on").addEventListener("click", () => goTo(keyAfter()));
  find("key-drop").addEventListener("click", () =>
    attempt("crop", async () => {
      await post(desk.link.path("/crop"), { frame: desk.frame, drop: true });
      await desk.link.refresh();
    }),
  );
  box.addEventListener("pointerdown", press);
  box.addEventListener("pointermove", pull);
  box.addEventListener("pointerup", release);
  box.addEventListener("pointercancel", release);
  box.addEventListener("keydown", keys);
  new ResizeObserver(draw).observe(box.parentElement);
  let frame = desk.frame;
  listen(() => {
    if (frame !== desk.frame) {
      frame = desk.frame;
      if (!drag) moved = null;
    }
    draw();
  });
}
