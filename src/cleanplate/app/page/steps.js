// Steps 2 and 3: follow, the frames to look at, try, remove; and the job at work.

import {
  dismiss,
  trackObjects,
  goTo,
  removeAll,
  set,
  staleSentence,
  tryHere,
  choose,
} from "./actions.js";
import { chosenFill, estimate } from "./choice.js";
import {
  busy,
  change,
  clip,
  count,
  desk,
  growth,
  job,
  listen,
  objects,
  proposed,
  span,
} from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { drawJobNumbers, jobBox, jobStamp } from "./jobs.js";
import { findings } from "./findings.js";
import { betterTracking, trackTrouble } from "./kinds.js";
import { resultRow } from "./results.js";
import { clock, count as counted, frames } from "./words.js";

function doubtRow(row) {
  const one = objects().find((each) => each.id === row.object);
  return make(
    "li",
    {
      class: `cp-doubtful${row.due === null ? "" : " cp-due"}${row.frame === desk.frame ? " cp-current" : ""}`,
    },
    make(
      "button",
      {
        type: "button",
        class: "cp-doubt-go",
        "data-key": `doubt-${row.id}`,
        title: `Go to frame ${row.frame}`,
        onclick: () => {
          choose(row.object);
          goTo(row.frame);
        },
      },
      make("img", {
        src: desk.link.url(`/look/${row.frame}/${row.object}.jpg?v=${row.id}`),
        alt: "",
        loading: "lazy",
      }),
      make(
        "span",
        { class: "cp-doubt-text" },
        make(
          "span",
          { class: "cp-doubt-frame" },
          make("span", { class: "cp-swatch", style: `--colour:${one?.colour ?? "#888"}` }),
          `${one?.name ?? "object"} · ${frames(row.first, row.last)}`,
        ),
        make("span", { class: "cp-doubt-why" }, row.reason[0].toUpperCase() + row.reason.slice(1)),
      ),
    ),
    make(
      "button",
      {
        type: "button",
        class: "cp-quiet",
        "aria-label": `Looks right: frames ${frames(row.first, row.last)}`,
        title: "Looks right",
        "data-key": `right-${row.id}`,
        onclick: () => dismiss(row.id),
      },
      icon("check"),
    ),
  );
}

function enable(button, [can, reason]) {
  button.disabled = !can;
  button.title = can ? button.dataset.title : reason;
}

/** The sentence under a step: an error that arose there, why it is off, or what it will do. */
function reasonOf(place, can, else_say) {
  if (desk.note?.place === place) return [desk.note.text, desk.note.error];
  if (!can[0] && !busy()) return [can[1] ?? "", false];
  return [else_say, false];
}

function tell(element, [text, error]) {
  say(element, text);
  element.hidden = !text;
  element.classList.toggle("cp-error", Boolean(error));
  element.setAttribute("role", error ? "alert" : "note");
}

const OFF = [false, "Another job is running."];

function drawTrack(root) {
  const { state } = desk;
  const can = state.can?.track ?? [true, ""];
  const now = busy() ? OFF : can;
  for (const button of root.querySelectorAll("[data-track]")) enable(button, now);
  const found = job()?.kind === "attached" && job().state === "done" ? job().sentence : "";
  const stale = (state.stale ?? []).length && !busy() ? staleSentence() : "";
  tell(root.querySelector("#cp-track-note"), found && !desk.note && !stale ? [found, false] : reasonOf("track", can, stale));
  const rows = state.doubtful ?? [];
  root.querySelector("#cp-doubts").hidden = !rows.length;
  say(root.querySelector("#cp-doubts-count"), String(rows.length));
  show(root.querySelector("#cp-doubts ol"), [rows, objects(), desk.speed ? 0 : desk.frame], () =>
    rows.slice(0, 200).map(doubtRow),
  );
}

function drawRemove(root) {
  const { state } = desk;
  const can = state.can?.remove ?? [true, ""];
  const now = busy() ? OFF : can;
  enable(root.querySelector("#cp-remove-go"), now);
  const trouble = now[0] ? trackTrouble() : null;
  root.querySelector("#cp-remove-go").classList.toggle("cp-strong", !trouble);
  drawTrouble(root.querySelector("#cp-trouble"), trouble);
  enable(root.querySelector("#cp-try"), now);
  const time = estimate(chosenFill());
  const [start, stop_] = span();
  const length = clock((stop_ - start) / clip().rate);
  const disk =
    state.disk?.needed > state.disk?.free ? " There may not be enough room on the disk." : "";
  root.querySelector("#cp-whole-box").hidden = stop_ - start === count();
  const plan = `${counted(stop_ - start, "frame")} (${length})${time ? `, about ${time}` : ""}.${disk}`;
  tell(root.querySelector("#cp-remove-note"), reasonOf("remove", can, busy() ? "" : plan));
  const results = state.results ?? [];
  root.querySelector("#cp-results").hidden = !results.length;
  show(root.querySelector("#cp-results"), [results, desk.shown], () => results.map(resultRow));
}

