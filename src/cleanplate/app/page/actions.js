// What a person can do, whether by pointer, key or button.

import {
  busy,
  change,
  clip,
  count,
  desk,
  draft,
  isStopping,
  job,
  keep,
  object,
  objects,
  promptOf,
  reach,
  result,
  settle,
  span,
  told,
} from "./desk.js";
import { middleOf } from "./overlay.js";
import { picture } from "./pictures.js";
import { Lost, Refused, post } from "./server.js";

/** Run something that the server may refuse; the sentence appears at `place`. */
export async function attempt(place, work) {
  try {
    const answer = await work();
    if (desk.note?.error && desk.note.place === place) change({ note: null });
    return answer;
  } catch (error) {
    if (error instanceof Refused || error instanceof Lost) {
      change({ note: { place, text: error.message, error: true } });
      return null;
    }
    throw error;
  }
}

export function note(place, text) {
  change({ note: text ? { place, text, error: false } : null });
}

// Frames

export function goTo(frame) {
  const [first, last] = reach();
  const wanted = Math.min(last, Math.max(first, Math.round(frame)));
  if (wanted === desk.frame) return;
  const tip = desk.note && !desk.note.error && desk.note.place === "stage";
  change({ frame: wanted, crosshair: null, ...(tip ? { note: null } : {}) });
}

export function step(by) {
  if (desk.speed) change({ speed: 0 });
  goTo(desk.frame + by);
}

/** The next frame, in this direction, that a doubtful row names. */
export function jumpToDoubt(direction) {
  const frames = (desk.state?.doubtful ?? []).map((row) => row.frame).sort((a, b) => a - b);
  const next =
    direction > 0
      ? frames.find((frame) => frame > desk.frame)
      : frames.filter((frame) => frame < desk.frame).pop();
  if (next === undefined) note("track", "No more frames to check in this direction.");
  else goTo(next);
}

export function play(speed) {
  change({ speed: desk.speed === speed ? 0 : speed, crosshair: null });
}

/** J and L: each press doubles the speed up to 4, the other one turns round. */
export function shuttle(direction) {
  const same = Math.sign(desk.speed) === direction;
  change({
    speed: same ? direction * Math.min(4, Math.abs(desk.speed) * 2) : direction,
    crosshair: null,
  });
}

// Objects

let making = null;

export const newObject = () =>
  attempt("pick", async () => {
    const { answer } = await desk.link.edit("add_object", {});
    await desk.link.refresh();
    change({ object: answer.object, shown: null });
    return answer.object;
  });

/** The object that the first marks of a project are for: one, however quickly they come. */
function firstObject() {
  making ??= newObject().finally(() => {
    making = null;
  });
  return making;
}

export function choose(id) {
  if (objects().some((one) => one.id === id)) change({ object: id });
}

export function chooseByDigit(digit) {
  const one = objects()[digit - 1];
  if (one) choose(one.id);
}

export const rename = (id, name) =>
  attempt("pick", () => desk.link.edit("change_object", { object: id, name }));

export const setHidden = (id, hidden) =>
  attempt("pick", () => desk.link.edit("change_object", { object: id, hidden }));

export const setStill = (id, still) =>
  attempt("pick", () => desk.link.edit("change_object", { object: id, static: still }));

export async function removeObject(id) {
  const list = objects();
  const place = list.findIndex((one) => one.id === id);
  const name = object(id)?.name;
  const next = list[place + 1] ?? list[place - 1];
  await attempt("pick", async () => {
    await desk.link.edit("remove_object", { object: id });
    change({ object: next?.id ?? null, hint: `Removed ${name}. Undo brings it back.` });
  });
}

// Prompts

/** Say `alter(prompt)` of the current object in the current frame, and show it at once. */
async function prompt(alter) {
  if (desk.state?.opening) return;
  if (result()) change({ shown: null });
  const { frame } = desk;
  let id = object() && !making ? desk.object : null; // who came first is answered first
  if (id === null) {
    // The mark shows at once, as that of an object without a number, until the server has made one.
    draft(frame, 0, alter(promptOf(frame, 0)));
    change();
    id = await firstObject();
    settle(frame, 0);
    if (id === null) return change();
  }
  const next = alter(promptOf(frame, id));
  const empty = !next.points.length && !next.box && !next.brushes.length;
  draft(frame, id, next);
  change({ note: null });
  await attempt("stage", async () => {
    try {
      const { painted, ...said } = next;
      const edit = { frame, object: id, prompt: empty ? null : said, painted };
      const { answer } = await desk.link.edit("prompt", edit);
      if (!empty && answer && answer.area === 0) {
        note("stage", "Nothing found at that point. Try the middle of the object, or draw a box.");
      } else if (!empty && !desk.tipped) {
        desk.tipped = true;
        change({ hint: "Not quite? Add a point on what is missing. Then Track." });
      }
    } finally {
      // The answer is the edit's; what all edits so far made of the state is asked for once, at the end.
      if (desk.link.waiting === 0) await desk.link.refresh();
      settle(frame, id);
      change();
    }
  });
}

