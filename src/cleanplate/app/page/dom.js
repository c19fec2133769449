// Small helpers for elements: make one, replace what a container shows, keep the focus meanwhile.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes: `onclick` and the like are listeners, true is an empty attribute. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Show `children` in `container`, unless `signature` says that it shows just these. */
export function show(container, signature, children) {
  const text = JSON.stringify(signature);
  if (container.shown === text) return;
  const active = document.activeElement;
  if (container.contains(active) && active.matches("input[type=text]") && active.dataset.typing)
    return;
  container.shown = text;
  const key = container.contains(active) ? active.dataset.key : null;
  container.replaceChildren(...children().flat(Infinity).filter(Boolean));
  if (key)
    container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Text of an element, touched only where it changes: a live region speaks at every touch. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const PATHS = {
  point: "M12 4v4M12 16v4M4 12h4M16 12h4M12 12h.01",
  minus: "M5 12h14",
  box: "M5 6h14v12H5zM5 6h.01M19 6h.01M5 18h.01M19 18h.01",
  brush:
    "M19 4 10 13M8 14c-2 0-3 1.5-3 3s-1 2-2 2c1 1 2.5 1.5 4 1.5 2.5 0 4-1.5 4-3.500a3 3 0 0 0-3-3z",
  eraser: "m8 20-4.5-4.500a1.5 1.5 0 0 1 0-2L13 4l7 7-9 9zM8 9l7 7M8 20h12",
  hand: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  play: "M7 4.500v15l12-7.500z",
  pause: "M8 5v14M16 5v14",
  back: "M15 5 8 12l7 7",
  forward: "m9 5 7 7-7 7",
  first: "M18 5l-7 7 7 7M6 5v14",
  last: "m6 5 7 7-7 7M18 5v14",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.500a2.5 2.5 0 1 0 .01 0z",
  eyeoff:
    "M4 4l16 16M9.5 6c.8-.3 1.6-.5 2.5-.5 6 0 9.5 6.5 9.5 6.500a15 15 0 0 1-2.7 3.300M6.5 7.700A14 14 0 0 0 2.5 12S6 18.5 12 18.500c1.6 0 3-.4 4.2-1",
  bin: "M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  undo: "M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12H9",
  redo: "m16 5 4 4-4 4M20 9H10a6 6 0 0 0 0 12h5",
  plus: "M12 5v14M5 12h14",
  stop: "M7 7h10v10H7z",
  check: "m5 12.5 4.5 4.500L19 7.5",
  download: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
  upload: "M12 16V5M7 9.500l5-5 5 5M5 20h14",
  up: "m6 15 6-6 6 6",
  down: "m6 9 6 6 6-6",
  list: "M8 6h13M8 12h13M8 18h13M3 6h.01M3 12h.01M3 18h.01",
  light:
    "M12 8a4 4 0 1 0 .01 0zM12 2v2.500M12 19.500V22M2 12h2.500M19.5 12H22M5 5l1.7 1.700M17.3 17.3 19 19M5 19l1.7-1.700M17.3 6.7 19 5",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  both: "M8 7l-5 5 5 5M16 7l5 5-5 5M3 12h18",
  left: "M10 6l-6 6 6 6M4 12h16",
  right: "m14 6 6 6-6 6M20 12H4",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.500h4M4 14.500h4M16 9.500h4M16 14.500h4",
  close: "m6 6 12 12M18 6 6 18",
  pin: "M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6",
  gone: "M12 4a8 8 0 1 0 .01 0zM6.5 17.500l11-11",
  seek: "M10.5 4a6.5 6.5 0 1 0 .01 0zM15.5 15.5 20 20",
  keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
};
const SOLID = new Set(["play", "stop"]);

/** A picture of 24 by 24, hidden from screen readers: the button around it has the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", SOLID.has(name) ? "cp-icon cp-solid" : "cp-icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Put icons where the template says `data-icon`. */
export function dress(root) {
  for (const element of root.querySelectorAll("[data-icon]")) {
    if (!element.querySelector("svg")) element.prepend(icon(element.dataset.icon));
  }
}
