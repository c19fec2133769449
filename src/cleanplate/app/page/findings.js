// What was found beside the objects: the shadow that one casts, to be ticked or not; and damage of
// film and tape, to be added as a whole or rejected place by place.

import { addDamage, choose, goTo, lookForAttached, lookForDamage, reject, tickFinding } from "./actions.js";
import { busy, desk, listen, object, objects } from "./desk.js";
import { icon, make, show } from "./dom.js";
import { count as counted, frames } from "./words.js";

const MOST = 100; // places in the list; the timeline shows them all
const KINDS = { dirt: "Dirt", scratches: "Scratches", dropouts: "Drop-outs", shadow: "Shadow", reflection: "Reflection" };

export const findings = () => desk.state?.findings ?? [];
const kindOf = (one) => KINDS[one.kind] ?? one.kind;
const sure = (one) => `${Math.round(100 * one.confidence)} %`;

function ticked(one) {
  const caster = object(one.caster);
  const box = make("input", {
    type: "checkbox",
    "data-key": `finding-${one.id}`,
    onchange: () => tickFinding(one, box.checked),
  });
  box.checked = one.object !== null;
  const how = one.undone > 0.5 ? "; its light is given back" : "";
  const what = one.stale ? "found before your change" : `sure to ${sure(one)}${how}`;
  return make(
    "label",
    { class: "cp-check", title: "Ticked, it is an object of its own: look at its mask, correct it." },
    box,
    make("span", {}, `${kindOf(one)} of ${caster.name} `, make("span", { class: "cp-muted" }, what)),
  );
}

function drawAttached(root) {
  const cast = findings().filter((one) => one.caster);
  const box = root.querySelector("#cp-attached");
  box.hidden = !cast.length;
  const names = objects().map((one) => one.name);
  show(box, [cast, names], () => [make("h3", {}, "Goes with it"), ...cast.map(ticked)]);
  const button = root.querySelector("#cp-find-attached");
  const own = new Set(findings().map((one) => one.object));
  const moves = objects().some((one) => !one.static && !own.has(one.id));
  const is_new = !cast.length || cast.some((one) => one.stale);
  button.hidden = busy() || !moves || !is_new || !desk.state.can?.remove?.[0];
}

function place(one, at, number) {
  const go = () => {
    choose(one.object);
    goTo(at.first);
  };
  const where = `frame${at.first === at.last ? "" : "s"} ${frames(at.first, at.last)}`;
  return make(
    "li",
    { class: `cp-doubtful${desk.frame === at.first ? " cp-current" : ""}` },
    make(
      "button",
      { type: "button", class: "cp-doubt-go", "data-key": `place-${one.id}-${number}`, title: `Go to ${where}`, onclick: go },
      make("img", {
        src: desk.link.url(`/finding/${one.id}/${number}.jpg?v=${one.run}`),
        alt: "",
        loading: "lazy",
      }),
      make(
        "span",
        { class: "cp-doubt-text" },
        make("span", { class: "cp-doubt-frame" }, `${kindOf(one)} · ${where}`),
        make("span", { class: "cp-doubt-why" }, `sure to ${sure(at)}`),
      ),
    ),
    make(
      "button",
      {
        type: "button",
        class: "cp-quiet",
        "aria-label": `No damage: ${where}`,
        title: "No damage: leave it as it is",
        "data-key": `reject-${one.id}-${number}`,
        onclick: () => reject(one, number),
      },
      icon("close"),
    ),
  );
}

/** A kind that was not added: what it is, and a button. */
function kind(one) {
  return make(
    "li",
    { class: "cp-doubtful" },
    make(
      "span",
      { class: "cp-doubt-text" },
      make("span", { class: "cp-doubt-frame" }, kindOf(one)),
      make("span", { class: "cp-doubt-why" }, `${counted(one.count, "place")}, sure to ${sure(one)}`),
    ),
    make(
      "button",
      {
        type: "button",
        class: "cp-button cp-small",
        "data-key": `damage-${one.id}`,
        "aria-label": `Add: ${kindOf(one)}`,
        title: "Add it to the objects: it is filled when you press Remove",
        onclick: () => addDamage(one),
      },
      icon("plus"),
      "Add",
    ),
  );
}

function drawDamage(root) {
  const damage = findings().filter((one) => !one.caster);
  const box = root.querySelector("#cp-damage");
  const rows = damage.some((one) => one.object === null || one.rejected.length < one.places.length);
  box.hidden = !rows;
  show(box.querySelector("ol"), [damage, desk.speed ? 0 : desk.frame], () =>
    damage.flatMap((one) =>
      one.object === null
        ? [kind(one)]
        : one.places
            .map((at, number) => [at, number])
            .filter(([, number]) => !one.rejected.includes(number))
            .slice(0, MOST)
            .map(([at, number]) => place(one, at, number)),
    ),
  );
  root.querySelector("#cp-find-damage").hidden = busy() || damage.length > 0;
}

export function startFindings(root) {
  root.querySelector("#cp-find-attached").addEventListener("click", lookForAttached);
  root.querySelector("#cp-find-damage").addEventListener("click", lookForDamage);
  listen(() => {
    if (!desk.state || desk.state.opening) return;
    drawAttached(root);
    drawDamage(root);
  });
}
