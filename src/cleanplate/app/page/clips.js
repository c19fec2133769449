// The clips of this browser, one after another: being sent, waiting, at work, done, or gone wrong.

import { change, desk, listen } from "./desk.js";
import { icon, make, say, show } from "./dom.js";
import { Refused, destroy, get, post, upload } from "./server.js";
import { DOING, bytes, lasting } from "./words.js";

const RECENT = "cleanplate.recent";
const MOST = 40;
const PACE = 2000; // milliseconds between two looks at what is done with the clips
const BUSY_PACE = 700;
const briefs = new Map(); // id to what the server says of it, in short
let sending = []; // {key, file, state: waiting, sending or failed, part, sentence}
let going = null; // the upload under way
let number = 0;

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
  const all = [{ id, name, folder, when: Date.now() }, ...others].slice(0, MOST);
  localStorage.setItem(RECENT, JSON.stringify(all));
}

export function forgetRecent(id) {
  localStorage.setItem(RECENT, JSON.stringify(recent().filter((one) => one.id !== id)));
  change();
}

// Sending

/** Send clips one after the other; one alone is opened, several wait in the list. */
export function send(files, open) {
  sending = sending.filter((one) => one.state !== "failed");
  for (const file of files) {
    number += 1;
    const wrong = tooLarge(file);
    sending.push({ key: `send-${number}`, file, state: wrong ? "failed" : "waiting", part: 0, sentence: wrong });
  }
  change({ note: null });
  const alone = sending.length === 1;
  if (alone && sending[0].state === "failed") {
    change({ note: { place: "start", text: sending[0].sentence, error: true } });
    sending = [];
  }
  if (!going) sendNext(open, alone);
}

function tooLarge(file) {
  const most = desk.about?.max_upload;
  if (!most || file.size <= most) return "";
  const local = desk.about.local ? " Give its path instead, or" : " Or";
  return `${file.name} is ${bytes(file.size)}; uploads here end at ${bytes(most)}.${local} raise --max-upload.`;
}

async function sendNext(open, alone) {
  const one = sending.find((each) => each.state === "waiting");
  if (!one) return;
  one.state = "sending";
  going = upload("project", one.file, (part) => {
    one.part = part;
    change();
  });
  try {
    const { id } = await going.answer;
    sending = sending.filter((each) => each !== one);
    if (alone && !sending.length) await open(id);
    else remember(id, { name: one.file.name, path: "" });
  } catch (error) {
    sending = sending.filter((each) => each !== one || (!alone && error.name !== "AbortError"));
    Object.assign(one, { state: "failed", sentence: error.message });
    if (alone && error.name !== "AbortError")
      change({ note: { place: "start", text: error.message, error: true } });
  } finally {
    going = null;
    change();
  }
  sendNext(open, alone);
}

function dropSending(one) {
  if (one.state === "sending") return going?.cancel();
  sending = sending.filter((each) => each !== one);
  change();
}

// What is done with them

const jobOf = ({ id }) => briefs.get(id)?.job ?? null;
const isWaiting = (one) => jobOf(one)?.state === "queued";
const isWorking = (one) => ["running", "stopping"].includes(jobOf(one)?.state);
const partOf = (work) => work.part ?? (work.total ? (work.done ?? 0) / work.total : null);

/** Those at work, then those that wait in their order, then the others as they were opened. */
function ordered() {
  const rank = (one) => (isWorking(one) ? 0 : isWaiting(one) ? 1 + (jobOf(one).place ?? 1) : 1e6);
  return recent()
    .map((one, place) => [rank(one), place, one])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([, , one]) => one);
}

/** What is being done with a clip, or was made of it: words, and whether they are bad or good. */
function stateWord(one) {
  const told = briefs.get(one.id);
  const work = told?.job;
  if (!told) return ["", ""];
  if (work?.state === "queued")
    return [`${DOING[work.kind] ?? work.kind} waits: ${work.place ?? 1} before this`, ""];
  if (isWorking(one)) {
    const part = partOf(work);
    const left = work.left && work.state === "running" ? `, ${lasting(work.left)} left` : "";
    const name = work.state === "stopping" ? "Stopping" : (DOING[work.kind] ?? work.kind);
    return [`${name}${part === null ? "" : ` ${Math.floor(100 * part)} %`}${left}`, ""];
  }
  if (work?.state === "failed") return [work.sentence || "Stopped by an error", "cp-error"];
  if (work?.state === "stopped") return ["Stopped", ""];
  return told.clean ? ["Clean clip ready", "cp-done"] : ["", ""];
}

/** Move a waiting clip before or after the next one of this browser that waits as well. */
async function move(one, by) {
  const waiting = ordered().filter(isWaiting);
  const place = waiting.findIndex((each) => each.id === one.id);
  const other = place + by;
  if (place < 0 || other < 0 || other >= waiting.length) return;
  [waiting[place], waiting[other]] = [waiting[other], waiting[place]];
  await tell(post("queue", { projects: waiting.map((each) => each.id) }));
}

const cancel = (one) => tell(post(`project/${one.id}/job/stop`));

/** What the server says no to is said over the list. */
async function tell(asked) {
  try {
    await asked;
  } catch (error) {
    change({ note: { place: "start", text: error.message, error: true } });
  }
  await look();
}

