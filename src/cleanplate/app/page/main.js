// The page's beginning: waits for Gradio to put its parts up, opens what the link names, and wires all.

import { newObject, set, showResult, stop } from "./actions.js";
import { startAhead } from "./ahead.js";
import { startChoices } from "./choice.js";
import { busy, change, count, desk, keep, listen, object, objects } from "./desk.js";
import { dress } from "./dom.js";
import { openKeys, startKeys } from "./keys.js";
import { startFetching } from "./fetching.js";
import { startCrop } from "./crop.js";
import { startFilled } from "./filled.js";
import { startMasks } from "./masks.js";
import { startNotices } from "./notices.js";
import { forget } from "./pictures.js";
import { startOutlines } from "./outlines.js";
import { startPointer } from "./pointer.js";
import { startFindings } from "./findings.js";
import { startProposals } from "./proposals.js";
import { Link, get } from "./server.js";
import { startStage } from "./stage.js";
import { forgetRecent, remember, startClips } from "./clips.js";
import { lookFor, startStart } from "./start.js";
import { startSteps } from "./steps.js";
import { startObjects } from "./objects.js";
import { startTimeline } from "./timeline.js";
import { startTools } from "./tools.js";
import { view } from "./view.js";

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
  let jobSeen; // undefined: the project was not looked at yet
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
      if (before !== undefined && told_job !== before) jobChanged(state.job);
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
  remember(project, link.state.clip);
  showAddress(project);
  const last = (link.state.clip.frames ?? 1) - 1;
  const shown = link.state.results?.some((one) => one.name === place.shown) ? place.shown : null;
  change({
    frame: Math.min(place.frame ?? 0, last),
    object: place.object ?? desk.object,
    shown,
    note: null,
  });
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
  if (busy()) {
    requestAnimationFrame(() => {
      const box = ["cp-job-pick", "cp-job-track", "cp-job-remove", "cp-job-crop"].map(id).find((one) => !one.hidden);
      box?.scrollIntoView({ block: "nearest" });
    });
  }
  if (now.state === "done" && now.result && ["try", "remove", "retarget"].includes(now.kind)) {
    showResult(now.result);
    requestAnimationFrame(() => id("cp-results").scrollIntoView({ block: "nearest" }));
  }
}

function leave() {
  for (const box of document.querySelectorAll("#cp-panel details[open]")) box.open = false;
  desk.link?.close();
  forget();
  desk.drafts.clear();
  change({
    link: null,
    state: null,
    frame: 0,
    object: null,
    shown: null,
    filled: false,
    outlined: null,
    tool: "point",
    compare: "wipe",
    wipe: 0.5,
    cropping: false,
    masks: true,
    peek: false,
    speed: 0,
    lost: 0,
    crosshair: null,
    hint: "",
    note: null,
    times: null,
    span: null,
  });
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
  localStorage.setItem(
    `cleanplate.place.${desk.link.id}`,
    JSON.stringify({ frame, object: chosen, shown }),
  );
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

async function begin() {
  for (const part of PARTS) dress(id(part));
  setTheme((localStorage.getItem("cleanplate.theme") ?? "dark") === "dark");
  id("cp-theme").addEventListener("click", () =>
    setTheme(!document.body.classList.contains("dark")),
  );
  id("cp-help").addEventListener("click", openKeys);
  id("cp-new").title = "New object (N)";
  const away = () => {
    leave();
    showAddress(null);
  };
  id("cp-another").addEventListener("click", away);
  id("cp-chip").querySelector("button").addEventListener("click", stop);
  id("cp-veil-stop").addEventListener("click", stop);
  id("cp-veil-again").addEventListener("click", away);
  startPointer(startStage(id("cp-stage")));
  startTimeline(id("cp-timeline"), id("cp-transport"));
  startObjects(id("cp-panel"));
  startProposals(id("cp-panel"));
  startCrop(id("cp-panel"), id("cp-crop"));
  startFindings(id("cp-panel"));
  startChoices(id("cp-panel"), JSON.parse(id("cp-panel").dataset.choices));
  startSteps(id("cp-panel"));
  startMasks(id("cp-panel"));
  startFetching(id("cp-panel"));
  startStart(id("cp-start"), open, away);
  startClips(id("cp-clips"), id("cp-clips-open"), open);
  startKeys();
  startAhead();
  startTools();
  startOutlines();
  startFilled();
  startNotices();
  window.cleanplate = { desk, view, set, values: {}, count, newObject, objects };
  listen(keepPlace);
  change({ about: await get("about") });
  const wanted = new URL(location.href).searchParams.get("project");
  if (wanted) await open(wanted);
  else change();
  document.body.classList.add("cp-begun");
}
