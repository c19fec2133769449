// One choice of an engine in plain words: what it is good at, what it needs, how long it takes.

import { set, setOutliner } from "./actions.js";
import { desk, listen, span } from "./desk.js";
import { make, show } from "./dom.js";
import { fetchStamp, getter } from "./fetching.js";
import { bytes, lasting } from "./words.js";

const SETTING = { segment: "segmenter", track: "tracker", inpaint: "inpainter" };
let all = [];

const engineOf = (choice) =>
  (desk.state?.engines ?? []).find((one) => one.task === choice.task && one.name === choice.engine);

const valueOf = (name) =>
  (name.includes(".") ? desk.state.settings?.engine_fields?.[name] : desk.state.settings?.[name]) ??
  null;

/** Whether "auto" outlines with SAM 2.1: it is here. */
const isLearned = () =>
  (desk.state?.engines ?? []).some((one) => one.task === "segment" && one.name === "sam2" && one.here);

/** The settings of a choice; where "auto" means something better, the engine's own name. */
function valuesOf(choice) {
  if (choice.task !== "segment" || !isLearned()) return choice.values;
  return { ...choice.values, segmenter: choice.engine };
}

/** Whether the project's settings are those of this choice; "auto" and its engine are the same. */
function isChosen(choice) {
  return Object.entries(choice.values).every(([name, value]) => {
    const now = valueOf(name);
    if (choice.task === "segment" && name === "segmenter" && now === "auto" && isLearned())
      return choice.engine === "sam2";
    if (name === SETTING[choice.task]) return now === value || now === choice.engine;
    return String(now ?? "default") === String(value ?? "default");
  });
}

function chosenOf(task) {
  const name = valueOf(SETTING[task]);
  return (
    all.find((one) => one.task === task && isChosen(one)) ??
    all.find(
      (one) => one.task === task && (one.engine === name || one.values[SETTING[task]] === name),
    )
  );
}

/** How long this takes for the frames between in and out. */
export function estimate(choice) {
  const each = choice && engineOf(choice)?.seconds_per_frame;
  if (!each || desk.state.opening) return "";
  return lasting(each * choice.time * (span()[1] - span()[0]));
}

export const chosenFill = () => chosenOf("inpaint");

function facts(choice, engine) {
  const parts = [];
  if (!choice.learned) parts.push("no download");
  else if (engine?.here) parts.push("weights are here");
  else parts.push(engine?.size ? `needs weights (${bytes(engine.size)})` : "needs weights");
  const time = choice.task === "segment" ? "" : estimate(choice);
  if (time) parts.push(`about ${time}`);
  if (choice.learned)
    parts.push(engine?.commercial === false ? "not for commercial use" : "commercial use allowed");
  return parts.join(" · ");
}

function card(choice, index, chosen) {
  const engine = engineOf(choice);
  const here = isHere(choice);
  const radio = make("input", {
    type: "radio",
    name: `cp-choice-${choice.task}`,
    value: String(index),
    "data-key": `choice-${index}`,
    disabled: !here,
    onchange: () => (choice.task === "segment" ? setOutliner : set)(valuesOf(choice)),
  });
  radio.checked = choice === chosen;
  return make(
    "label",
    { class: `cp-card${here ? "" : " cp-away"}` },
    radio,
    make(
      "span",
      { class: "cp-card-text" },
      make("span", { class: "cp-card-title" }, choice.title),
      make("span", { class: "cp-card-says" }, choice.says),
      make(
        "span",
        {
          class: "cp-card-facts",
          title: engine ? `Engine ${choice.engine}. Licence: ${engine.licence}.` : "",
        },
        facts(choice, engine),
      ),
      choice.learned
        ? make("span", { class: "cp-card-facts" }, `Licence: ${engine?.licence ?? "unknown"}`)
        : null,
      here ? null : wayTo(choice, engine),
    ),
  );
}

/** What brings a choice here: a button where that is all, else commands. */
function wayTo(choice, engine) {
  if (!choice.fetch.length) return make("code", { class: "cp-card-get" }, choice.get);
  const facts = { size: choice.size, licence: choice.licence, commercial: engine?.commercial };
  return make("span", { class: "cp-card-way" }, getter(choice.fetch, facts));
}

/** Whether an engine could run now, with all weights that this choice asks for. */
function isHere(choice) {
  const engine = engineOf(choice);
  if (engine?.here === false) return false;
  const also = choice.checkpoint;
  return !also || (desk.state.weights ?? []).includes(also);
}

function menu(task) {
  const mine = all.filter((one) => one.task === task);
  const chosen = chosenOf(task);
  const cards = (which) => mine.filter(which).map((one) => card(one, all.indexOf(one), chosen));
  const away = cards((one) => !isHere(one));
  return [
    ...cards(isHere),
    away.length
      ? make("p", { class: "cp-choice-more" }, "With weights, which are not here yet:")
      : null,
    ...away,
  ];
}

/** Fill each `<details data-choice=TASK>` with the choices of its task. */
export function startChoices(root, choices) {
  all = choices;
  const boxes = [...root.querySelectorAll("[data-choice]")];
  document.addEventListener("pointerdown", (event) => {
    for (const box of boxes) if (box.open && !box.contains(event.target)) box.open = false;
  });
  for (const box of boxes) {
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !box.open) return;
      box.open = false;
      box.querySelector("summary").focus();
      event.stopPropagation();
    });
  }
  for (const box of boxes) {
    // Opened near the lower end of the column, most of it would lie out of sight.
    box.addEventListener("toggle", () => {
      if (box.open) box.scrollIntoView({ block: "start" });
    });
  }
  listen(() => {
    if (!desk.state || desk.state.opening) return;
    for (const box of boxes) {
      const task = box.dataset.choice;
      const chosen = chosenOf(task);
      const { engines, settings, weights } = desk.state;
      const signature = [engines, settings, fetchStamp(), weights, span()];
      show(
        box.querySelector(".cp-chosen"),
        [chosen?.title, chosen && facts(chosen, engineOf(chosen))],
        () => [
          make("span", { class: "cp-chosen-title" }, chosen?.title ?? valueOf(SETTING[task]) ?? ""),
          make("span", { class: "cp-chosen-facts" }, chosen ? facts(chosen, engineOf(chosen)) : ""),
        ],
      );
      show(box.querySelector(".cp-cards"), signature, () => menu(task));
    }
  });
}
