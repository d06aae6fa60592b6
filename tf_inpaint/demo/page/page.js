"use strict";

const $ = (id) => document.getElementById(id);
const LARGEST_UPLOAD = 32 * 1024 * 1024;
const COLOURS = { mask: "rgba(255, 82, 92, 0.55)", edges: "rgb(64, 156, 255)" };

let state = { loaded: false };
let tool = "mask";
let view = "draw";
let sizes = null; // brush diameters in pixels of the image
let stroke = null; // the one being drawn
let pointer = null; // the mouse, pen or finger that draws it
let queue = Promise.resolve(); // requests go one after another, so that strokes stay in order

// Talking to the server. Its sentences are shown as they are.

async function request(path, body) {
  const headers = { "X-Requested-With": "tf_inpaint" };
  if (body !== undefined && !(body instanceof Blob)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const answer = await fetch(path, { method: "POST", headers, body });
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(data.error || `the server answers ${answer.status} ${answer.statusText}`);
  return data;
}

function inTurn(work) {
  queue = queue.then(work).catch((error) => say(error.message, true));
  return queue;
}

function say(sentence, wrong = false) {
  $("message").textContent = sentence;
  $("message").classList.toggle("wrong", wrong);
}

async function change(path, body) {
  await show(await request(path, body));
}

// What is seen

async function show(next) {
  const fresh = !state.loaded || next.width !== state.width || next.height !== state.height || next.reload;
  state = next;
  document.body.classList.toggle("loaded", state.loaded);
  for (const element of document.querySelectorAll(".guided")) element.hidden = !state.takes_edges;
  for (const element of document.querySelectorAll(".needs-picture")) element.classList.toggle("off", !state.loaded);
  for (const element of document.querySelectorAll(".needs-result")) element.classList.toggle("off", !state.completed);
  for (const element of document.querySelectorAll(".needs-attention")) element.classList.toggle("off", !state.attention);
  $("empty").hidden = state.loaded;
  $("frame").hidden = $("views").hidden = !state.loaded;
  $("undo").disabled = !state.can_undo;
  $("redo").disabled = !state.can_redo;
  $("clear").disabled = !state.loaded || state.blank;
  $("complete").disabled = !state.loaded || state.empty;
  if (!state.loaded) return;
  if (fresh) {
    sizes = { ...state.sizes };
    $("size").max = Math.ceil(Math.min(state.width, state.height) / 2);
    useTool("mask");
    await loaded($("before"), "/api/view/picture.png");
    fit();
    for (const canvas of [$("overlay"), $("live")]) {
      canvas.width = $("before").naturalWidth;
      canvas.height = $("before").naturalHeight;
    }
  }
  const overlay = await loaded(new Image(), "/api/view/overlay.png");
  const context = $("overlay").getContext("2d");
  context.clearRect(0, 0, $("overlay").width, $("overlay").height);
  context.drawImage(overlay, 0, 0);
  if (!stroke) $("live").getContext("2d").clearRect(0, 0, $("live").width, $("live").height);
}

function loaded(image, address) {
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture of the server could not be shown"));
    image.src = `${address}?${state.revision}-${Date.now()}`;
  });
}

// As large as there is room for: small images are enlarged, or nobody could draw on them.
function fit() {
  const { naturalWidth, naturalHeight } = $("before");
  const room = Math.max(260, window.innerHeight - $("stage").getBoundingClientRect().top - window.scrollY - 175);
  const factor = Math.min($("stage").clientWidth / naturalWidth, room / naturalHeight, 4);
  $("frame").style.width = `${Math.round(naturalWidth * factor)}px`;
}

window.addEventListener("resize", () => state.loaded && fit());

function useView(next) {
  view = next;
  for (const name of ["draw", "after", "attention"]) $(`view-${name}`).setAttribute("aria-selected", name === view);
  $("overlay").hidden = $("live").hidden = view !== "draw";
  $("ring").hidden = true;
  $("after").hidden = $("divider").hidden = $("compare").hidden = view !== "after";
  $("attention").hidden = view !== "attention";
  split();
}

function split() {
  const percent = $("split").value / 10;
  $("after").style.clipPath = `inset(0 0 0 ${percent}%)`;
  $("divider").style.left = `${percent}%`;
}

// Drawing

function useTool(next) {
  tool = next;
  for (const name of ["mask", "edges"]) $(`tool-${name}`).setAttribute("aria-checked", name === tool);
  $("size").value = sizes ? sizes[tool] : 20;
  $("size-shown").textContent = $("size").value;
}

const erasing = () => $("eraser").getAttribute("aria-pressed") === "true";

