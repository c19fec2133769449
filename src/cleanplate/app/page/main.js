// The page's beginning: waits for Gradio to put its parts up, opens what the link names, and wires all.

import { chooseCandidate, goTo, newObject, play, redo, set, setLook, setOpacity, setPainted, setRadius, setTool, showResult, step, stop, undo } from "./actions.js";
import { startAhead } from "./ahead.js";
import { startChoices } from "./choice.js";
import { busy, change, clip, count, desk, isStopping, job, keep, listen, object, objects, reach, result, stage, told } from "./desk.js";
import { dress, make, say, show } from "./dom.js";
import { WAYS, openKeys, startKeys } from "./keys.js";
import { startMasks } from "./masks.js";
import { forget } from "./pictures.js";
import { startPointer } from "./pointer.js";
import { Link, get } from "./server.js";
import { startStage, wipeReach, wipeX, zoomWord } from "./stage.js";
import { factsOf, forgetRecent, lookFor, remember, startStart } from "./start.js";
import { jobLine, jobTitle, startSteps } from "./steps.js";
import { startObjects } from "./objects.js";
import { startTimeline } from "./timeline.js";
import { fit, view, zoomTo } from "./view.js";

const PARTS = ["cp-top", "cp-main", "cp-panel", "cp-foot"];
const id = (name) => document.getElementById(name);
let started = false;

/** Called as each part of the page is put up; with the last one the page begins. */
export function ready() {
  if (started || !PARTS.every(id)) return;
  started = true;
  begin();
}

// Opening and leaving

async function open(project) {
  leave();
  const unknown = await lookFor(project);
  if (unknown) {
    forgetRecent(project);
    change({ note: { place: "start", text: unknown, error: true } });
    return showAddress(null);
  }
  let settingsSeen = null;
  let jobSeen = null;
  const link = new Link(project, {
    onstate(state) {
      if (!object() && state.objects?.length) desk.object = state.objects[0].id;
      if (JSON.stringify(state.settings) !== settingsSeen) {
        settingsSeen = JSON.stringify(state.settings);
        queueMicrotask(() => tellForm(state));
      }
      const told_job = state.job && `${state.job.id} ${state.job.state}`;
      const before = jobSeen;
      jobSeen = told_job;
      change({ state });
      fetchTimes(link);
      if (before && told_job !== before) jobChanged(state.job);
    },
    onlost: (tries) => change({ lost: tries }),
    onfound: () => change({ lost: 0 }),
    onunknown(sentence) {
      leave();
      forgetRecent(project);
      showAddress(null);
      change({ note: { place: "start", text: sentence, error: true } });
    },
  });
  // Where this browser was in the project; read before the first look at it is kept as the new place.
  const place = JSON.parse(localStorage.getItem(`cleanplate.place.${project}`) ?? "{}");
  desk.link = link;
  await link.start();
  remember(project, link.state.clip.name);
  showAddress(project);
  const last = (link.state.clip.frames ?? 1) - 1;
  const shown = link.state.results?.some((one) => one.name === place.shown) ? place.shown : null;
  change({ frame: Math.min(place.frame ?? 0, last), object: place.object ?? desk.object, shown, note: null });
}

/** Times of all frames, once they are known: rates vary in some clips. */
async function fetchTimes(link) {
  const { times } = link.state.clip;
  if (!times || times === "rate" || link.times) return;
  link.times = true;
  const all = await get(times);
  if (desk.link === link) change({ times: all });
}

/** A job came to an end, or is being stopped: say so, and show what it made. */
function jobChanged(now) {
  if (!now) return;
  if (now.sentence) change({ hint: now.sentence });
  if (now.state === "done" && now.result && ["try", "remove"].includes(now.kind)) {
    showResult(now.result);
    requestAnimationFrame(() => id("cp-results").scrollIntoView({ block: "nearest" }));
  }
}

function leave() {
  desk.link?.close();
  forget();
  desk.drafts.clear();
  change({ link: null, state: null, frame: 0, object: null, shown: null, speed: 0, lost: 0, crosshair: null, hint: "", note: null, times: null, span: null });
}

function showAddress(project) {
  const address = new URL(location.href);
  if (project) address.searchParams.set("project", project);
  else address.searchParams.delete("project");
  history.replaceState(null, "", address);
}

