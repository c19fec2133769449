// Outlines to choose from, as small pictures, and another outline shown before it is taken.

import { chooseCandidate, strokesAsHints } from "./actions.js";
import { foreseen, rim } from "./ahead.js";
import { change, desk, listen, promptOf, result, told } from "./desk.js";
import { make, show } from "./dom.js";

const id = (name) => document.getElementById(name);

function candidate(entry, place) {
  const { frame, object, link } = desk;
  const path = `/candidate/${frame}/${object}/${place}.jpg?v=${entry.mask.slice(0, 12)}`;
  return make(
    "button",
    {
      type: "button",
      "aria-pressed": place === entry.chosen ? "true" : "false",
      "aria-label": `Outline ${place + 1} of ${entry.candidates}`,
      title: `Outline ${place + 1} (T: the next one)`,
      "data-key": `candidate-${place}`,
      onclick: () => chooseCandidate(place),
    },
    make("img", { src: link.url(path), alt: "", width: 48, height: 30 }),
  );
}

function button(text, title, key, act, strong = false) {
  const look = `cp-button cp-small${strong ? " cp-strong" : ""}`;
  return make("button", { type: "button", class: look, title, "data-key": key, onclick: act }, text);
}

/** Show what the strokes mean as hints; nothing is changed. */
async function look() {
  const { frame, object, link } = desk;
  const response = await fetch(link.url(`/outlined?frame=${frame}&object=${object}`));
  if (!response.ok) {
    const { error } = await response.json();
    return change({ note: { place: "stage", text: error, error: true } });
  }
  const bitmap = await createImageBitmap(await response.blob());
  if (desk.frame !== frame || desk.object !== object || desk.link !== link) return;
  foreseen.kept = { frame, canvas: rim(bitmap) };
  change({ outlined: { frame, object } });
}

function leave() {
  foreseen.kept = null;
  change({ outlined: null });
}

function take() {
  leave();
  return strokesAsHints();
}

function content(entry, isPainted) {
  if (desk.outlined)
    return [
      make("span", { class: "cp-candidates-word" }, "White: the outline found"),
      button("Use it", "Replace the mask of this frame by it", "outline-take", take, true),
      button("Keep mine", "Leave the mask as you painted it", "outline-leave", leave),
    ];
  const several = entry.candidates > 1;
  return [
    several ? make("span", { class: "cp-candidates-word" }, "Outline") : null,
    ...(several ? Array.from({ length: entry.candidates }, (_, at) => candidate(entry, at)) : []),
    isPainted
      ? button(
          "Find outline",
          "Find the edge of what you painted. It is shown first; your mask stays until you take it.",
          "outline-look",
          look,
        )
      : null,
  ];
}

export function startOutlines() {
  listen(() => {
    if (!desk.state) return;
    const box = id("cp-candidates");
    const entry = told(desk.frame, desk.object);
    const { outlined } = desk;
    if (outlined && (outlined.frame !== desk.frame || outlined.object !== desk.object || desk.drafts.size))
      return leave();
    const still = entry?.kind === "prompt" && !result() && !desk.speed;
    const isPainted = still && promptOf(desk.frame, desk.object).painted;
    const shown = still && (entry.candidates > 1 || isPainted);
    box.hidden = !shown;
    if (!shown) return;
    const signature = [desk.frame, desk.object, entry.mask, entry.candidates, entry.chosen, isPainted, outlined];
    show(box, signature, () => content(entry, isPainted));
  });
}
