// A job as the page shows it: what it does, how far it is, how to stop it or go on with it.

import { discard, goOn, stop } from "./actions.js";
import { busy, desk, isStopping } from "./desk.js";
import { icon, make, say } from "./dom.js";
import { DOING, count as counted, lasting, rate } from "./words.js";

const STAGES = {
  survey: "reading",
  segment: "outlining",
  track: "tracking",
  masks: "masks",
  letters: "looking for letters",
  suggest: "comparing frames",
  inpaint: "filling",
  write: "writing",
  proxy: "preparing playback",
  ground: "what the ground looks like",
  attached: "shadows and reflections",
  damage: "comparing frames",
  focus: "what moves",
  measure: "where the objects are",
  crop: "cutting out",
};
/** The job's numbers as one line. */
export function jobLine(one) {
  const parts = [];
  if (one.state === "queued") return `Waiting: ${counted(one.place ?? 1, "job")} before this`;
  if (one.total) parts.push(`${one.done ?? 0} of ${one.total}`);
  if (one.rate) parts.push(`${rate(Number(one.rate.toPrecision(2)))} frames/s`);
  if (one.left !== null && one.left !== undefined && one.state === "running")
    parts.push(`${lasting(one.left)} left`);
  return parts.join(" · ");
}

export const jobTitle = (one) =>
  isStopping()
    ? "Stopping"
    : `${DOING[one.kind] ?? one.kind}${one.stage && one.kind !== "track" ? `: ${STAGES[one.stage] ?? one.stage}` : ""}`;

/** The same work on the command line, for who would rather finish it there. */
export function commandOf(one) {
  if (!one.command) return null;
  return make(
    "details",
    { class: "cp-command" },
    make("summary", {}, "On the command line"),
    make("code", { class: "cp-card-get", tabindex: 0 }, one.command),
  );
}

const glance = make("img", { class: "cp-glance" }); // one element: it shows the old until the new is here

/** The picture that was filled a moment ago. */
function glanceOf(one) {
  if (!Number.isInteger(one.shown)) return null;
  const url = desk.link.url(`/job/glance.jpg?job=${one.id}&frame=${one.shown}`);
  if (glance.src !== url) glance.src = url;
  glance.alt = `Frame ${one.shown}, filled`;
  return glance;
}

/** What decides which elements a job's box has; the rest changes in place. */
export function jobStamp(one) {
  if (!one || !busy()) return [one];
  return [one.id, one.kind, one.state, isStopping(), one.sentence, one.device, Number.isInteger(one.shown)];
}

/** The numbers of a job that is at work. The elements stay, so that a press on Stop is not lost. */
export function drawJobNumbers(box, one) {
  if (!one || !busy() || !box.childElementCount) return;
  // Before the first frame an engine looks at many: how far it is may not be known.
  const counted = one.total && one.done ? Math.min(1, one.done / one.total) : null;
  const part = one.part ?? counted;
  const bar = box.querySelector("progress");
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
  say(box.querySelector(".cp-job-title"), jobTitle(one));
  say(box.querySelector(".cp-job-line"), jobLine(one));
  glanceOf(one);
}

/** All of a job in the column; nothing when it is done. */
export function jobBox(one) {
  if (!one || one.kind === "open") return [];
  if (busy()) {
    return [
      make(
        "div",
        { class: "cp-job-head" },
        make("strong", { class: "cp-job-title" }, jobTitle(one)),
        make("span", { class: "cp-muted" }, one.device ?? ""),
      ),
      make("progress", { max: 1, "aria-label": jobTitle(one) }),
      make("div", { class: "cp-job-line" }),
      isStopping() && one.sentence ? make("div", { class: "cp-muted" }, one.sentence) : null,
      make(
        "button",
        {
          type: "button",
          class: "cp-button cp-stop",
          "data-key": "stop",
          disabled: isStopping(),
          onclick: stop,
        },
        icon("stop"),
        isStopping() ? "Stopping…" : "Stop",
      ),
      glanceOf(one),
    ];
  }
  if (one.state !== "stopped" && one.state !== "failed") return [];
  return [
    make(
      "p",
      {
        class: one.state === "failed" ? "cp-error" : "cp-says",
        role: one.state === "failed" ? "alert" : null,
      },
      one.sentence ||
        (one.state === "failed" ? "This did not work." : "Stopped. What is done is kept."),
    ),
    make(
      "div",
      { class: "cp-buttons" },
      make(
        "button",
        { type: "button", class: "cp-button cp-strong", "data-key": "go-on", onclick: goOn },
        icon("play"),
        one.frame ? `Go on from frame ${one.frame}` : "Go on",
      ),
      make(
        "button",
        { type: "button", class: "cp-button", "data-key": "discard", onclick: discard },
        "Discard",
      ),
    ),
    commandOf(one),
  ];
}
