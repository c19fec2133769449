"use strict";
// The picture is fetched frame by frame, so that a click knows which frame it points into.
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const said = document.getElementById("said");
let shown = -1;
let bitmap = null;
let start = null; // where a drag began, in pixels of the picture
let end = null;
let over = false;

function draw() {
  if (!bitmap) return;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  context.drawImage(bitmap, 0, 0);
  if (start && end) {
    context.strokeStyle = "#fff";
    context.lineWidth = Math.max(1, canvas.width / 500);
    context.strokeRect(start.x, start.y, end.x - start.x, end.y - start.y);
  }
}

async function play() {
  while (!over) {
    try {
      const answer = await fetch(`/frame?after=${shown}`);
      if (answer.status === 204) continue;
      if (!answer.ok) throw new Error(answer.statusText);
      const frame = Number(answer.headers.get("X-Frame"));
      bitmap = await createImageBitmap(await answer.blob());
      shown = frame;
      draw();
    } catch {
      said.textContent = "The picture has ended.";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function tell(message) {
  const answer = await fetch("/message", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  const told = await answer.json();
  said.textContent = told.ok ? "" : told.error;
  return told;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) * canvas.width) / box.width,
    y: ((event.clientY - box.top) * canvas.height) / box.height,
    frame: shown,
  };
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !bitmap) return;
  canvas.setPointerCapture(event.pointerId);
  start = place(event);
  end = null;
});

canvas.addEventListener("pointermove", (event) => {
  if (!start) return;
  const now = place(event);
  if (end || Math.hypot(now.x - start.x, now.y - start.y) > 5) {
    end = now;
    draw();
  }
});

canvas.addEventListener("pointerup", async () => {
  if (!start) return;
  const from = start;
  const to = end;
  start = end = null;
  said.textContent = "Outlining…";
  const message = { do: "add" };
  if (to) {
    // What is meant is where the box was let go.
    message.frame = to.frame;
    message.box = [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)];
  } else {
    message.frame = from.frame;
    message.point = [from.x, from.y];
  }
  await tell(message);
  await refresh();
});

canvas.addEventListener("pointercancel", () => { start = end = null; });

document.getElementById("mask").addEventListener("change", (event) => {
  tell({ do: "show", mask: event.target.checked });
});

document.getElementById("stop").addEventListener("click", async () => {
  await tell({ do: "stop" });
  over = true;
  said.textContent = "Stopped; what was being written is whole.";
});

function list(objects) {
  const items = objects.map((target) => {
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.textContent = `${target.object}: ${target.state} (${target.tracker})`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Drop";
    button.setAttribute("aria-label", `Drop object ${target.object}`);
    button.addEventListener("click", async () => {
      await tell({ do: "drop", object: target.object });
      await refresh();
    });
    item.append(text, button);
    return item;
  });
  document.getElementById("objects").replaceChildren(...items);
}

let listed = "";

async function refresh() {
  const answer = await fetch("/message", { method: "POST", body: '{"do": "status"}' });
  const status = await answer.json();
  if (!status.ok) return;
  const objects = JSON.stringify(status.objects.map((o) => [o.object, o.state, o.tracker]));
  if (objects !== listed) { // a button that is replaced under the pointer would lose its click
    listed = objects;
    list(status.objects);
  }
  const stats = status.stats;
  document.getElementById("delay").textContent = `${stats.delay_ms.p50} ms, 95 %: ${stats.delay_ms.p95} ms`;
  document.getElementById("rate").textContent = `${stats.frames_per_second} a second`;
  document.getElementById("frames").textContent = `${stats.frames_in} in, ${stats.frames_out} out, ${stats.dropped} dropped, ${stats.degraded} degraded`;
  document.getElementById("work").textContent = status.effort || "full";
  document.getElementById("mask").checked = status.shows_mask;
}

async function keepFresh() {
  while (!over) {
    try { await refresh(); } catch { /* the picture's own loop says that it has ended */ }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

play();
keepFresh();
