/**
 * What `tf_inpaint.demo.session` and `Inpainter` do for the page, in a worker: strokes, windows around holes, the
 * network, files. Strokes are kept as they are and painted where they are looked at, and pixels are read where a hole
 * is: nothing here grows with the picture but the picture itself, which the browser holds.
 */

import { BLENDINGS, around, asSeen, bounds, continueAlpha, enlarged, groups, grown, windowAround } from "./holes.js";
import { holesOf, linesOf, strangeCover, survey, warningOf } from "./masks.js";
import { Network } from "./network.js";
import { decodePng, encodePng } from "./png.js";

const VIEW_SIDE = 1200; // pictures are shown at most so large
const MOST_POINTS = 5000;
const TILE = 512; // pixels a side, in which strokes are painted
const APART = 129; // pixels between holes that are completed one by one
const GROUPED_SIDE = 2048; // of the mask that is looked through for groups
const TEXTURE_REACH = 256; // pixels around a hole at least, whose patches are looked through
const TEXTURE_LARGEST = 2048; // side of what is looked through at most, which takes memory
const COLOURS = { mask: "rgb(255, 82, 92)", edges: "rgb(64, 156, 255)" };
const OPACITY = { mask: 0.55, edges: 1 };

let network;
let picture = null; // {bitmap, width, height, type, exact: of decodePng}
let done = [];
let undone = [];
let patches = null; // of the last completion: {box, rgba, mask}; null before
let revision = 0;
let turn = Promise.resolve();

self.onmessage = ({ data: [id, ...message] }) => {
  turn = turn.then(() => answer(id, message));
};

async function answer(id, [what, ...given]) {
  try {
    self.postMessage({ id, value: await { open, request, view, download }[what](...given) });
  } catch (error) {
    self.postMessage({ id, error: error.message || String(error) });
  }
}

async function open() {
  network = await Network.open(new URL("../", import.meta.url));
}

async function request(path, body) {
  const [, what, layer] = path.match(/^\/api\/(\w+)(?:\/(\w+))?$/);
  const warning = await { state() {}, picture: load, layer: (file) => loadLayer(layer, file), stroke: draw, undo, redo, clear, complete }[what](body);
  return { ...state(), ...(what === "complete" ? { seconds: seconds } : {}), ...(warning ? { warning } : {}) };
}

function state() {
  const { guided, residuals } = network.card;
  const known = { takes_edges: guided, residuals, loaded: picture !== null, revision, engine: network.kind };
  if (!picture) return known;
  const { width, height } = picture;
  const side = Math.min(width, height);
  const sizes = { mask: Math.max(4, Math.round(side / 12)), edges: Math.max(1, Math.round(side / 256)) };
  const empty = !active("mask").some((action) => !action.erase);
  const blank = empty && !active("edges").length;
  return { ...known, width, height, sizes, empty, blank, can_undo: done.length > 0, can_redo: undone.length > 0, completed: patches !== null, attention: false };
}

// Loading

async function decoded(file, what) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "none" };
  return createImageBitmap(file, options).catch(() => {
    throw new Error(`the ${what} is not an image that this browser reads`);
  });
}

async function load(file) {
  const bitmap = await decoded(file, "upload");
  picture?.bitmap.close();
  const exact = await decodePng(file).catch(() => null); // else the browser's levels are as exact
  const { width, height } = bitmap;
  picture = { bitmap, width, height, type: file.type, exact: exact?.width === width && exact.height === height ? exact : null };
  [done, undone, patches] = [[], [], null];
  revision++;
}

/** Puts a file in place of a layer; returns a sentence where it is a strange mask. */
async function loadLayer(layer, blob) {
  const bitmap = await decoded(blob, layer === "mask" ? "mask" : "edge map");
  const { width, height } = picture;
  if (bitmap.width !== width || bitmap.height !== height) {
    throw new Error(`the ${layer === "mask" ? "mask" : "edge map"} has ${bitmap.width} x ${bitmap.height} pixels, but the image has ${width} x ${height}`);
  }
  const { levels } = network.card; // above which one counts
  const file = survey((y, count) => pixelsOf(bitmap, { x: 0, y, width, height: count }), width, height, levels.mask);
  bitmap.close();
  const marked = layer === "mask" ? holesOf(file, levels.mask) : linesOf(file, levels.edges);
  act({ layer, marked });
  if (layer !== "mask") return null;
  return [warningOf(file, levels.mask), strangeCover(marked)].filter(Boolean).map((sentence) => `the mask ${sentence}`).join("; ");
}

