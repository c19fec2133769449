// Step 1: the list of objects, and what was said of the chosen one in this frame.

import {
  approve,
  choose,
  clearPrompt,
  gone,
  newObject,
  removeObject,
  rename,
  seen,
  setHidden,
  setStill,
} from "./actions.js";
import { change, desk, laneAt, listen, object, objects, told } from "./desk.js";
import { icon, make, show } from "./dom.js";
import { findings } from "./findings.js";
import { kindLine, kindOf } from "./kinds.js";
import { FOUND, LANE_WORDS } from "./words.js";

function nameField(one) {
  const field = make("input", {
    type: "text",
    class: "cp-name",
    value: one.name,
    maxlength: 60,
    "aria-label": `Name of ${one.name}`,
    "data-key": `name-${one.id}`,
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => {
      field.dataset.typing = "yes";
    },
    onfocus: () => choose(one.id),
    onkeydown: (event) => {
      if (event.key === "Enter") field.blur();
      if (event.key === "Escape") {
        field.value = one.name;
        field.blur();
      }
    },
    onblur: () => {
      delete field.dataset.typing;
      const name = field.value.trim();
      if (name && name !== one.name) rename(one.id, name);
      else field.value = one.name;
      change();
    },
  });
  return field;
}

function toggle(name, label, pressed, act, key) {
  return make(
    "button",
    {
      type: "button",
      class: "cp-quiet",
      "aria-label": label,
      title: label,
      "aria-pressed": pressed,
      "data-key": key,
      onclick: act,
    },
    icon(name),
  );
}

function row(one, place) {
  const current = one.id === desk.object;
  return make(
    "li",
    { class: `cp-object${current ? " cp-current" : ""}`, "data-object": one.id },
    make(
      "div",
      { class: "cp-object-head" },
      make(
        "button",
        {
          type: "button",
          class: "cp-pick",
          "aria-pressed": current ? "true" : "false",
          "aria-label": place < 9 ? `Choose ${place + 1}, ${one.name}` : `Choose ${one.name}`,
          title: place < 9 ? `Choose ${one.name} (${place + 1})` : `Choose ${one.name}`,
          "data-key": `pick-${one.id}`,
          onclick: () => choose(one.id),
        },
        make("span", {
          class: `cp-swatch cp-pattern-${(one.id - 1) % 4}`,
          style: `--colour:${one.colour}`,
        }),
        make("span", { class: "cp-digit" }, place < 9 ? String(place + 1) : ""),
      ),
      nameField(one),
      toggle(
        one.hidden ? "eyeoff" : "eye",
        one.hidden ? `Show ${one.name}` : `Hide ${one.name}`,
        one.hidden ? "true" : "false",
        () => setHidden(one.id, !one.hidden),
        `eye-${one.id}`,
      ),
      toggle("bin", `Delete ${one.name}`, null, () => removeObject(one.id), `delete-${one.id}`),
    ),
    current ? details(one) : null,
  );
}

/** Where something that does not move begins or ends to be seen. */
function seenButton(edge) {
  const [word, title] = {
    begins: ["First seen here", "It is not in the picture before this frame"],
    ends: ["Last seen here", "It is not in the picture after this frame"],
  }[edge];
  const act = () => seen(edge);
  return make("button", { type: "button", class: "cp-link", "data-key": edge, title, onclick: act }, word);
}

function details(one) {
  const entry = told(desk.frame, one.id);
  const [state] = laneAt(one.id, desk.frame);
  const isFinding = findings().some((each) => each.object === one.id);
  const box = make("input", {
    type: "checkbox",
    "data-key": `still-${one.id}`,
    onchange: () => setStill(one.id, box.checked),
  });
  box.checked = one.static;
  return make(
    "div",
    { class: "cp-details" },
    isFinding ? null : make(
      "label",
      {
        class: "cp-check",
        title: "A logo, caption or watermark that stays in place: nothing to track.",
      },
      box,
      "It does not move (a burned-in logo or caption)",
    ),
    kindLine(one),
    make(
      "div",
      { class: "cp-here" },
      make("span", { class: "cp-muted" }, `Frame ${desk.frame}: ${LANE_WORDS[state] ?? state}`),
      make(
        "span",
        { class: "cp-here-acts" },
        entry
          ? make(
              "button",
              {
                type: "button",
                class: "cp-link",
                "data-key": "clear",
                title: "Delete your marks in this frame (Del)",
                onclick: clearPrompt,
              },
              "Clear",
            )
          : null,
        one.static
          ? ["begins", "ends"].map((edge) => seenButton(edge))
          : make(
              "button",
              {
                type: "button",
                class: "cp-link",
                "data-key": "gone",
                title: "It is not in the picture from this frame on (G)",
                onclick: gone,
              },
              "Gone from here",
            ),
        !one.static && FOUND.includes(state)
          ? make(
              "button",
              {
                type: "button",
                class: "cp-link",
                "data-key": "right",
                title: "Keep this frame as it is, whatever is tracked later (A)",
                onclick: () => approve(desk.frame, one.id),
              },
              "Looks right",
            )
          : null,
      ),
    ),
  );
}

export function startObjects(element) {
  const list = element.querySelector(".cp-objects");
  element.querySelector("#cp-new").addEventListener("click", newObject);
  listen(() => {
    if (!desk.state) return;
    if (!object() && objects().length) desk.object = objects()[0].id;
    // While playing the rows stay as they are: their frame changes too quickly to be read.
    const frame = desk.speed ? "playing" : desk.frame;
    const signature = [
      objects(),
      desk.object,
      frame,
      object() && kindOf(object()),
      desk.state.trackers,
      desk.state.offers,
      desk.speed
        ? null
        : [laneAt(desk.object, desk.frame)[0], Boolean(told(desk.frame, desk.object))],
    ];
    show(list, signature, () => objects().map(row));
    list.hidden = !objects().length;
  });
}
