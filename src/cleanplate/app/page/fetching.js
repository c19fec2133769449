// Weights at the press of a button: what they are for, size, licence; progress, stop, and then used.

import { attempt, reoutline, set } from "./actions.js";
import { change, desk, listen } from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { post } from "./server.js";
import { bytes, lasting } from "./words.js";

const PLACES = { track: "cp-offer-track", remove: "cp-offer-remove" };
const LIVE = ["queued", "running", "stopping"];
let seen = null; // the fetching that was seen last, and its state

const fetching = () => desk.state?.fetch ?? null;
const isGoing = (one) => Boolean(one) && LIVE.includes(one.state);

/** Ask for weights, by a person's own press. */
export const getWeights = (names) =>
  attempt("fetch", async () => {
    await post(desk.link.path("/fetch"), { names });
    await desk.link.refresh();
  });

const stopGetting = () => attempt("fetch", () => post(desk.link.path("/fetch/stop")));

export function getWord({ size, licence, commercial }) {
  const use = commercial === false ? "not for commercial use" : "free for commercial use";
  const facts = [size ? bytes(size) : null, use].filter(Boolean).join(", ");
  return { text: `Get it (${facts})`, title: `Licence of the weights: ${licence}` };
}

/** The fetching of these weights: how far it is, or why it ended; else the button that begins it. */
export function getter(names, facts) {
  const one = fetching();
  const mine = one && JSON.stringify(one.names) === JSON.stringify(names) ? one : null;
  const { text, title } = getWord(facts);
  if (isGoing(mine)) {
    return [
      make("progress", { max: 1, "aria-label": "Getting weights", class: "cp-fetch-bar" }),
      make(
        "span",
        { class: "cp-row" },
        make("span", { class: "cp-muted cp-fetch-line" }, ""),
        make(
          "button",
          { type: "button", class: "cp-button cp-small", "data-key": "fetch-stop", onclick: stopGetting },
          icon("stop"),
          "Stop",
        ),
      ),
    ];
  }
  const failed = mine && ["failed", "stopped"].includes(mine.state);
  return [
    failed
      ? make("span", { class: mine.state === "failed" ? "cp-error" : "cp-muted", role: "status" }, mine.sentence)
      : null,
    make(
      "button",
      {
        type: "button",
        class: "cp-button cp-small cp-get",
        "data-key": `get-${names.join("-")}`,
        title,
        disabled: isGoing(one),
        onclick: () => getWeights(names),
      },
      icon("download"),
      failed && mine.done ? `Go on (${bytes(mine.done)} are here)` : text,
    ),
  ];
}

/** What changes while bytes come in; the elements stay, so that a press on Stop is not lost. */
function drawProgress(root) {
  const one = fetching();
  if (!isGoing(one)) return;
  const line = [
    one.total ? `${bytes(one.done)} of ${bytes(one.total)}` : bytes(one.done ?? 0),
    one.left ? `${lasting(one.left)} left` : null,
  ];
  for (const bar of root.querySelectorAll(".cp-fetch-bar"))
    if (one.total) bar.value = one.done / one.total;
  for (const place of root.querySelectorAll(".cp-fetch-line"))
    say(place, line.filter(Boolean).join(" · "));
}

/** All of the fetching that decides which elements are shown. */
export function fetchStamp() {
  const one = fetching();
  return one && [one.id, one.state, one.sentence];
}

/** Weights came: what is marked here is outlined with them, or what no frame shows is painted. */
function use(names) {
  if (names.includes("lama")) return set({ "flowfill.unseen": "lama" });
  if (names.some((name) => name.startsWith("sam2"))) return reoutline();
  return null;
}

function note() {
  const one = fetching();
  const now = one && `${one.id} ${one.state}`;
  if (now === seen) return;
  const before = seen;
  seen = now;
  if (!one || one.state !== "done" || before === null || !before?.startsWith(one.id)) return;
  change({ hint: one.sentence });
  use(one.names);
}

export function startFetching(root) {
  listen(() => {
    if (!desk.state || desk.state.opening) {
      seen = desk.state ? seen : null;
      return;
    }
    note();
    for (const [place, name] of Object.entries(PLACES)) {
      const box = root.querySelector(`#${name}`);
      const mine = (desk.state.offers ?? []).filter((one) => one.place === place);
      box.hidden = !mine.length;
      show(box, [mine, fetchStamp()], () =>
        mine.map((one) => [make("p", { class: "cp-says" }, one.says), ...getter(one.names, one)]),
      );
    }
    drawProgress(root);
  });
}