export const addPoint = (x, y, positive) =>
  prompt((old) => ({ ...old, points: [...old.points, [x, y, positive]] }));

export const removePoint = (index) =>
  prompt((old) => ({ ...old, points: old.points.filter((_, place) => place !== index) }));

export const setBox = (box) => prompt((old) => ({ ...old, box }));

export const addStroke = (points, positive) =>
  prompt((old) => ({
    ...old,
    brushes: [...old.brushes, { points, radius: desk.radius, positive }],
    painted: true,
  }));

/** What was painted in this frame is a hint from now on, and the outline is found from it. */
export const strokesAsHints = () => prompt((old) => ({ ...old, painted: false }));

export const clearPrompt = () =>
  prompt(() => ({ points: [], box: null, brushes: [], painted: false }));

export const chooseCandidate = (candidate) =>
  attempt("stage", () =>
    desk.link.edit("choose", { frame: desk.frame, object: desk.object, candidate }),
  );

export function nextCandidate(by) {
  const entry = told(desk.frame, desk.object);
  if (entry?.candidates > 1) {
    chooseCandidate((entry.chosen + by + entry.candidates) % entry.candidates);
  }
}

export async function gone() {
  const one = object();
  if (!one) return;
  await attempt("pick", async () => {
    await desk.link.edit("gone", { frame: desk.frame, object: one.id });
    change({
      hint: `${one.name} is gone from frame ${desk.frame} on. Mark it again where it comes back.`,
    });
  });
}

/** What does not move is first, or last, seen in this frame. */
export const seen = (edge) =>
  attempt("pick", () => desk.link.edit(edge, { frame: desk.frame, object: desk.object }));

export const approve = (frame, id) =>
  attempt("track", () => desk.link.edit("approve", id ? { frame, object: id } : { frame }));

export const dismiss = (row) => attempt("track", () => desk.link.edit("dismiss", { row }));

export const undo = () => desk.state?.can?.undo && attempt("pick", () => desk.link.edit("undo"));
export const redo = () => desk.state?.can?.redo && attempt("pick", () => desk.link.edit("redo"));

// In and out

async function setSpan(start, stop) {
  const from = Math.max(0, Math.min(start, count() - 1));
  const mine = [from, Math.min(count(), Math.max(stop, from + 1))];
  change({ span: mine });
  await attempt("timeline", () => desk.link.edit("span", { start: mine[0], stop: mine[1] }));
  if (desk.span !== mine) return; // set anew meanwhile
  await desk.link.refresh();
  if (desk.span === mine) change({ span: null });
}

export const setIn = (frame = desk.frame) =>
  setSpan(frame, frame < span()[1] ? span()[1] : count());
export const setOut = (frame = desk.frame) =>
  setSpan(frame >= span()[0] ? span()[0] : 0, frame + 1);
export const clearIn = () => setSpan(0, span()[1]);
export const clearOut = () => setSpan(span()[0], count());

// Settings

export const set = (values) => attempt("remove", () => desk.link.edit("settings", { values }));

/** Choose what outlines: what is marked here is outlined by it at once, other frames keep theirs. */
export async function setOutliner(values) {
  const { frame, object: id } = desk;
  const entry = told(frame, id);
  if (entry?.kind === "prompt" && (entry.points.length || entry.box)) {
    try {
      await desk.link.edit("outline", { frame, object: id, values });
      await desk.link.refresh();
      change({ hint: `Outlined again in frame ${frame}. Other frames keep their outlines.`, note: null });
      return;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      note("pick", `What is marked here keeps its outline. ${error.message}`);
    }
  } else change({ hint: "Used for what you mark from now on. What is marked keeps its outline." });
  await set(values);
}

/** Outline what points or a box mark in the shown frame again, with what is set now. */
export async function reoutline() {
  const entry = told(desk.frame, desk.object);
  if (entry?.kind !== "prompt" || !(entry.points.length || entry.box)) return;
  await attempt("pick", async () => {
    await desk.link.edit("outline", { frame: desk.frame, object: desk.object, values: {} });
    await desk.link.refresh();
    change({ hint: `Frame ${desk.frame} is outlined anew. Now track.` });
  });
}

// Logos and captions

/** Make objects of what was found. */
export const takeAll = (proposals) =>
  attempt("pick", async () => {
    const taken = proposals.map((one) => desk.link.edit("take", { proposal: one.id }));
    const [{ answer }] = await Promise.all(taken);
    await desk.link.refresh();
    const hint = "What does not move needs no tracking. Try, then Remove.";
    change({ object: answer.object, shown: null, hint });
  });

export const take = (proposal) => takeAll([proposal]);

// What goes with an object, and damage