// Drawing

function draw({ layer, points, size, erase = false }) {
  if (points.length > MOST_POINTS) throw new Error(`a stroke has 1 to ${MOST_POINTS} points, not ${points.length}`);
  act({ layer, points, size, erase });
}

function clear() {
  act({ cleared: true });
}

function act(action) {
  done.push(action);
  undone = [];
  revision++;
}

function undo() {
  if (done.length) undone.push(done.pop());
  revision++;
}

function redo() {
  if (undone.length) done.push(undone.pop());
  revision++;
}

/** The actions that a layer is made of. */
function active(layer) {
  const start = done.findLastIndex((action) => action.cleared || (action.layer === layer && action.marked));
  return done.slice(Math.max(0, start)).filter((action) => action.layer === layer);
}

/** Paints a layer on a canvas that shows a box of the picture `scale` times as large. */
function paint(context, layer, box, scale = 1, colour = "#fff") {
  const { width, height } = context.canvas;
  context.save();
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  for (const { marked, points, size, erase } of active(layer)) {
    context.setTransform(scale, 0, 0, scale, -box.x * scale, -box.y * scale);
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    if (marked) {
      const levels = context.createImageData(width, height);
      for (let y = 0, at = 3; y < height; y++) {
        const row = Math.min(picture.height - 1, box.y + Math.floor((y + 0.5) / scale)) * picture.width;
        for (let x = 0; x < width; x++, at += 4) levels.data[at] = 255 * marked[row + Math.min(picture.width - 1, box.x + Math.floor((x + 0.5) / scale))];
      }
      context.putImageData(levels, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalCompositeOperation = "source-in";
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      continue;
    }
    context.lineWidth = Math.max(size, 1 / scale);
    context.beginPath();
    context.moveTo(...points[0]);
    for (const [x, y] of points.length > 1 ? points.slice(1) : [[points[0][0] + 0.01, points[0][1]]]) context.lineTo(x, y);
    context.stroke();
  }
  context.restore();
}

/** A layer in a box of the picture: Uint8Array, 1 = marked; by tiles, or a line's rim would depend on the box. */
function layerIn(layer, box) {
  const result = new Uint8Array(box.width * box.height);
  const [right, bottom] = [box.x + box.width, box.y + box.height];
  for (let y = box.y - (box.y % TILE); y < bottom; y += TILE) {
    for (let x = box.x - (box.x % TILE); x < right; x += TILE) {
      const marked = layerAt(layer, { x, y, width: TILE, height: TILE });
      const [first, end] = [Math.max(x, box.x), Math.min(x + TILE, right)];
      for (let row = Math.max(y, box.y); row < Math.min(y + TILE, bottom); row++) {
        const start = (row - y) * TILE - x;
        result.set(marked.subarray(start + first, start + end), (row - box.y) * box.width + first - box.x);
      }
    }
  }
  return result;
}

/** A layer in a box, `scale` times as large: 1 where more than `least` of 255 is painted. */
function layerAt(layer, box, scale = 1, least = network.card.levels.mask) {
  const context = canvas(Math.max(1, Math.round(box.width * scale)), Math.max(1, Math.round(box.height * scale)));
  paint(context, layer, box, scale);
  const { data } = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
  const marked = new Uint8Array(data.length / 4);
  for (let index = 0; index < marked.length; index++) marked[index] = data[4 * index + 3] > least ? 1 : 0;
  return marked;
}

/** The hole in a box, grown by so many pixels. */
function holeIn(box, grow) {
  const wide = around(box, grow + 1, picture.width, picture.height);
  const mask = grown(layerIn("mask", wide), wide.width, wide.height, grow);
  return cut(mask, wide, box, 1);
}

// Pixels

const canvas = (width, height) => new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });

function pixelsOf(bitmap, { x, y, width, height }) {
  const context = canvas(width, height);
  context.drawImage(bitmap, -x, -y);
  return context.getImageData(0, 0, width, height).data;
}

/** A box of an array of pixels that shows another box. */
function cut(values, from, box, depth) {
  const result = new values.constructor(depth * box.width * box.height);
  for (let y = 0; y < box.height; y++) {
    const start = depth * ((box.y - from.y + y) * from.width + box.x - from.x);
    result.set(values.subarray(start, start + depth * box.width), depth * y * box.width);
  }
  return result;
}