function keepPlace() {
  if (!desk.link || !desk.state || desk.speed) return;
  const { frame, object: chosen, shown } = desk;
  localStorage.setItem(`cleanplate.place.${desk.link.id}`, JSON.stringify({ frame, object: chosen, shown }));
}

// Light and dark

function setTheme(dark) {
  document.body.classList.toggle("dark", dark);
  keep("theme", dark ? "dark" : "light");
  id("cp-theme").setAttribute("aria-label", dark ? "Light page" : "Dark page");
  id("cp-theme").title = dark ? "Light page" : "Dark page";
}

// The native form under "more": its values go out by JavaScript and come back by an event

function tellForm(state) {
  window.cleanplate.values = state.settings ?? {};
  const engines = [state.settings?.segmenter, state.settings?.tracker, state.settings?.inpainter];
  for (const group of document.querySelectorAll("[id^='cp-engine-']")) {
    const [task, name] = group.id.slice("cp-engine-".length).split("-");
    const used = { segment: engines[0], track: engines[1], inpaint: engines[2] }[task];
    const auto = { segment: "grabcut", track: "planar" }[task];
    group.classList.toggle("cp-unused", !(used === name || (used === "auto" && name === auto)));
  }
  id("cp-panel").dispatchEvent(new CustomEvent("cp-settings"));
}

// Tools, transport, comparison

function press(button, pressed) {
  button.setAttribute("aria-pressed", pressed ? "true" : "false");
}

function wireTools() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  id("cp-undo").addEventListener("click", undo);
  id("cp-redo").addEventListener("click", redo);
  id("cp-fit").addEventListener("click", () => {
    if (view.fitted) zoomTo(1);
    else fit();
    change();
  });
  id("cp-masks").addEventListener("click", () => change({ masks: !desk.masks }));
  id("cp-look").addEventListener("change", (event) => setLook(event.target.value));
  id("cp-opacity").addEventListener("input", (event) => setOpacity(Number(event.target.value)));
  id("cp-radius").addEventListener("input", (event) => setRadius(Number(event.target.value)));
  id("cp-painted").addEventListener("change", (event) => setPainted(event.target.checked));
  for (const button of document.querySelectorAll("[data-way]")) {
    button.addEventListener("click", () => change({ compare: button.dataset.way }));
  }
  id("cp-leave-result").addEventListener("click", () => change({ shown: null, speed: 0 }));
  id("cp-wipe").addEventListener("input", (event) => change({ wipe: Number(event.target.value) / 1000 }));
  id("cp-wipe").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault(); // a step of its own would be a thousandth
    const wipe = desk.wipe + by * (event.shiftKey ? 0.1 : 0.02);
    change({ wipe: Math.min(1, Math.max(0, wipe)) });
  });
  const acts = {
    first: () => goTo(reach()[0]), back: () => step(-1), play: () => play(1), forward: () => step(1), last: () => goTo(reach()[1]),
  };
  for (const [name, act] of Object.entries(acts)) id(`cp-${name}`).addEventListener("click", act);
  wireFrameField(id("cp-frame"));
}

/** The frame's number can be typed, or a time such as 1:04.5. */
function wireFrameField(field) {
  const go = () => {
    const text = field.value.trim();
    const parts = text.split(":").map(Number);
    if (!text || parts.some(Number.isNaN)) field.value = desk.frame;
    else if (text.includes(":") || text.includes(".")) {
      const seconds = parts.reduce((sum, part) => sum * 60 + part, 0);
      goTo(Math.floor(seconds * clip().rate + 1e-6));
    } else goTo(parts[0]);
    field.value = desk.frame;
  };
  field.addEventListener("change", go);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") field.blur();
  });
}

