// Playing: videos where the server has made them, stills in time where not, or backward.

import { change, clip, count, desk, listen, reach, result } from "./desk.js";

const videos = { clip: makeVideo(), result: makeVideo() };
let run = null; // what plays now: {stop()}
let playing = 0; // the speed that `run` was started with
let shown = null; // the result it was started with
let unplayable = false; // this browser has no decoder for the videos: stills it is
let tell = () => {}; // draws a frame of the videos

function makeVideo() {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  return video;
}

const perSecond = () => desk.state.proxy?.fps ?? clip().rate;

/** The videos to draw from, or null where stills are shown. */
export const moving = () => (run?.videos ? run.videos : null);

function open(video, url) {
  if (video.dataset.url === url) return;
  video.dataset.url = url;
  video.src = url;
}

function canPlay() {
  const one = result();
  return !unplayable && desk.state.proxy?.ready && (!one || one.proxy);
}

class Unplayable extends Error {}

function seek(video, frame) {
  return new Promise((done, fail) => {
    video.addEventListener("seeked", done, { once: true });
    video.addEventListener(
      "error",
      () => fail(new Unplayable("The video for playing cannot be read.")),
      { once: true },
    );
    video.currentTime = (frame + 0.5) / perSecond();
  });
}

/** Play the clip's proxy, and the result's in step where one is on the stage. */
function playVideos(speed) {
  const one = result();
  const first = one?.first ?? 0;
  const master = one ? videos.result : videos.clip;
  open(videos.clip, desk.link.url("/proxy.mp4"));
  if (one) open(videos.result, desk.link.url(`/result/${one.name}/proxy.mp4`));
  const used = one ? [videos.result, videos.clip] : [videos.clip];
  const self = { videos: null, over: false };
  let handle = 0;
  self.stop = () => {
    self.over = true;
    master.cancelVideoFrameCallback(handle);
    for (const video of used) video.pause();
  };
  const [low, high] = reach();
  const each = (_, { mediaTime }) => {
    if (self.over) return;
    const frame = Math.min(high, first + Math.round(mediaTime * perSecond()));
    if (one) {
      const wanted = master.currentTime + first / perSecond();
      if (Math.abs(videos.clip.currentTime - wanted) > 0.6 / perSecond())
        videos.clip.currentTime = wanted;
    }
    self.videos = { clip: videos.clip, result: one ? videos.result : null };
    desk.frame = frame;
    tell();
    change();
    handle = master.requestVideoFrameCallback(each);
    if (frame >= high) ended();
  };
  const ended = () => {
    if (self.over) return;
    if (one)
      begin(low); // a result is short or is looked at closely: around again
    else change({ speed: 0 });
  };
  const begin = async (frame) => {
    const start = frame >= high ? low : frame;
    try {
      await Promise.all(
        used.map((video) => seek(video, video === videos.result ? start - first : start)),
      );
      if (self.over) return;
      for (const video of used) video.playbackRate = speed;
      handle = master.requestVideoFrameCallback(each);
      await Promise.all(used.map((video) => video.play()));
    } catch (error) {
      if (self.over) return;
      if (error instanceof Unplayable) {
        unplayable = true;
        playing = 0; // begun again, with stills
        change({ hint: "This browser cannot play the preview (H.264), so stills are shown: slower, and exact." });
      } else
        change({ speed: 0, note: { place: "stage", text: error.message, error: true } });
    }
  };
  master.onended = ended;
  begin(desk.frame);
  return self;
}

/** Show stills in time; those that do not come in time are left out. */
function playStills(speed, isHere) {
  const self = { videos: null };
  const start = performance.now();
  const [low, high] = reach();
  const from = speed > 0 && desk.frame >= high ? low : desk.frame;
  const timer = setInterval(() => {
    const frame = Math.round(from + ((performance.now() - start) / 1000) * perSecond() * speed);
    const inside = Math.min(high, Math.max(low, frame));
    if (isHere(desk.frame)) change({ frame: inside });
    if (inside !== frame) change({ speed: 0 });
  }, 1000 / perSecond());
  self.stop = () => clearInterval(timer);
  return self;
}

/** Begin to heed `desk.speed`; `draw` shows a frame of the videos, `isHere` tells whether a still is drawn. */
export function startPlayer(draw, isHere) {
  tell = draw;
  listen(() => {
    if (!desk.state || (playing === desk.speed && shown === desk.shown)) return;
    run?.stop();
    run = null;
    playing = desk.speed;
    shown = desk.shown;
    if (!playing) return draw();
    if (playing > 0 && desk.frame >= count() - 1 && !result()) desk.frame = 0;
    run = playing > 0 && canPlay() ? playVideos(playing) : playStills(playing, isHere);
  });
}
