// Masks in and out: a mask track, a folder of pictures, a picture for this frame.

import { note } from "./actions.js";
import { change, desk, listen } from "./desk.js";
import { Refused, post, upload } from "./server.js";

function fail(error) {
  if (error.name === "AbortError") return;
  change({ note: { place: "masks", text: error.message, error: true } });
}

async function take(work) {
  note("masks", "Reading masks…");
  try {
    await work();
    await desk.link.refresh();
    change({
      note: { place: "masks", text: "Masks imported. See them on the timeline.", error: false },
    });
  } catch (error) {
    fail(error);
    if (!(error instanceof Refused) && error.name !== "AbortError") console.warn(error);
  }
}

export function startMasks(root) {
  const file = root.querySelector("#cp-masks-file");
  const path = root.querySelector("#cp-masks-path");
  root.querySelector("#cp-masks-in").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    file.value = "";
    if (chosen) take(() => upload(desk.link.path("/masks"), chosen, () => {}).answer);
  });
  root.querySelector("#cp-masks-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = path.value.trim();
    if (wanted) take(() => post(desk.link.path("/masks"), { path: wanted }));
  });
  listen(() => {
    if (!desk.state || desk.state.opening) return;
    root.querySelector("#cp-masks-track").href = desk.link.url("/masks.mkv");
    root.querySelector("#cp-masks-zip").href = desk.link.url("/masks.zip");
    root.querySelector("#cp-masks-form").hidden = !desk.about.local;
    const place = root.querySelector("#cp-masks-note");
    const mine = desk.note?.place === "masks";
    place.textContent = mine ? desk.note.text : "";
    place.hidden = !mine;
    place.classList.toggle("cp-error", Boolean(mine && desk.note.error));
  });
}
