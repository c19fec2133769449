// The tools above the stage, the transport below it, and the ways to compare.

import {
  goTo,
  play,
  redo,
  setLook,
  setOpacity,
  setRadius,
  setTool,
  step,
  undo,
} from "./actions.js";
import { change, clip, desk, listen, reach, result } from "./desk.js";
import { dress, say } from "./dom.js";
import { shownPreview } from "./filled.js";
import { wipeReach, wipeX, zoomWord } from "./stage.js";
import { fit, view, zoomTo } from "./view.js";

const id = (name) => document.getElementById(name);

function press(button, pressed) {
  button.setAttribute("aria-pressed", pressed ? "true" : "false");
}

function wireTools() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  id("cp-undo").addEventListener("click", undo);
  id("cp-redo").addEventListener("click", redo);
  id("cp-fit").addEventListener("click", () => {
    if (view.fitted) zoomTo(1);
    else fit();
    change();
  });
  id("cp-masks").addEventListener("click", () => change({ masks: !desk.masks }));
  id("cp-look").addEventListener("change", (event) => setLook(event.target.value));
  id("cp-opacity").addEventListener("input", (event) => setOpacity(Number(event.target.value)));
  id("cp-radius").addEventListener("input", (event) => setRadius(Number(event.target.value)));
  for (const button of document.querySelectorAll("[data-way]")) {
    button.addEventListener("click", () => change({ compare: button.dataset.way }));
  }
  id("cp-leave-result").addEventListener("click", () => change({ shown: null, speed: 0 }));
  id("cp-wipe").addEventListener("input", (event) =>
    change({ wipe: Number(event.target.value) / 1000 }),
  );
  id("cp-wipe").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault(); // a step of its own would be a thousandth
    const wipe = desk.wipe + by * (event.shiftKey ? 0.1 : 0.02);
    change({ wipe: Math.min(1, Math.max(0, wipe)) });
  });
  const acts = {
    first: () => goTo(reach()[0]),
    back: () => step(-1),
    play: () => play(1),
    forward: () => step(1),
    last: () => goTo(reach()[1]),
  };
  for (const [name, act] of Object.entries(acts)) id(`cp-${name}`).addEventListener("click", act);
  wireFrameField(id("cp-frame"));
}

/** The frame's number can be typed, or a time such as 1:04.5. */
function wireFrameField(field) {
  const go = () => {
    const text = field.value.trim();
    const parts = text.split(":").map(Number);
    if (!text || parts.some(Number.isNaN)) field.value = desk.frame;
    else if (text.includes(":") || text.includes(".")) {
      const seconds = parts.reduce((sum, part) => sum * 60 + part, 0);
      goTo(Math.floor(seconds * clip().rate + 1e-6));
    } else goTo(parts[0]);
    field.value = desk.frame;
  };
  field.addEventListener("change", go);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") field.blur();
  });
}

function drawTools() {
  const shown = result();
  for (const button of document.querySelectorAll("[data-tool]"))
    press(button, !shown && desk.tool === button.dataset.tool);
  for (const button of document.querySelectorAll("[data-way]"))
    press(button, desk.compare === button.dataset.way);
  id("cp-undo").disabled = !desk.state.can?.undo;
  id("cp-redo").disabled = !desk.state.can?.redo;
  press(id("cp-masks"), desk.masks);
  id("cp-look").value = desk.look;
  id("cp-opacity").value = desk.opacity;
  id("cp-opacity").disabled = desk.look !== "fill";
  const brushing = !shown && ["brush", "eraser"].includes(desk.tool);
  id("cp-radius-box").classList.toggle("cp-unused-slider", !brushing); // its room stays: nothing moves
  id("cp-radius-box").inert = !brushing;
  id("cp-radius").max = Math.round((clip()?.height ?? 720) / 3);
  id("cp-radius").value = desk.radius;
  id("cp-radius").setAttribute("aria-valuetext", `${desk.radius} pixels`);
  id("cp-edit-tools").hidden = Boolean(shown);
  id("cp-mask-tools").hidden = Boolean(shown);
  id("cp-compare-tools").hidden = !shown;
  id("cp-compare-tools").querySelector(".cp-segments").hidden = shown?.kind === "retarget";
  zoomWord(id("cp-fit-word"));
  const playing = desk.speed !== 0;
  const button = id("cp-play");
  if (button.dataset.icon !== (playing ? "pause" : "play")) {
    button.dataset.icon = playing ? "pause" : "play";
    button.querySelector("svg")?.remove();
    dress(button.parentElement);
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }
  say(id("cp-speed"), playing && desk.speed !== 1 ? `${desk.speed}×` : "");
}

function drawCompare() {
  const shown = result();
  const reframed = shown?.kind === "retarget";
  const wiping = Boolean(shown) && !reframed && desk.compare === "wipe" && !desk.peek;
  id("cp-wipe-box").hidden = !wiping;
  id("cp-side-labels").hidden = !(shown && (reframed || desk.compare === "side" || wiping));
  const [one, two] = id("cp-side-labels").children;
  say(one, reframed ? "Source" : "Original");
  say(two, reframed ? shown.aspect : "Result");
  if (wiping) {
    const x = wipeX();
    id("cp-wipe-line").style.left = `${x}px`;
    const [from, to] = wipeReach();
    // Half a thumb more on each side, so that the thumb's middle is on the line.
    id("cp-wipe").style.cssText = `left:${from - 22}px;width:${to - from + 44}px`;
    id("cp-wipe").value = Math.round(desk.wipe * 1000);
    id("cp-wipe").setAttribute("aria-valuetext", `${Math.round(desk.wipe * 100)} % original`);
    one.style.right = `calc(100% - ${x}px)`;
    two.style.left = `${x}px`;
  } else {
    one.style.right = "50%";
    two.style.left = "50%";
  }
  const label =
    reframed
      ? ""
      : shown && desk.peek
      ? "Original"
      : shown && !wiping && desk.compare !== "side"
        ? {
            result: "Result",
            difference: "Difference: the brighter, the larger",
            flicker: "Flicker: bright where the fill changes from frame to frame",
          }[desk.compare]
        : desk.filled && !shown && !desk.speed && shownPreview()
          ? desk.peek
            ? "Original"
            : "Preview of this frame. Q: masks again; hold C: the original"
          : "";
  say(id("cp-view-label"), label ?? "");
  id("cp-view-label").hidden = !label;
}

export function startTools() {
  wireTools();
  listen(() => {
    if (!desk.state) return;
    drawTools();
    drawCompare();
  });
}
