// What the page says of itself: the header, the veil while a clip is opened, the line at the foot.

import { busy, desk, isStopping, job, listen, result, stage } from "./desk.js";
import { say } from "./dom.js";
import { jobLine, jobTitle } from "./jobs.js";
import { factsOf } from "./start.js";

const id = (name) => document.getElementById(name);

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
    say(
      id("cp-veil-text"),
      failed
        ? one.sentence || "This clip could not be opened."
        : "Reading every frame once, to count them and find the cuts.",
    );
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
    const waits = desk.link?.waiting
      ? ` ${desk.link.waiting} of your changes wait here and will be sent.`
      : "";
    say(id("cp-lost-text"), `The server does not answer. Trying again (${lost}).${waits}`);
  }
}

const NEXT = {
  empty: "",
  opening: "Opening.",
  pick: "Click what to remove, then Track.",
  looking: "Searching. You can mark objects meanwhile.",
  planning: "Planning the crop.",
  reframing: "Reframing. You can close the page; this link finds the job again.",
  tracking: "Tracking. You can look at what is done meanwhile.",
  review: "Check the frames in the list, or play the clip. Then Try, then Remove.",
  trying: "Removing in 2 s around this frame.",
  removing: "Removing. You can close the page; this link finds the job again.",
  reframed: "Space plays both; drag the crop in the clip to change it.",
  result: "Hold C for the original; W changes the comparison.",
  stopped: "",
};

const isReframed = () => result()?.kind === "retarget";

let hinted = { text: "", stage: "", frame: 0, link: null };

function drawStatus() {
  const note = desk.note?.place === "stage" || desk.note?.place === "timeline" ? desk.note : null;
  const place = id("cp-stage-note");
  say(place, note?.text ?? "");
  place.hidden = !note;
  place.classList.toggle("cp-error", Boolean(note?.error));
  const here = stage();
  // A hint belongs to the state of things in which it was given, and to its frame.
  const now = { text: desk.hint, stage: here, frame: desk.frame, link: desk.link };
  if (desk.hint !== hinted.text) hinted = now;
  else if (["stage", "frame", "link"].some((name) => hinted[name] !== now[name]))
    desk.hint = hinted.text = "";
  document.body.dataset.stage = here;
  const error = desk.note?.error && desk.note.place !== "start" ? desk.note.text : "";
  const stopping = isStopping() ? "Stopping; what is done is kept." : "";
  say(id("cp-status"), error || stopping || desk.hint || NEXT[isReframed() ? "reframed" : here] || "");
  const proxy = desk.state?.proxy;
  const preparing = desk.state && !desk.state.opening && proxy && !proxy.ready;
  const device = job()?.device ?? desk.about?.device ?? "";
  say(
    id("cp-side-status"),
    preparing
      ? `Preparing playback${proxy.progress ? ` ${Math.round(100 * proxy.progress)} %` : ""}`
      : device && `Runs on ${device.toUpperCase()}`,
  );
}

/** What scrolls: the column beside the stage, or on a narrow page all of it. */
function scroller() {
  const column = document.getElementById("cp-right");
  const own = column && getComputedStyle(column).overflowY === "auto" ? column : null;
  return own && own.scrollHeight > own.clientHeight + 4 ? own : document.scrollingElement;
}

/** Say that the page goes on where nothing else shows it. */
function drawBelow() {
  const box = scroller();
  const below = box.scrollHeight - box.clientHeight - box.scrollTop;
  id("cp-below").hidden = !desk.state || below < 24;
}

function wireBelow() {
  id("cp-below").addEventListener("click", () => {
    const box = scroller();
    box.scrollBy({ top: 0.8 * box.clientHeight });
  });
  document.addEventListener("scroll", drawBelow, { capture: true, passive: true });
  window.addEventListener("resize", drawBelow);
  const column = document.getElementById("cp-right");
  if (column) new ResizeObserver(drawBelow).observe(column.firstElementChild ?? column);
}

export function startNotices() {
  wireBelow();
  listen(() => {
    drawHeader();
    drawVeil();
    drawStatus();
    requestAnimationFrame(drawBelow);
  });
}
