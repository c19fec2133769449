// The way in: drop a clip, name a path, take the sample, or go back to a recent project.

import { change, desk, listen } from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { Refused, destroy, get, post, upload } from "./server.js";
import { bytes, clock } from "./words.js";

const RECENT = "cleanplate.recent";
let going = null;

function recent() {
  try {
    return JSON.parse(localStorage.getItem(RECENT)) ?? [];
  } catch {
    return [];
  }
}

/** Remember a project in this browser: nobody else is told its link. */
export function remember(id, name) {
  const others = recent().filter((one) => one.id !== id);
  const all = [{ id, name, when: Date.now() }, ...others].slice(0, 8);
  localStorage.setItem(RECENT, JSON.stringify(all));
}

export function forgetRecent(id) {
  localStorage.setItem(RECENT, JSON.stringify(recent().filter((one) => one.id !== id)));
  change();
}

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

async function take(file, open) {
  if (going) return;
  const most = desk.about?.max_upload;
  if (most && file.size > most) {
    const local = desk.about.local ? " Give its path instead, or" : " Or";
    problem(
      `${file.name} is ${bytes(file.size)}; uploads here end at ${bytes(most)}.${local} raise --max-upload.`,
    );
    return;
  }
  change({ note: null });
  const bar = document.getElementById("cp-upload");
  const line = document.getElementById("cp-upload-line");
  bar.hidden = false;
  going = upload("project", file, (part) => {
    bar.querySelector("progress").value = part;
    say(
      line,
      part < 1
        ? `${file.name}: ${bytes(file.size * part)} of ${bytes(file.size)}`
        : `${file.name}: opening…`,
    );
  });
  try {
    const { id } = await going.answer;
    await open(id);
  } catch (error) {
    if (error.name !== "AbortError") problem(error.message);
  } finally {
    going = null;
    bar.hidden = true;
  }
}

/** Delete a project for good: its marks, its results, and the copy of a clip that was sent. */
async function erase({ id, name }) {
  const lost = "This deletes its marks, its results and the uploaded copy. A clip opened by its path stays.";
  if (!confirm(`Delete the project of ${name}? ${lost}`)) return;
  try {
    await destroy(`project/${id}`);
  } catch (error) {
    if (error.status !== 404) return problem(error.message);
  }
  forgetRecent(id);
}

function recentList(open) {
  return recent().map((one) =>
    make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "cp-link", "data-key": one.id, onclick: () => open(one.id) },
        one.name,
      ),
      make(
        "span",
        { class: "cp-muted" },
        new Date(one.when).toLocaleDateString([], { day: "numeric", month: "short" }),
      ),
      make(
        "button",
        {
          type: "button",
          class: "cp-quiet",
          "aria-label": `Delete the project of ${one.name}`,
          title: "Delete this project",
          "data-key": `erase-${one.id}`,
          onclick: () => erase(one),
        },
        icon("bin"),
      ),
    ),
  );
}

/** Wire the way in. `open(id)` shows a project, `away()` goes back to the start. */
export function startStart(root, open, away) {
  const field = root.querySelector("#cp-file");
  const drop = root.querySelector("#cp-drop");
  root.querySelector("#cp-choose").addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    const [file] = field.files;
    field.value = "";
    if (file) take(file, open);
  });
  root.querySelector("#cp-upload-stop").addEventListener("click", () => going?.cancel());
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
    if (desk.link) away(); // this project is kept: it is in the list of recent ones
    take(event.dataTransfer.files[0], open);
  });
  listen(() => draw(root, open));
}

function draw(root, open) {
  if (desk.link) return;
  root.querySelector("#cp-path-form").hidden = !desk.about?.local;
  root.querySelector("#cp-sample").hidden = desk.about?.sample === false;
  const list = recent();
  root.querySelector("#cp-recent").hidden = !list.length;
  show(root.querySelector("#cp-recent ul"), list, () => recentList(open));
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
