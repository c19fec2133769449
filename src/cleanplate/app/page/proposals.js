// Step 1: logos and captions that were found without a click, to be taken or left.

import { goTo, suggest, take, takeAll } from "./actions.js";
import { busy, desk, listen, proposed } from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { frames } from "./words.js";

function row(one) {
  const kind = one.kind === "logo" ? "Logo or watermark" : "Caption";
  const where = `frames ${frames(one.first, one.last)}`;
  return make(
    "li",
    { class: "cp-doubtful" },
    make(
      "button",
      {
        type: "button",
        class: "cp-doubt-go",
        "data-key": `proposal-${one.id}`,
        title: `Show it in frame ${one.middle}`,
        onclick: () => goTo(one.middle),
      },
      make("img", {
        class: "cp-proposal",
        src: desk.link.url(`/proposal/${one.id}.jpg?v=${one.mask.slice(0, 12)}`),
        alt: "",
        loading: "lazy",
      }),
      make(
        "span",
        { class: "cp-doubt-text" },
        make("span", { class: "cp-doubt-frame" }, kind),
        make("span", { class: "cp-doubt-why" }, where),
      ),
    ),
    make(
      "button",
      {
        type: "button",
        class: "cp-button cp-small",
        "data-key": `take-${one.id}`,
        "aria-label": `Add: ${kind}, ${where}`,
        title: "Add it to the objects to remove",
        onclick: () => take(one),
      },
      icon("plus"),
      "Add",
    ),
  );
}

export function startProposals(root) {
  const button = root.querySelector("#cp-suggest");
  button.addEventListener("click", suggest);
  root.querySelector("#cp-take-all").addEventListener("click", () => takeAll(proposed()));
  listen(() => {
    if (!desk.state || desk.state.opening) return;
    const rows = proposed().sort((one, other) => one.first - other.first);
    const box = root.querySelector("#cp-proposals");
    box.hidden = !rows.length;
    say(root.querySelector("#cp-proposals-count"), String(rows.length));
    root.querySelector("#cp-take-all").hidden = rows.length < 2;
    show(box.querySelector("ol"), rows, () => rows.map(row));
    button.hidden = busy() || rows.length > 0;
  });
}
