// All talk with the server: requests, edits in order, and the state as it changes.

const home = new URL(".", document.baseURI);

/** The address of a route. */
function address(path) {
  return new URL(path, home).href;
}

/** The server said no, with a sentence for a person. */
export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** The server did not answer at all. */
export class Lost extends Error {}

async function ask(method, path, body, signal) {
  const options = { method, signal, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Lost("The server does not answer.");
  }
  if ([502, 503, 504].includes(response.status)) throw new Lost("The server does not answer.");
  if (response.status === 204) return null;
  if (response.ok) return response.json();
  let sentence = `The server refused this (${response.status}).`;
  try {
    const answer = await response.json();
    sentence = answer.error ?? answer.detail ?? sentence;
  } catch {
    // No JSON: the sentence above stands.
  }
  throw new Refused(sentence, response.status);
}

export const get = (path, signal) => ask("GET", path, undefined, signal);
export const post = (path, body) => ask("POST", path, body ?? {});

export const destroy = (path) => ask("DELETE", path);

/** Upload one file with progress; `onprogress(part)` gets 0..1. Returns {answer, cancel}. */
export function upload(path, file, onprogress) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => onprogress(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      let data = {};
      try {
        data = JSON.parse(request.responseText);
      } catch {
        // Answered below by the status.
      }
      if (request.status < 300) resolve(data);
      else
        reject(
          new Refused(data.error ?? `The upload was refused (${request.status}).`, request.status),
        );
    };
    request.onerror = () => reject(new Lost("The upload broke off: the server does not answer."));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
  });
  request.open("POST", address(`${path}?name=${encodeURIComponent(file.name)}`));
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  return { answer, cancel: () => request.abort() };
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** One open project: its state, kept up to date, and its edits, sent one after the other. */
export class Link {
  constructor(id, { onstate, onlost, onfound, onunknown }) {
    this.id = id;
    this.hear = { onstate, onlost, onfound, onunknown };
    this.state = null;
    this.number = 0;
    this.waiting = 0;
    this.chain = Promise.resolve();
    this.stopped = new AbortController();
    this.lost = false;
  }

  path(rest) {
    return `project/${this.id}${rest}`;
  }

  url(rest) {
    return address(this.path(rest));
  }

  async start() {
    const state = await get(this.path(""));
    this.take(state);
    this.listen();
    return state;
  }

  close() {
    this.stopped.abort();
  }

  take(state) {
    if (this.stopped.signal.aborted) return;
    this.state = state;
    this.hear.onstate(state);
  }

  async listen() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        const stamp = encodeURIComponent(this.state.stamp);
        const state = await get(this.path(`/changes?stamp=${stamp}`), signal);
        this.found();
        if (state) this.take(state);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error instanceof Refused) {
          if (error.status === 404) return this.hear.onunknown(error.message);
          await pause(2000);
          continue;
        }
        await this.wait();
      }
    }
  }

  /** The state now, without waiting for the next change. */
  async refresh() {
    this.take(await get(this.path("")));
  }

  found() {
    if (!this.lost) return;
    this.lost = false;
    this.hear.onfound();
  }

  /** Wait until the server answers again. */
  async wait() {
    this.lost = true;
    for (let tries = 1; !this.stopped.signal.aborted; tries += 1) {
      this.hear.onlost(tries);
      await pause(Math.min(5000, 400 * tries));
      try {
        const state = await get(this.path(""), this.stopped.signal);
        this.found();
        this.take(state);
        return;
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error instanceof Refused) {
          this.found();
          if (error.status === 404) this.hear.onunknown(error.message);
          return;
        }
      }
    }
  }

  /** Send an edit after those before it; kept, and sent again, while the server is away. */
  edit(op, values = {}) {
    this.number += 1;
    const body = { op, ...values, number: this.number };
    this.waiting += 1;
    const sent = this.chain.then(async () => {
      try {
        for (;;) {
          try {
            return await post(this.path("/edit"), body);
          } catch (error) {
            if (!(error instanceof Lost)) throw error;
            await this.wait();
            if (this.stopped.signal.aborted) throw error;
          }
        }
      } finally {
        this.waiting -= 1;
      }
    });
    this.chain = sent.catch(() => {});
    return sent;
  }
}