/** Why a removal would leave something, and the two ways out. */
function drawTrouble(box, trouble) {
  box.hidden = !trouble;
  if (!trouble) return;
  show(box, [trouble, desk.state.offers, desk.state.fetch?.state], () => [
    make("p", { class: "cp-says" }, trouble.says),
    make(
      "div",
      { class: "cp-here-acts" },
      make(
        "button",
        {
          type: "button",
          class: "cp-link",
          "data-key": "trouble-go",
          onclick: () => {
            choose(trouble.object);
            goTo(trouble.frame);
          },
        },
        `Go to frame ${trouble.frame}`,
      ),
      betterTracking("trouble-get"),
    ),
  ]);
}

const FORMATS = {
  source: { codec: null, lossless: null },
  lossless: { codec: null, lossless: true, quality: null },
  prores: { codec: "prores", lossless: null, quality: null },
  h264: { codec: "h264", lossless: null },
  hevc: { codec: "hevc", lossless: null },
};
const FORMAT_SAYS = {
  source: "The codec of the source, encoded again at its quality.",
  lossless: "A large file: outside the masks every pixel is the source's.",
  prores: "10 bits, for editing on; a large .mov.",
  h264: "Plays everywhere.",
  hevc: "Smaller than H.264; does not play everywhere.",
  own: "",
};

/** How the clip is saved, in one word; "own" where more was set. */
function formatNow() {
  const { codec = "auto", lossless = false } = desk.state.settings ?? {};
  if (lossless) return codec === "auto" ? "lossless" : "own";
  return { auto: "source", prores: "prores", h264: "h264", hevc: "hevc" }[codec] ?? "own";
}

function drawFormat(root) {
  const now = formatNow();
  root.querySelector("#cp-format").value = now;
  say(root.querySelector("#cp-format-says"), FORMAT_SAYS[now]);
  const quality = root.querySelector("#cp-quality");
  const scaled = ["source", "h264", "hevc"].includes(now);
  quality.hidden = root.querySelector("#cp-quality-word").hidden = !scaled;
  if (document.activeElement !== quality) quality.value = desk.state.settings?.quality ?? "";
}

function drawGrowth(root) {
  const field = root.querySelector("#cp-grow");
  const by = growth();
  field.max = Math.max(40, Math.round(clip().height / 20));
  if (document.activeElement !== field) field.value = by;
  field.setAttribute("aria-valuetext", `${by} pixels`);
  say(root.querySelector("#cp-grow-word"), `${by}\u00a0px`);
  root.querySelector("#cp-grow-auto").hidden = !Number.isFinite(desk.state.settings?.grow);
}

function drawJob(root) {
  const one = job();
  const place =
    { suggest: "cp-job-pick", damage: "cp-job-pick", attached: "cp-job-track", track: "cp-job-track", crop: "cp-job-crop", retarget: "cp-job-crop" }[one?.kind] ?? "cp-job-remove";
  for (const id of ["cp-job-pick", "cp-job-track", "cp-job-remove", "cp-job-crop"]) {
    const box = root.querySelector(`#${id}`);
    const content = id === place ? one : null;
    show(box, content ? jobStamp(content) : null, () => jobBox(content));
    drawJobNumbers(box, content);
    box.hidden = !box.childElementCount;
  }
  tell(
    root.querySelector("#cp-job-note"),
    desk.note?.place === "job" ? [desk.note.text, desk.note.error] : ["", false],
  );
}

function drawPick(root) {
  const messages = desk.state.messages ?? [];
  root.querySelector("#cp-messages").hidden = !messages.length;
  show(root.querySelector("#cp-messages"), messages, () =>
    messages.map((text) => make("li", {}, text)),
  );
  const masks = root.querySelector("#cp-pick-note");
  const none = !objects().length && !busy();
  const looked = ["suggest", "damage"].includes(job()?.kind) && job().state === "done";
  const found = looked && (proposed().length || none || (job().kind === "damage" && findings().every((one) => one.object === null))) ? job().sentence : "";
  tell(
    masks,
    reasonOf(
      "pick",
      [true],
      found ||
        (none
          ? "Click what to remove. Right-click or Shift+click what is not part of it."
          : ""),
    ),
  );
}

export function startSteps(root) {
  const on = (selector, act) => {
    const button = root.querySelector(selector);
    button.dataset.title = button.title;
    button.addEventListener("click", act);
  };
  for (const way of ["backward", "both", "forward"])
    on(`[data-track=${way}]`, () => trackObjects(way));
  on("#cp-try", tryHere);
  on("#cp-remove-go", removeAll);
  const field = root.querySelector("#cp-grow");
  // Seen at once while it is dragged, told when it is let go.
  field.addEventListener("input", () => {
    desk.state.settings.grow = Number(field.value);
    change();
  });
  field.addEventListener("change", () => set({ grow: Number(field.value) }));
  const whole = root.querySelector("#cp-whole");
  whole.addEventListener("change", () => change({ whole: whole.checked }));
  const format = root.querySelector("#cp-format");
  format.addEventListener("change", () => set(FORMATS[format.value]));
  const quality = root.querySelector("#cp-quality");
  quality.addEventListener("change", () => {
    const text = quality.value.trim();
    set({ quality: text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text) });
  });
  on("#cp-grow-auto", () => set({ grow: null }));
  listen(() => {
    root.inert = Boolean(desk.state?.opening);
    if (!desk.state || desk.state.opening || !clip()?.frames) return;
    drawPick(root);
    drawTrack(root);
    drawRemove(root);
    drawGrowth(root);
    drawFormat(root);
    drawJob(root);
  });
}
