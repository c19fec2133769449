// The way in: drop a clip, name a path, take the sample, or go back to a recent project.

import { change, desk, listen } from "./desk.js";
import { drawClips, hasClips, send } from "./clips.js";
import { say } from "./dom.js";
import { Refused, get, post } from "./server.js";
import { bytes, clock } from "./words.js";

function problem(text) {
  change({ note: { place: "start", text, error: true } });
}

async function make_project(body, open) {
  change({ note: { place: "start", text: "Opening…", error: false } });
  try {
    const { id } = await post("project", body);
    change({ note: null });
    await open(id);
  } catch (error) {
    problem(error.message);
  }
}

/** Wire the way in. `open(id)` shows a project, `away()` goes back to the start. */
export function startStart(root, open, away) {
  const field = root.querySelector("#cp-file");
  const drop = root.querySelector("#cp-drop");
  root.querySelector("#cp-choose").addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    const files = [...field.files];
    field.value = "";
    send(files, open);
  });
  root
    .querySelector("#cp-sample")
    .addEventListener("click", () => make_project({ sample: true }, open));
  root.querySelector("#cp-path-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const path = root.querySelector("#cp-path").value.trim();
    if (path) make_project({ path }, open);
    else problem("Give the path of a clip, such as /home/me/clip.mp4.");
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // a browser would show the file in place of the page
      drop.classList.add("cp-over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("cp-over");
  });
  document.addEventListener("drop", (event) => {
    drop.classList.remove("cp-over");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (desk.link && files.length > 1) document.getElementById("cp-clips-open").click();
    else if (desk.link) away(); // this project is kept: it is in the list
    send(files, open);
  });
  listen(() => draw(root, open));
}

function draw(root, open) {
  if (desk.link) return;
  root.querySelector("#cp-path-form").hidden = !desk.about?.local;
  root.querySelector("#cp-sample").hidden = desk.about?.sample === false;
  root.querySelector("#cp-recent").hidden = !hasClips();
  drawClips(root.querySelector("#cp-recent ul"), open);
  const text = desk.note?.place === "start" ? desk.note.text : "";
  const place = root.querySelector("#cp-start-note");
  say(place, text);
  place.hidden = !text;
  place.classList.toggle("cp-error", Boolean(desk.note?.error));
  const most = desk.about?.max_upload;
  const where = desk.about?.local
    ? "It stays on this computer."
    : "It is copied to the computer that runs cleanplate.";
  if (most)
    say(
      root.querySelector("#cp-limit"),
      `mp4, mov, mkv, webm and most others, up to ${bytes(most)}. ${where}`,
    );
}

/** What stands in the header: the clip and its facts. */
export function factsOf(clip) {
  const parts = [`${clip.width}×${clip.height}`];
  if (clip.rate) parts.push(`${Math.round(clip.rate * 1000) / 1000} frames/s`);
  if (clip.frames)
    parts.push(`${clip.frames} frames`, clock(clip.seconds ?? clip.frames / clip.rate));
  parts.push(clip.codec);
  parts.push(["no sound", "with sound"][clip.audio] ?? `${clip.audio} sound tracks`);
  return parts.filter(Boolean).join(" · ");
}

/** The sentence for a link whose project is not here, or null for any other trouble. */
export async function lookFor(id) {
  try {
    await get(`project/${id}`);
    return null;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      const folder = desk.about?.folder ? `; projects lie in ${desk.about.folder}` : "";
      return `This link's project is not here any more. Open the clip again${folder}.`;
    }
    return error.message;
  }
}
