// The way in: drop a clip, name a path, take the sample, or go back to a recent project.

import { change, desk, listen } from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { Refused, destroy, get, post, upload } from "./server.js";
import { DOING, bytes, clock } from "./words.js";

const RECENT = "cleanplate.recent";
const PACE = 2000; // milliseconds between two looks at what is done with the recent clips
const briefs = new Map(); // id to what the server says of it, in short
let going = null;

function recent() {
  try {
    return JSON.parse(localStorage.getItem(RECENT)) ?? [];
  } catch {
    return [];
  }
}

/** Remember a project in this browser: nobody else is told its link. */
export function remember(id, { name, path }) {
  const others = recent().filter((one) => one.id !== id);
  const folder = path.replace(/[/\\][^/\\]*$/, "");
  const all = [{ id, name, folder, when: Date.now() }, ...others].slice(0, 8);
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

/** Send several clips one after the other; they wait in the list of recent ones. */
async function takeAll(files, open) {
  const list = [...files];
  for (const file of list) if (!(await take(file, open, list.length === 1))) return;
}

async function take(file, open, alone = true) {
  if (going) return false;
  const most = desk.about?.max_upload;
  if (most && file.size > most) {
    const local = desk.about.local ? " Give its path instead, or" : " Or";
    problem(
      `${file.name} is ${bytes(file.size)}; uploads here end at ${bytes(most)}.${local} raise --max-upload.`,
    );
    return false;
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
    if (alone) await open(id);
    else remember(id, { name: file.name, path: "" });
    return true;
  } catch (error) {
    if (error.name !== "AbortError") problem(error.message);
    return false;
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

/** What is being done with a clip, or was made of it. */
function briefWord(one) {
  const told = briefs.get(one.id);
  if (!told) return "";
  const { job: work, results } = told;
  if (work?.state === "queued") return `Waiting: ${work.place ?? 1} before this`;
  if (["running", "stopping"].includes(work?.state)) {
    const part = work.part ?? (work.total ? work.done / work.total : null);
    return `${DOING[work.kind] ?? work.kind}${part === null ? "" : ` ${Math.floor(100 * part)} %`}`;
  }
  if (work?.state === "failed") return "Stopped by an error";
  if (work?.state === "stopped") return "Stopped";
  return results.includes("remove") ? "Clean clip ready" : "";
}

/** Ask what is done with the clips of the list, while it is shown. */
async function lookAround() {
  if (!desk.link && document.visibilityState === "visible") {
    for (const { id } of recent()) {
      try {
        const told = await get(`project/${id}/brief`);
        if (told) briefs.set(id, told);
        else briefs.delete(id);
      } catch (error) {
        if (!(error instanceof Refused)) break; // the server is away: asked again later
      }
    }
    change();
  }
  setTimeout(lookAround, PACE);
}

function recentList(open) {
  return recent().map((one) =>
    make(
      "li",
      {},
      briefs.has(one.id) &&
        make("img", {
        src: new URL(`project/${one.id}/frame/0.jpg?w=160`, document.baseURI).href,
        alt: "",
        loading: "lazy",
      }),
      make(
        "div",
        { class: "cp-recent-what" },
        make(
          "button",
          { type: "button", class: "cp-link", "data-key": one.id, onclick: () => open(one.id) },
          one.name,
        ),
        make("span", { class: "cp-muted", title: one.folder }, one.folder || "uploaded"),
      ),
      make(
        "span",
        { class: `cp-brief${briefWord(one) === "Clean clip ready" ? " cp-done" : ""}`, role: "status" },
        briefWord(one),
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
    const files = [...field.files];
    field.value = "";
    takeAll(files, open);
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
    takeAll(event.dataTransfer.files, open);
  });
  listen(() => draw(root, open));
  lookAround();
}

function draw(root, open) {
  if (desk.link) return;
  root.querySelector("#cp-path-form").hidden = !desk.about?.local;
  root.querySelector("#cp-sample").hidden = desk.about?.sample === false;
  const list = recent();
  root.querySelector("#cp-recent").hidden = !list.length;
  const signature = [list, list.map((one) => [briefs.has(one.id), briefWord(one)])];
  show(root.querySelector("#cp-recent ul"), signature, () => recentList(open));
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
