// What was removed so far: a row each, with what it was filled from and saved as.

import { deleteResult, goTo, showResult } from "./actions.js";
import { desk } from "./desk.js";
import { icon, make } from "./dom.js";
import { commandOf } from "./jobs.js";
import { frames } from "./words.js";

function whenWord(when) {
  const date = new Date(typeof when === "number" ? when * 1000 : when);
  return Number.isNaN(date.getTime())
    ? ""
    : date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** What a result was filled from, and saved as. */
function resultFacts(one) {
  const made = (one.unseen ?? []).slice(0, 6);
  return [
    one.encoding ? make("p", { class: "cp-muted" }, `Saved as ${one.encoding}.`) : null,
    ...(one.doubts ?? []).map((text) => make("p", { class: "cp-warning" }, text)),
    made.length
      ? make(
          "div",
          { class: "cp-unseen" },
          make("p", { class: "cp-warning" }, "No frame shows some of the background. It was smoothed: look at"),
          make(
            "span",
            { class: "cp-here-acts" },
            ...made.map(([first, last]) =>
              make(
                "button",
                {
                  type: "button",
                  class: "cp-link",
                  "data-key": `unseen-${one.name}-${first}`,
                  onclick: () => {
                    showResult(one.name);
                    goTo(Math.round((first + last) / 2));
                  },
                },
                `frames ${frames(first, last)}`,
              ),
            ),
            one.unseen.length > made.length ? `and ${one.unseen.length - made.length} more` : null,
          ),
        )
      : null,
  ];
}

/** One result in the list. */
export function resultRow(one) {
  const open = desk.shown === one.name;
  const title = one.kind === "try" ? `Try, frames ${frames(one.first, one.last)}` : one.kind === "retarget" ? `In ${one.aspect}` : "Clean clip";
  const file = (rest, name, label) =>
    make(
      "a",
      {
        class: "cp-button",
        href: desk.link.url(`/result/${one.name}/${rest}`),
        download: name,
        "data-key": `${rest}-${one.name}`,
      },
      icon("download"),
      label,
    );
  return make(
    "li",
    { class: `cp-result${open ? " cp-current" : ""}` },
    make(
      "div",
      { class: "cp-result-head" },
      make(
        "button",
        {
          type: "button",
          class: "cp-result-open",
          "aria-pressed": open ? "true" : "false",
          "data-key": `open-${one.name}`,
          onclick: () => showResult(open ? null : one.name),
        },
        make("span", { class: "cp-result-title" }, title),
        make("span", { class: "cp-muted" }, whenWord(one.when)),
      ),
      make(
        "button",
        {
          type: "button",
          class: "cp-quiet",
          "aria-label": `Delete ${title}`,
          title: "Delete this result",
          "data-key": `drop-${one.name}`,
          onclick: () => deleteResult(one.name),
        },
        icon("bin"),
      ),
    ),
    make("p", { class: "cp-says" }, one.sentence),
    ...resultFacts(one),
    one.kind === "try" && one.exact === false
      ? make(
          "p",
          { class: "cp-muted" },
          "Filled from these frames alone, to be quick: in the whole clip they may differ a little.",
        )
      : null,
    one.kind !== "try"
      ? make(
          "div",
          { class: "cp-buttons" },
          file("clip", one.file ?? "", "Save clip"),
          one.kind === "remove" && make(
            "a",
            {
              class: "cp-button",
              href: desk.link.url("/masks.mkv"),
              download: "masks.mkv",
              title: "The masks as they are now, as a lossless video",
              "data-key": `masks-${one.name}`,
            },
            icon("download"),
            "Masks",
          ),
          file("report.json", "report.json", "Report"),
        )
      : null,
    open ? commandOf(one) : null,
  );
}