/** The picture in a box, with patches in it. */
function pixels(box, filled) {
  const { bitmap, width, exact } = picture;
  const rgba = exact ? cut(exact.rgba, { x: 0, y: 0, width }, box, 4) : pixelsOf(bitmap, box);
  for (const patch of filled) {
    const [left, right] = [Math.max(box.x, patch.box.x), Math.min(box.x + box.width, patch.box.x + patch.box.width)];
    const [top, bottom] = [Math.max(box.y, patch.box.y), Math.min(box.y + box.height, patch.box.y + patch.box.height)];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const from = (y - patch.box.y) * patch.box.width + x - patch.box.x;
        if (!patch.mask[from]) continue;
        const to = 4 * ((y - box.y) * box.width + x - box.x);
        for (let channel = 0; channel < 4; channel++) rgba[to + channel] = patch.rgba[4 * from + channel];
      }
    }
  }
  return rgba;
}

/** A patch as a canvas of its size, to be shown. */
function shown(patch) {
  const context = canvas(patch.box.width, patch.box.height);
  const levels = patch.rgba.slice();
  for (let index = 0; index < patch.mask.length; index++) if (!patch.mask[index]) levels[4 * index + 3] = 0;
  context.putImageData(new ImageData(levels, patch.box.width, patch.box.height), 0, 0);
  return context.canvas;
}

// Completing

let seconds = 0;

async function complete({ grow = 0, blend = null } = {}) {
  const start = performance.now();
  const { width, height } = picture;
  const whole = { x: 0, y: 0, width, height };
  const scale = Math.min(1, GROUPED_SIDE / Math.max(width, height));
  const [across, down] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const found = layerAt("mask", whole, scale, 0); // thin lines count
  if (!found.includes(1)) throw new Error("draw a hole first: where the image shall be completed");
  if (!found.includes(0)) throw new Error("the hole covers the whole image and leaves nothing to complete it from");
  const small = width * height <= network.card.sizes.largest ** 2;
  const filled = [];
  for (const group of small ? [bounds(found, across, down)] : groups(found, across, down, Math.ceil(APART * scale))) {
    const [x, y] = [Math.floor(group.x / scale), Math.floor(group.y / scale)];
    const rough = { x, y, width: Math.ceil((group.x + group.width) / scale) - x, height: Math.ceil((group.y + group.height) / scale) - y };
    const box = around(rough, grow + 2, width, height);
    const mask = holeIn(box, grow);
    const tight = bounds(mask, box.width, box.height);
    if (!tight) continue; // erased but for a breath
    const hole = { x: box.x + tight.x, y: box.y + tight.y, width: tight.width, height: tight.height };
    filled.push(await fill(hole, grow, blend || "none", filled));
  }
  if (!filled.length) throw new Error("draw a hole first: where the image shall be completed");
  patches = filled;
  seconds = Math.round((performance.now() - start) / 10) / 100;
}

/** The patch of one hole. */
async function fill(hole, grow, blend, filled) {
  const { width, height } = picture;
  const window = windowAround(hole, width, height, network.card.sizes);
  const box = around(hole, network.card.beside, width, height);
  const mask = holeIn(box, grow);
  const rgba = pixels(box, filled);
  const seen = window.scale === 1 ? wholeWindow(window, grow, filled) : smallWindow(window, grow, filled);
  if (!seen.mask.includes(0)) throw new Error("the hole covers all that the network could complete it from");
  const all = await network.draw(asSeen(seen.rgba, seen.mask, seen.width, seen.height), seen.mask, seen.edges, seen.width, seen.height);
  const near = window.scale === 1 ? cut(all, window, box, 4) : enlarged(all, seen.width, seen.height, window, box);
  let blended = BLENDINGS[blend](rgba, near, mask, box.width, box.height);
  if (network.texture) blended = await textured({ box, rgba: blended, mask }, hole, grow, filled);
  continueAlpha(blended, rgba, mask, box.width, box.height);
  return { box, rgba: blended, mask };
}