function position(event) {
  const box = $("live").getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * state.width;
  const y = ((event.clientY - box.top) / box.height) * state.height;
  return [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
}

function paint() {
  const context = $("live").getContext("2d");
  const scale = $("live").width / state.width;
  context.clearRect(0, 0, $("live").width, $("live").height);
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(1, stroke.size * scale);
  context.strokeStyle = stroke.erase ? "rgba(255, 255, 255, 0.6)" : COLOURS[stroke.layer];
  context.beginPath();
  const [[x, y], ...rest] = stroke.points;
  context.moveTo(x * scale, y * scale);
  for (const [nextX, nextY] of rest.length ? rest : [[x + 0.01, y]]) context.lineTo(nextX * scale, nextY * scale);
  context.stroke();
}

// A ring as large as the brush follows the mouse; a finger would hide it.
function ring(event) {
  const box = $("live").getBoundingClientRect();
  const layer = stroke ? stroke.layer : tool;
  const size = Math.max(4, (sizes[layer] * box.width) / state.width);
  $("ring").hidden = event.pointerType !== "mouse";
  Object.assign($("ring").style, {
    width: `${size}px`,
    height: `${size}px`,
    left: `${event.clientX - box.left}px`,
    top: `${event.clientY - box.top}px`,
  });
}

$("live").addEventListener("pointerleave", () => ($("ring").hidden = true));

$("live").addEventListener("pointerdown", (event) => {
  if (stroke || event.button === 1) return; // a second finger draws nothing
  event.preventDefault();
  $("live").setPointerCapture(event.pointerId);
  const layer = event.button === 2 && state.takes_edges ? "edges" : tool;
  pointer = event.pointerId;
  stroke = { layer, size: sizes[layer], erase: erasing(), points: [position(event)] };
  paint();
});

$("live").addEventListener("pointermove", (event) => {
  ring(event);
  if (!stroke || event.pointerId !== pointer) return;
  const moves = event.getCoalescedEvents ? event.getCoalescedEvents() : [event];
  for (const move of moves.length ? moves : [event]) if (stroke.points.length < 5000) stroke.points.push(position(move));
  paint();
});

for (const end of ["pointerup", "pointercancel"]) {
  $("live").addEventListener(end, (event) => {
    if (!stroke || event.pointerId !== pointer) return;
    const done = stroke;
    stroke = null;
    say("");
    inTurn(() => change("/api/stroke", done));
  });
}

$("live").addEventListener("contextmenu", (event) => event.preventDefault());

// Buttons, keys, files

function complete() {
  inTurn(async () => {
    $("busy").hidden = false;
    try {
      const next = await request("/api/complete", { grow: Number($("grow").value), blend: $("blend").value || null });
      await show(next);
      await loaded($("after"), "/api/view/completed.png");
      if (next.attention) await loaded($("attention"), "/api/view/attention.png");
      $("split").value = 0;
      useView("after");
      say(`completed in ${next.seconds} s; move the slider to compare`);
    } finally {
      $("busy").hidden = true;
    }
  });
}

const back = (path) => inTurn(async () => { useView("draw"); await change(path); });

$("tool-mask").onclick = () => useTool("mask");
$("tool-edges").onclick = () => useTool("edges");
$("eraser").onclick = () => $("eraser").setAttribute("aria-pressed", !erasing());
$("undo").onclick = () => back("/api/undo");
$("redo").onclick = () => back("/api/redo");
$("clear").onclick = () => back("/api/clear");
$("complete").onclick = complete;
for (const name of ["draw", "after", "attention"]) $(`view-${name}`).onclick = () => useView(name);
$("split").oninput = split;
$("grow").oninput = () => ($("grow-shown").textContent = $("grow").value);
$("format").onchange = () => {
  const name = `completed.${$("format").value}`;
  Object.assign($("save"), { href: `/api/${name}`, download: name });
};
$("size").oninput = () => {
  sizes[tool] = Number($("size").value);
  $("size-shown").textContent = $("size").value;
};

document.addEventListener("keydown", (event) => {
  if (!state.loaded || event.target.matches("select")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") back(event.shiftKey ? "/api/redo" : "/api/undo");
    else if (key === "y") back("/api/redo");
    else return;
  } else if (key === "h") useTool("mask");
  else if (key === "s" && state.takes_edges) useTool("edges");
  else if (key === "e") $("eraser").click();
  else if (key === "enter" && !event.target.matches("button, a, input")) complete();
  else return;
  event.preventDefault();
});

function upload(path, file) {
  if (!file) return;
  if (file.size > LARGEST_UPLOAD) return say("an upload may have 32 MiB at most", true);
  inTurn(async () => {
    const next = await request(path, file);
    if (path === "/api/picture") next.reload = true;
    useView("draw");
    await show(next);
    say(path === "/api/picture" ? "paint what shall be filled in, then press Complete" : "");
  });
}

for (const [id, path] of [
  ["open", "/api/picture"],
  ["open-too", "/api/picture"],
  ["open-mask", "/api/layer/mask"],
  ["open-edges", "/api/layer/edges"],
]) {
  $(id).onchange = () => {
    upload(path, $(id).files[0]);
    $(id).value = "";
  };
}

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
    if (name === "drop") upload("/api/picture", event.dataTransfer.files[0]);
  });
}

inTurn(async () => {
  const answer = await fetch("/api/state");
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  await show({ ...data, reload: true });
  useView("draw");
});
