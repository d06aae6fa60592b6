"use strict";

const $ = (id) => document.getElementById(id);
const MOST_ZOOM = 16;
const MOST_POINTS = 5000; // of a stroke
const STILL = 16; // pixels of the window, within which a finger has not begun to draw
const COLOURS = { mask: "rgba(255, 82, 92, 0.55)", edges: "rgb(64, 156, 255)" };

let state = { loaded: false };
let zoom = { scale: 1, x: 0, y: 0 };
let tool = "mask";
let view = "draw";
let sizes = null; // brush diameters in pixels of the image
let stroke = null; // the one being drawn
let pointer = null; // the mouse, pen or finger that draws it
let engine; // what completes: server.js or local.js
let queue = Promise.resolve(); // requests go one after another, so that strokes stay in order

function inTurn(work) {
  queue = queue.then(work).catch((error) => say(error.message, true));
  return queue;
}

function say(sentence, wrong = false) {
  $("message").textContent = sentence;
  $("message").classList.toggle("wrong", wrong);
}

async function change(path, body) {
  await show(await engine.request(path, body));
}

// What is seen

async function show(next) {
  const fresh = !state.loaded || next.width !== state.width || next.height !== state.height || next.reload;
  state = next;
  document.body.classList.toggle("loaded", state.loaded);
  for (const element of document.querySelectorAll(".guided")) element.hidden = !state.takes_edges;
  $("view-attention").hidden = !state.attention;
  for (const [needs, has] of Object.entries({ picture: state.loaded, result: state.completed })) {
    for (const element of document.querySelectorAll(`.needs-${needs}`)) {
      element.classList.toggle("off", !has);
      element.inert = !has;
    }
  }
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
    await loaded($("before"), "picture");
    fit();
    zoomAt(0, 0, 0);
    for (const canvas of [$("overlay"), $("live")]) {
      canvas.width = $("before").naturalWidth;
      canvas.height = $("before").naturalHeight;
    }
  }
  const overlay = await loaded(new Image(), "overlay");
  const context = $("overlay").getContext("2d");
  context.clearRect(0, 0, $("overlay").width, $("overlay").height);
  context.drawImage(overlay, 0, 0);
  if (!stroke) $("live").getContext("2d").clearRect(0, 0, $("live").width, $("live").height);
}

async function loaded(image, view) {
  const address = await engine.view(view, state.revision);
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture could not be shown"));
    image.src = address;
  });
}

async function save(name) {
  Object.assign(document.createElement("a"), { href: await engine.download(name), download: name }).click();
}

// As large as there is room for: small images are enlarged, or nobody could draw on them.
function fit() {
  const { naturalWidth, naturalHeight } = $("before");
  const room = Math.max(260, window.innerHeight - $("stage").getBoundingClientRect().top - window.scrollY - 175);
  const factor = Math.min($("stage").clientWidth / naturalWidth, room / naturalHeight, 4);
  $("frame").style.width = `${Math.round(naturalWidth * factor)}px`;
}

window.addEventListener("resize", () => {
  if (!state.loaded) return;
  fit();
  zoomAt(0, 0, 1);
});

// So many times as large about a point of the window, and moved by so much; 0 times is as at first.
function zoomAt(clientX, clientY, times, [right, down] = [0, 0]) {
  const frame = $("frame").getBoundingClientRect();
  const scale = Math.min(MOST_ZOOM, Math.max(1, zoom.scale * times));
  const moved = (at, first, by, side) => Math.min(0, Math.max(side * (1 - scale), at - ((at - first) * scale) / zoom.scale + by));
  const [x, y] = [clientX - frame.left, clientY - frame.top];
  zoom = { scale, x: moved(x, zoom.x, right, frame.width), y: moved(y, zoom.y, down, frame.height) };
  $("layers").style.transform = scale === 1 ? "" : `translate(${zoom.x}px, ${zoom.y}px) scale(${scale})`;
}

function zoomBy(times) {
  const frame = $("frame").getBoundingClientRect();
  zoomAt(frame.left + frame.width / 2, frame.top + frame.height / 2, times);
}

$("frame").addEventListener("wheel", (event) => {
  if (!event.ctrlKey && zoom.scale === 1) return; // the page scrolls
  event.preventDefault();
  if (event.ctrlKey) zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY / 200));
  else zoomAt(event.clientX, event.clientY, 1, [-event.deltaX, -event.deltaY]);
}, { passive: false });

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
    width: `${size / zoom.scale}px`,
    height: `${size / zoom.scale}px`,
    left: `${(event.clientX - box.left) / zoom.scale}px`,
    top: `${(event.clientY - box.top) / zoom.scale}px`,
  });
}

$("live").addEventListener("pointerleave", () => ($("ring").hidden = true));

// Two fingers zoom and move, unless one has begun to draw; then the other one draws nothing.
const fingers = new Map(); // where each is, [x, y] in the window
let pinching = false;