const takeFinding = (place, finding) =>
  attempt(place, async () => {
    const { answer } = await desk.link.edit("take_finding", { finding: finding.id });
    await desk.link.refresh();
    return answer.object;
  });

/** Remove the shadow or reflection of an object with it, or leave it. */
export async function tickFinding(finding, wanted) {
  if (wanted) await takeFinding("track", finding);
  else await attempt("track", () => desk.link.edit("remove_object", { object: finding.object }));
}

export async function addDamage(finding) {
  const number = await takeFinding("pick", finding);
  if (number !== null) change({ object: number, shown: null });
}

/** One place of damage is none: it stays as it is. */
export const reject = (finding, place) =>
  attempt("pick", () => desk.link.edit("reject", { finding: finding.id, place }));

export const lookForAttached = () => start("track", { kind: "attached" }, "Searching for shadows and reflections.");

export const lookForDamage = () => start("pick", { kind: "damage" }, "Searching for damage.");

// Jobs

async function start(place, body, hint) {
  if (desk.starting) return;
  desk.starting = true;
  await attempt(place, async () => {
    await desk.link.chain; // prompts on their way come first
    await post(desk.link.path("/job"), body);
    change({ hint, note: null, speed: 0 });
    await desk.link.refresh();
  }).finally(() => {
    desk.starting = false;
    change();
  });
}

const WAYS = { both: "both ways", forward: "forward", backward: "backward" };

/** Follow; both ways from every mark, or one way from this frame. */
export function trackObjects(direction = "both") {
  const body = { kind: "track", direction };
  if (direction !== "both") body.frame = desk.frame;
  change({ shown: null });
  return start("track", body, `Tracking ${WAYS[direction]}.`);
}

export const suggest = () =>
  start("pick", { kind: "suggest" }, "Searching for logos and captions.");

export const planCrop = (aspect) => start("crop", { kind: "crop", aspect }, "Planning the crop.");

export const reframe = (of) => start("crop", { kind: "retarget", of }, "Reframing.");

export const tryHere = () =>
  start(
    "remove",
    { kind: "try", frame: desk.frame, seconds: 2, whole: desk.whole },
    "Removing in 2 s around this frame.",
  );

export function removeAll() {
  const stale = desk.state?.stale ?? [];
  if (stale.length && !desk.staleTold) {
    desk.staleTold = true;
    change({
      note: {
        place: "remove",
        text: `${staleSentence()} Press Remove again to go on as it is.`,
        error: true,
      },
    });
    return;
  }
  desk.staleTold = false;
  start("remove", { kind: "remove", whole: desk.whole }, "Removing.");
}

export function staleSentence() {
  const stale = desk.state?.stale ?? [];
  const first = Math.min(...stale.map((one) => one[1]));
  const last = Math.max(...stale.map((one) => one[2]));
  const range = first === last ? `Frame ${first} was` : `Frames ${first}–${last} were`;
  return `${range} tracked before your change. Track again?`;
}

export const goOn = () => start("job", { kind: "resume" }, "Going on where it stopped.");
export const discard = () => start("job", { kind: "discard" }, "Discarded.");

export const stop = () =>
  attempt("job", async () => {
    if (!busy() || isStopping()) return;
    change({ stopping: job().id }); // said at once; the worker's own word comes later
    try {
      await post(desk.link.path("/job/stop"));
    } catch (error) {
      change({ stopping: null });
      throw error;
    }
    await desk.link.refresh();
  });

// Results

/** Put the wipe where the mask is in this frame, so that half of what was removed is seen. */
async function wipeThroughMask() {
  const { frame, link, state } = desk;
  const bitmap = await picture(
    link.url(`/mask/${frame}.png?v=${encodeURIComponent(state.masks)}`),
    false,
  );
  const middle = middleOf(bitmap);
  if (middle !== null && desk.frame === frame && result()) change({ wipe: middle });
}

export function showResult(name) {
  const one = result(name);
  if (!one) return change({ shown: null });
  const inside = desk.frame >= one.first && desk.frame <= one.last;
  const middle = one.middle ?? Math.round((one.first + one.last) / 2);
  change({
    shown: name,
    frame: inside ? desk.frame : middle,
    speed: 0,
    crosshair: null,
    note: null,
  });
  return wipeThroughMask();
}

export const deleteResult = (name) =>
  attempt("remove", async () => {
    if (desk.shown === name) change({ shown: null });
    await post(desk.link.path(`/result/${name}/delete`));
    await desk.link.refresh();
  });

// The look of masks

export function setLook(look) {
  keep("look", look);
  change({ look, masks: true });
}

export function setOpacity(opacity) {
  keep("opacity", opacity);
  change({ opacity, masks: true });
}

export function setRadius(radius) {
  const most = Math.max(4, Math.round((clip()?.height ?? 720) / 3));
  const wanted = Math.min(most, Math.max(1, Math.round(radius)));
  keep("radius", wanted);
  change({ radius: wanted });
}

export const setTool = (tool) => change({ tool, shown: null });