function drawTools() {
  const shown = result();
  for (const button of document.querySelectorAll("[data-tool]")) press(button, !shown && desk.tool === button.dataset.tool);
  for (const button of document.querySelectorAll("[data-way]")) press(button, desk.compare === button.dataset.way);
  id("cp-undo").disabled = !desk.state.can?.undo;
  id("cp-redo").disabled = !desk.state.can?.redo;
  press(id("cp-masks"), desk.masks);
  id("cp-look").value = desk.look;
  id("cp-opacity").value = desk.opacity;
  id("cp-opacity").disabled = desk.look !== "fill";
  const brushing = !shown && ["brush", "eraser"].includes(desk.tool);
  id("cp-opacity").classList.toggle("cp-spare", brushing);
  id("cp-radius-box").hidden = !brushing;
  id("cp-painted").checked = desk.painted;
  id("cp-radius").max = Math.round((clip()?.height ?? 720) / 3);
  id("cp-radius").value = desk.radius;
  id("cp-radius").setAttribute("aria-valuetext", `${desk.radius} pixels`);
  id("cp-edit-tools").hidden = Boolean(shown);
  id("cp-mask-tools").hidden = Boolean(shown);
  id("cp-compare-tools").hidden = !shown;
  zoomWord(id("cp-fit-word"));
  const playing = desk.speed !== 0;
  const button = id("cp-play");
  if (button.dataset.icon !== (playing ? "pause" : "play")) {
    button.dataset.icon = playing ? "pause" : "play";
    button.querySelector("svg")?.remove();
    dress(button.parentElement);
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }
  say(id("cp-speed"), playing && desk.speed !== 1 ? `${desk.speed}×` : "");
}

function drawCompare() {
  const shown = result();
  const wiping = Boolean(shown) && desk.compare === "wipe" && !desk.peek;
  id("cp-wipe-box").hidden = !wiping;
  id("cp-side-labels").hidden = !(shown && (desk.compare === "side" || wiping));
  const [one, two] = id("cp-side-labels").children;
  if (wiping) {
    const x = wipeX();
    id("cp-wipe-line").style.left = `${x}px`;
    const [from, to] = wipeReach();
    // Half a thumb more on each side, so that the thumb's middle is on the line.
    id("cp-wipe").style.cssText = `left:${from - 22}px;width:${to - from + 44}px`;
    id("cp-wipe").value = Math.round(desk.wipe * 1000);
    id("cp-wipe").setAttribute("aria-valuetext", `${Math.round(desk.wipe * 100)} % original`);
    one.style.right = `calc(100% - ${x}px)`;
    two.style.left = `${x}px`;
  } else {
    one.style.right = "50%";
    two.style.left = "50%";
  }
  const label = shown && desk.peek ? "Original" : shown && !wiping && desk.compare !== "side" ? { result: "Result", difference: "Difference", flicker: "Flicker" }[desk.compare] : "";
  say(id("cp-view-label"), label ?? "");
  id("cp-view-label").hidden = !label;
}

/** Outlines to choose from, where a prompt left more than one. */
function drawCandidates() {
  const entry = told(desk.frame, desk.object);
  const several = !result() && !desk.speed && entry?.candidates > 1;
  id("cp-candidates").hidden = !several;
  if (!several) return;
  show(id("cp-candidates"), [entry.candidates, entry.chosen], () => [
    make("span", { class: "cp-candidates-word" }, "Outline"),
    ...Array.from({ length: entry.candidates }, (_, place) =>
      make(
        "button",
        { type: "button", "aria-pressed": place === entry.chosen ? "true" : "false", "aria-label": `Outline ${place + 1} of ${entry.candidates}`, title: "T: the next one", "data-key": `candidate-${place}`, onclick: () => chooseCandidate(place) },
        String(place + 1),
      ),
    ),
  ]);
}

// Header, veil and status

function drawHeader() {
  const { state } = desk;
  id("cp-clip").hidden = !state;
  id("cp-another").hidden = !state;
  if (!state) {
    document.title = "cleanplate";
    id("cp-chip").hidden = true;
    return;
  }
  say(id("cp-clip-name"), state.clip.name);
  say(id("cp-clip-facts"), factsOf(state.clip));
  const one = job();
  const chip = id("cp-chip");
  chip.hidden = !busy();
  if (busy()) {
    say(chip.querySelector("span"), `${jobTitle(one)} ${jobLine(one)}`);
    chip.querySelector("button").disabled = isStopping();
    const part = one.total ? `${Math.floor((100 * (one.done ?? 0)) / one.total)} % ` : "";
    document.title = `${part}${jobTitle(one)} · cleanplate`;
  } else document.title = `${state.clip.name} · cleanplate`;
}