const middle = () => [0, 1].map((axis) => [...fingers.values()].reduce((sum, at) => sum + at[axis], 0) / fingers.size);
const apart = ([[x, y], [otherX, otherY]] = fingers.values()) => Math.max(1, Math.hypot(x - otherX, y - otherY));

function pinch(event) {
  const [before, wide] = [middle(), apart()];
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  const after = middle();
  zoomAt(...before, apart() / wide, [after[0] - before[0], after[1] - before[1]]);
}

$("live").addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch") fingers.set(event.pointerId, [event.clientX, event.clientY]);
  if (fingers.size === 2 && (!stroke || !stroke.moved)) {
    stroke = null;
    pinching = true;
    $("live").getContext("2d").clearRect(0, 0, $("live").width, $("live").height);
  }
  if (stroke || pinching || event.button === 1) return;
  event.preventDefault();
  $("live").focus({ preventScroll: true });
  $("live").setPointerCapture(event.pointerId);
  const layer = event.button === 2 && state.takes_edges ? "edges" : tool;
  pointer = event.pointerId;
  begin(layer, position(event));
  stroke.from = [event.clientX, event.clientY];
});

function begin(layer, point) {
  stroke = { layer, size: sizes[layer], erase: erasing(), points: [point] };
  paint();
}

function end() {
  const { layer, size, erase, points } = stroke;
  stroke = null;
  say("");
  inTurn(() => change("/api/stroke", { layer, size, erase, points }));
}

$("live").addEventListener("pointermove", (event) => {
  ring(event);
  if (pinching && fingers.has(event.pointerId)) return fingers.size === 2 && pinch(event);
  if (!stroke || event.pointerId !== pointer) return;
  stroke.moved ||= Math.hypot(event.clientX - stroke.from[0], event.clientY - stroke.from[1]) > STILL;
  const moves = event.getCoalescedEvents ? event.getCoalescedEvents() : [event];
  for (const move of moves.length ? moves : [event]) if (stroke.points.length < MOST_POINTS) stroke.points.push(position(move));
  paint();
});

for (const name of ["pointerup", "pointercancel"]) {
  $("live").addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) pinching = false;
    if (stroke && event.pointerId === pointer) end();
  });
}

// The brush by keys: arrows move it, the space bar begins and ends a stroke.
let brush = null; // [x, y] in the picture

$("live").addEventListener("keydown", (event) => {
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key] || [];
  if (right === undefined || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const step = Math.max(1, Math.round(sizes[tool] / (event.shiftKey ? 1 : 4)));
  const [x, y] = brush || [state.width / 2, state.height / 2];
  brush = [Math.min(state.width, Math.max(0, x + right * step)), Math.min(state.height, Math.max(0, y + down * step))];
  const box = $("live").getBoundingClientRect();
  const at = { clientX: box.left + (brush[0] * box.width) / state.width, clientY: box.top + (brush[1] * box.height) / state.height };
  if (event.key === " ") {
    if (stroke) end();
    else begin(tool, [...brush]);
    pointer = null;
  } else if (stroke && pointer === null && stroke.points.length < MOST_POINTS) {
    stroke.points.push([...brush]);
    paint();
  }
  ring({ ...at, pointerType: "mouse" });
});

$("live").addEventListener("blur", () => stroke && pointer === null && end());

$("live").addEventListener("contextmenu", (event) => event.preventDefault());

// Buttons, keys, files

function complete() {
  inTurn(async () => {
    $("busy").hidden = false;
    try {
      const next = await engine.request("/api/complete", { grow: Number($("grow").value), blend: $("blend").value || null });
      await show(next);
      await loaded($("after"), "completed");
      if (next.attention) await loaded($("attention"), "attention");
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
$("save").onclick = () => inTurn(() => save(`completed.${$("format").value}`));
for (const layer of ["mask", "edges"]) $(`save-${layer}`).onclick = () => inTurn(() => save(`${layer}.png`));
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
  else if (key === "+" || key === "=") zoomBy(1.5);
  else if (key === "-") zoomBy(1 / 1.5);
  else if (key === "0") zoomBy(0);
  else if (key === "enter" && !event.target.matches("button, a, input")) complete();
  else return;
  event.preventDefault();
});

function upload(path, file) {
  if (!file) return;
  if (file.size > engine.largest) return say(`an upload may have ${engine.largest >> 20} MiB at most`, true);
  inTurn(async () => {
    const next = await engine.request(path, file);
    if (path === "/api/picture") next.reload = true;
    useView("draw");
    await show(next);
    say(next.warning || (path === "/api/picture" ? "paint what shall be filled in, then press Complete" : ""), next.warning);
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
  say("getting ready …");
  engine = await import(`./${document.documentElement.dataset.engine}.js`);
  for (const option of $("blend").options) option.hidden = option.disabled = engine.blendings?.includes(option.value) === false;
  $("blend").value = engine.blendings ? engine.blendings[0] : "";
  await engine.open();
  await show({ ...(await engine.request("/api/state")), reload: true });
  useView("draw");
  say("");
});
