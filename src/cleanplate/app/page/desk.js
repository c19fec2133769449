// What the page knows: the project's state as the server told it, and what only this tab decides.

const kept = (name, fallback) => localStorage.getItem(`cleanplate.${name}`) ?? fallback;

export const desk = {
  about: null,
  link: null,
  state: null, // of the server; null while no clip is open
  lost: 0, // tries to reach a server that went away
  frame: 0,
  object: null,
  tool: "point", // point, minus, box, brush, eraser, hand
  radius: Number(kept("radius", 12)), // of the brush, in pixels of the clip
  outlined: null, // {frame, object}: another outline is shown, to be taken or not
  times: null, // of each frame, in seconds; null until they are here
  masks: true,
  look: kept("look", "fill"), // fill, outline, matte, cutout
  opacity: Number(kept("opacity", 0.5)),
  filled: false, // the shown frame as it will look, instead of its masks
  shown: null, // name of the result on the stage; null: the clip
  compare: "wipe", // wipe, side, result, difference, flicker
  wipe: 0.5,
  cropping: false, // the crop of another shape is shown over the clip
  peek: false, // C is held: the original
  speed: 0, // 0 stands still; 1, 2, 4 forward, negative backward
  stopping: null, // id of the job that was told to stop
  span: null, // [in, out] as just set, until the server says so too
  crosshair: null, // {x, y}: pointing by keys
  drafts: new Map(), // "frame/object" to {prompt, pending}: what was said and not yet answered
  note: null, // {place, text, error}: a sentence where it arose
  hint: "",
  whole: true, // what is removed is saved with the frames outside of in and out
};

const listeners = new Set();
let due = false;

/** Call `listener` after changes, once for many in a row. */
export function listen(listener) {
  listeners.add(listener);
}

/** Change what the page knows and have it shown. */
export function change(values = {}) {
  Object.assign(desk, values);
  if (due) return;
  due = true;
  queueMicrotask(() => {
    due = false;
    for (const listener of listeners) listener();
  });
}

export function keep(name, value) {
  localStorage.setItem(`cleanplate.${name}`, String(value));
}

export const clip = () => desk.state?.clip ?? null;
export const count = () => clip()?.frames ?? 1;
export const objects = () => desk.state?.objects ?? [];
export const object = (id = desk.object) => objects().find((one) => one.id === id) ?? null;
/** Logos and captions that were found and are no objects yet. */
export const proposed = () => (desk.state?.proposals?.overlays ?? []).filter((one) => !one.taken);
export const job = () => desk.state?.job ?? null;
export const result = (name = desk.shown) =>
  desk.state?.results?.find((one) => one.name === name) ?? null;

/** Whether a job is at work, or will be. */
export function busy() {
  return ["queued", "running", "stopping"].includes(job()?.state);
}

/** Whether the job was told to stop and has not said yet that it did. */
export const isStopping = () =>
  busy() && (job().state === "stopping" || desk.stopping === job().id);

/** Frames that the stage can show: those of the clip, or of the result on it. */
export function reach() {
  const shown = result();
  return shown ? [shown.first, shown.last] : [0, count() - 1];
}

/** How far masks grow before they are filled, in px: a slider that is being dragged, else the server's word. */
export function growth() {
  const { settings, growth: told } = desk.state;
  if (Number.isFinite(settings?.grow)) return settings.grow;
  return Math.max(told?.default ?? 0, ...Object.values(told?.objects ?? {}));
}

/** [first frame, one past the last] between in and out. */
export const span = () => desk.span ?? desk.state.span;

const key = (frame, id) => `${frame}/${id}`;
const EMPTY = { points: [], box: null, brushes: [], painted: false };

/** What was said of an object in a frame, answered or not. */
export function promptOf(frame, id) {
  const draft = desk.drafts.get(key(frame, id));
  if (draft) return draft.prompt;
  const told = desk.state?.prompts?.[frame]?.[id];
  if (!told) return EMPTY;
  const { points = [], box = null, brushes = [], painted = false } = told;
  return { points, box, brushes, painted };
}

/** The server's entry for an object in a frame: candidates, chosen, kind. */
export const told = (frame, id) => desk.state?.prompts?.[frame]?.[id] ?? null;

export function draft(frame, id, prompt) {
  const old = desk.drafts.get(key(frame, id));
  desk.drafts.set(key(frame, id), { prompt, pending: (old?.pending ?? 0) + 1 });
}

/** One edit of a draft was answered; with the last one the server's word counts again. */
export function settle(frame, id) {
  const old = desk.drafts.get(key(frame, id));
  if (!old) return;
  if (old.pending <= 1) desk.drafts.delete(key(frame, id));
  else old.pending -= 1;
}

/** The state of an object in a frame, by its lane: [state, confidence]. */
export function laneAt(id, frame) {
  for (const [first, last, state, confidence] of desk.state?.lanes?.[id] ?? []) {
    if (frame >= first && frame <= last) return [state, confidence];
  }
  return ["none", 0];
}

const DOING = {
  suggest: "looking",
  attached: "looking",
  damage: "looking",
  track: "tracking",
  try: "trying",
  crop: "planning",
  retarget: "reframing",
};

/** Where the page is: which of the states of a project a person would name. */
export function stage() {
  const { state } = desk;
  if (!state) return "empty";
  if (state.opening) return "opening";
  if (busy()) return DOING[job().kind] ?? "removing";
  if (result()) return "result";
  if (job()?.state === "stopped" || job()?.state === "failed") return "stopped";
  return state.can?.remove?.[0] ? "review" : "pick";
}