function drawVeil() {
  const { state, lost } = desk;
  const opening = state?.opening;
  const failed = opening && ["failed", "stopped"].includes(job()?.state);
  id("cp-veil").hidden = !opening;
  if (opening) {
    const one = job();
    const part = one?.total ? (one.done ?? 0) / one.total : null;
    say(id("cp-veil-text"), failed ? one.sentence || "This clip could not be opened." : "Reading every frame once: counting, timing, finding cuts.");
    id("cp-veil-text").classList.toggle("cp-error", Boolean(failed));
    const bar = id("cp-veil").querySelector("progress");
    bar.hidden = failed;
    if (part === null) bar.removeAttribute("value");
    else bar.value = part;
    say(id("cp-veil-line"), one && !failed ? jobLine(one) : "");
    id("cp-veil-stop").hidden = failed;
    id("cp-veil-again").hidden = !failed;
  }
  id("cp-working").hidden = !desk.drafts.size;
  id("cp-lost").hidden = !lost;
  document.body.classList.toggle("cp-is-lost", Boolean(lost));
  if (lost) {
    const waits = desk.link?.waiting ? ` ${desk.link.waiting} of your changes wait here and will be sent.` : "";
    say(id("cp-lost-text"), `The server does not answer. Trying again (${lost}).${waits}`);
  }
}

const NEXT = {
  empty: "",
  opening: "Opening.",
  pick: "Click the thing to remove; then Follow.",
  following: "Following. You may look at what is done meanwhile.",
  review: "Look at the frames in the list, or play it; then try 2 s, then remove.",
  trying: "Removing 2 s around this frame.",
  removing: "Removing. The page may be closed; this link finds the job again.",
  result: "Hold C for the original, W for another way to compare.",
  stopped: "",
};

let hinted = { text: "", stage: "" };

function drawStatus() {
  const note = desk.note?.place === "stage" || desk.note?.place === "timeline" ? desk.note : null;
  const place = id("cp-stage-note");
  say(place, note?.text ?? "");
  place.hidden = !note;
  place.classList.toggle("cp-error", Boolean(note?.error));
  const here = stage();
  // A hint belongs to the state of things in which it was given.
  if (desk.hint !== hinted.text) hinted = { text: desk.hint, stage: here };
  else if (hinted.stage !== here) desk.hint = hinted.text = "";
  document.body.dataset.stage = here;
  const error = desk.note?.error ? desk.note.text : "";
  say(id("cp-status"), error || desk.hint || NEXT[here] || "");
  const proxy = desk.state?.proxy;
  const preparing = desk.state && !desk.state.opening && proxy && !proxy.ready;
  const device = job()?.device ?? desk.about?.device ?? "";
  say(id("cp-side-status"), preparing ? `Preparing smooth playing${proxy.progress ? ` ${Math.round(100 * proxy.progress)} %` : ""}` : device.toUpperCase());
}

async function begin() {
  for (const part of PARTS) dress(id(part));
  setTheme((localStorage.getItem("cleanplate.theme") ?? "dark") === "dark");
  id("cp-theme").addEventListener("click", () => setTheme(!document.body.classList.contains("dark")));
  id("cp-help").addEventListener("click", openKeys);
  id("cp-new").title = "New object (N)";
  id("cp-another").addEventListener("click", () => {
    leave();
    showAddress(null);
  });
  id("cp-chip").querySelector("button").addEventListener("click", stop);
  id("cp-veil-stop").addEventListener("click", stop);
  id("cp-veil-again").addEventListener("click", () => id("cp-another").click());
  startPointer(startStage(id("cp-stage")));
  startTimeline(id("cp-timeline"), id("cp-transport"));
  startObjects(id("cp-panel"));
  startChoices(id("cp-panel"), JSON.parse(id("cp-panel").dataset.choices));
  startSteps(id("cp-panel"));
  startMasks(id("cp-panel"));
  startStart(id("cp-start"), open);
  startKeys();
  startAhead();
  wireTools();
  window.cleanplate = { desk, view, set, values: {}, count, newObject, objects };
  listen(() => {
    drawHeader();
    drawVeil();
    drawStatus();
    keepPlace();
    if (!desk.state) return;
    drawTools();
    drawCompare();
    drawCandidates();
  });
  change({ about: await get("about") });
  const wanted = new URL(location.href).searchParams.get("project");
  if (wanted) await open(wanted);
  else change();
  document.body.classList.add("cp-begun");
}