/** Delete a project for good: its marks, its results, and the copy of a clip that was sent. */
async function erase({ id, name }) {
  const lost = "This deletes its marks, its results and the uploaded copy. A clip opened by its path stays.";
  if (!confirm(`Delete the project of ${name}? ${lost}`)) return;
  try {
    await destroy(`project/${id}`);
  } catch (error) {
    if (error.status !== 404)
      return change({ note: { place: "start", text: error.message, error: true } });
  }
  forgetRecent(id);
}

async function look() {
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

const isListed = () => !desk.link || document.getElementById("cp-clips").open;
const isAnyBusy = () => recent().some((one) => isWaiting(one) || isWorking(one));

/** Ask what is done with the clips of the list, while it is shown. */
async function lookAround() {
  if (isListed() && document.visibilityState === "visible") await look();
  setTimeout(lookAround, isAnyBusy() && isListed() ? BUSY_PACE : PACE);
}

// The list

function quiet(name, label, key, act, disabled = false) {
  return make(
    "button",
    { type: "button", class: "cp-quiet", "aria-label": label, title: label, "data-key": key, disabled, onclick: act },
    icon(name),
  );
}

function bar(part, label) {
  const progress = make("progress", { max: 1, "aria-label": label });
  if (part !== null) progress.value = part;
  return progress;
}

function sendingRow(one) {
  const { file, state, part, sentence } = one;
  const words = {
    waiting: "Waits to be sent",
    sending: part < 1 ? `Sending ${bytes(file.size * part)} of ${bytes(file.size)}` : "Looking into it…",
    failed: sentence,
  };
  return make(
    "li",
    { "data-state": state },
    make(
      "div",
      { class: "cp-recent-what" },
      make("span", {}, file.name),
      make("span", { class: `cp-brief${state === "failed" ? " cp-error" : ""}`, role: "status" }, words[state]),
      state === "sending" ? bar(part, `Sending ${file.name}`) : null,
    ),
    quiet("close", state === "failed" ? `Off the list: ${file.name}` : `Do not send ${file.name}`, one.key, () => dropSending(one)),
  );
}

function row(one, open) {
  const [words, tone] = stateWord(one);
  const told = briefs.get(one.id);
  const waiting = ordered().filter(isWaiting);
  const place = waiting.findIndex((each) => each.id === one.id);
  const work = jobOf(one);
  return make(
    "li",
    { "data-state": work?.state ?? "", class: desk.link?.id === one.id ? "cp-current" : null },
    told &&
      make("img", {
        src: new URL(`project/${one.id}/frame/0.jpg?w=160`, document.baseURI).href,
        alt: "",
        loading: "lazy",
      }),
    make(
      "div",
      { class: "cp-recent-what" },
      make("button", { type: "button", class: "cp-link", "data-key": one.id, onclick: () => open(one.id) }, one.name),
      make("span", { class: "cp-muted", title: one.folder }, one.folder || "uploaded"),
      words ? make("span", { class: `cp-brief ${tone}`, role: "status" }, words) : null,
      isWorking(one) ? bar(partOf(work), `Progress of ${one.name}`) : null,
    ),
    told?.clean
      ? make(
          "a",
          {
            class: "cp-button cp-small",
            href: new URL(`project/${one.id}/result/${told.clean.name}/clip`, document.baseURI).href,
            download: told.clean.file,
            "data-key": `save-${one.id}`,
            "aria-label": `Save the clean clip of ${one.name}`,
          },
          icon("download"),
          "Save",
        )
      : null,
    place >= 0 ? quiet("up", `Sooner: ${one.name}`, `up-${one.id}`, () => move(one, -1), place === 0) : null,
    place >= 0 ? quiet("down", `Later: ${one.name}`, `down-${one.id}`, () => move(one, 1), place === waiting.length - 1) : null,
    isWaiting(one) || isWorking(one)
      ? quiet("stop", isWaiting(one) ? `Cancel: ${one.name}` : `Stop: ${one.name}`, `stop-${one.id}`, () => cancel(one), work.state === "stopping")
      : quiet("bin", `Delete the project of ${one.name}`, `erase-${one.id}`, () => erase(one)),
  );
}

export const hasClips = () => sending.length + recent().length > 0;

/** Show the clips in a list; a press on a name opens it. */
export function drawClips(list, open) {
  const all = ordered();
  const signature = [
    sending.map(({ key, state, part, sentence }) => [key, state, part, sentence]),
    all.map((one) => [one, briefs.has(one.id), stateWord(one), jobOf(one)?.part, briefs.get(one.id)?.clean]),
    desk.link?.id,
  ];
  show(list, signature, () => [...sending.map(sendingRow), ...all.map((one) => row(one, open))]);
}

/** The list in a dialog, for while a clip is worked on; and looking after what is done. */
export function startClips(dialog, button, open) {
  const go = (id) => {
    dialog.close();
    if (id !== desk.link?.id) open(id);
  };
  button.addEventListener("click", () => {
    dialog.showModal();
    look();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  listen(() => {
    button.hidden = !desk.link;
    if (!dialog.open) return;
    drawClips(dialog.querySelector("ul"), go);
    const note = desk.note?.place === "start" ? desk.note.text : "";
    say(dialog.querySelector(".cp-error"), note);
  });
  lookAround();
}
