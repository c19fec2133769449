// Numbers and states as words.

/** 75 s as 1:15.0, with hours only where there are any. */
export function clock(seconds, digits = 1) {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A duration as one says it. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 1.5) return "1\u00a0s";
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)}\u00a0min`;
  return `${(seconds / 3600).toFixed(1)}\u00a0h`;
}

export function bytes(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)}\u00a0${units[unit]}`;
}

/** 29.97002997 as 29.97, 25 as 25. */
export function rate(perSecond) {
  return String(Math.round(perSecond * 1000) / 1000);
}

export function frames(first, last) {
  return first === last ? `${first}` : `${first}–${last}`;
}

export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** What a job does, by its kind. */
export const DOING = {
  open: "Opening",
  suggest: "Searching",
  attached: "Searching for what goes with it",
  damage: "Searching for damage",
  track: "Tracking",
  try: "Trying",
  remove: "Removing",
  crop: "Planning the crop",
  retarget: "Reframing",
};

/** States of an object in a frame, in the words of the page. */
export const LANE_WORDS = {
  visible: "tracked",
  "partly hidden": "tracked, partly hidden",
  hidden: "hidden",
  lost: "lost",
  absent: "not in the picture",
  none: "not tracked yet",
  gone: "marked as gone",
  static: "does not move",
  given: "mask from a file",
  prompt: "marked by you",
  approved: "approved by you",
};

/** States that tracking found; a person may say that they look right. */
export const FOUND = ["visible", "partly hidden", "hidden", "lost", "absent"];