/** The pixels of a patch drawn from patches of the picture, unless lines say what belongs there. */
async function textured(patch, hole, grow, filled) {
  const window = around(hole, Math.max(TEXTURE_REACH, hole.width, hole.height), picture.width, picture.height);
  const lines = network.card.guided && layerIn("edges", patch.box).some((line, at) => line && patch.mask[at]);
  if (lines || Math.max(window.width, window.height) > TEXTURE_LARGEST) return patch.rgba;
  const [image, completed] = [pixels(window, filled), pixels(window, [...filled, patch])];
  const drawn = await network.drawTexture(image, completed, holeIn(window, grow), window.width, window.height);
  const near = cut(drawn, window, patch.box, 4);
  return patch.rgba.map((level, at) => (patch.mask[at >> 2] ? near[at] : level));
}

function wholeWindow(window, grow, filled) {
  const { width, height } = window;
  return { width, height, rgba: pixels(window, filled), mask: holeIn(window, grow), edges: layerIn("edges", window) };
}

/** A window shrunk to what the network takes; pixels beside the hole are of its colours too, and unknown. */
function smallWindow(window, grow, filled) {
  const [width, height] = [window.width, window.height].map((side) => Math.max(1, Math.round(side * window.scale)));
  const context = canvas(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture.bitmap, window.x, window.y, window.width, window.height, 0, 0, width, height);
  for (const patch of filled) {
    const [x, y] = [(patch.box.x - window.x) * window.scale, (patch.box.y - window.y) * window.scale];
    context.drawImage(shown(patch), x, y, patch.box.width * window.scale, patch.box.height * window.scale);
  }
  const rgba = context.getImageData(0, 0, width, height).data;
  const mask = grown(layerAt("mask", window, window.scale, 0), width, height, grow * window.scale + 1);
  return { width, height, rgba, mask, edges: layerAt("edges", window, window.scale, 0) };
}

// What is seen, and saved

async function view(name) {
  const { width, height, bitmap } = picture;
  const scale = Math.min(1, VIEW_SIDE / width, VIEW_SIDE / height);
  const [across, down] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas(across, down);
  context.imageSmoothingQuality = "high";
  if (name === "overlay") {
    for (const layer of ["mask", ...(network.card.guided ? ["edges"] : [])]) {
      const painted = canvas(across, down);
      paint(painted, layer, { x: 0, y: 0 }, scale, COLOURS[layer]);
      context.globalAlpha = OPACITY[layer];
      context.drawImage(painted.canvas, 0, 0);
    }
  } else {
    context.drawImage(bitmap, 0, 0, across, down);
    for (const patch of name === "completed" ? patches : []) {
      context.drawImage(shown(patch), patch.box.x * scale, patch.box.y * scale, patch.box.width * scale, patch.box.height * scale);
    }
  }
  return context.canvas.convertToBlob({ type: "image/png" });
}

async function download(name) {
  const { width, height } = picture;
  const [what, ending] = name.split(".");
  if (what !== "completed") {
    const rows = (y, count) => layerIn(what, { x: 0, y, width, height: count }).map((value) => 255 * value);
    return encodePng(width, height, 1, rows);
  }
  if (ending === "png") return encodePng(width, height, ...rowsOfCompleted(), picture.exact?.chunks);
  const context = canvas(width, height);
  context.drawImage(picture.bitmap, 0, 0);
  for (const { box } of patches) context.putImageData(new ImageData(pixels(box, patches), box.width, box.height), box.x, box.y);
  const type = { jpg: "image/jpeg", webp: "image/webp" }[ending];
  const blob = await context.canvas.convertToBlob({ type, quality: ending === "jpg" ? 0.95 : 1 }).catch(() => null);
  if (blob?.type !== type) throw new Error(`this browser does not write ${type} of this size: save a PNG`);
  return blob;
}

/** [channels, rows] of the completed picture for `encodePng`. */
function rowsOfCompleted() {
  const { width } = picture;
  const rgba = (y, count) => pixels({ x: 0, y, width, height: count }, patches);
  if (picture.exact || (picture.type !== "image/jpeg" && hasAlpha())) return [4, rgba];
  return [3, (y, count) => {
    const [from, result] = [rgba(y, count), new Uint8Array(3 * width * count)];
    for (let index = 0, at = 0; index < from.length; index += 4) {
      result[at++] = from[index];
      result[at++] = from[index + 1];
      result[at++] = from[index + 2];
    }
    return result;
  }];
}

function hasAlpha() {
  const { width, height, bitmap } = picture;
  for (let y = 0; y < height; y += 256) {
    const levels = pixelsOf(bitmap, { x: 0, y, width, height: Math.min(256, height - y) });
    for (let at = 3; at < levels.length; at += 4) if (levels[at] < 255) return true;
  }
  return false;
}
