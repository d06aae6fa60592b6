/**
 * Holes as arrays, as `tf_inpaint.ops.holes` has them: Uint8Array [height * width], 1 = hole. Pictures are RGBA.
 * A box is {x, y, width, height}.
 */

const FAR = 1e20;

/** Index of the nearest marked place of every place, by exact Euclidean distance; -1 where none is marked. */
export function nearest(marked, width, height) {
  const row = new Int32Array(width * height); // of the nearest marked place in the same column
  for (let x = 0; x < width; x++) {
    let last = -1;
    for (let y = 0; y < height; y++) row[y * width + x] = last = marked[y * width + x] ? y : last;
    last = -1;
    for (let y = height - 1; y >= 0; y--) {
      const at = y * width + x;
      if (marked[at]) last = y;
      if (last >= 0 && (row[at] < 0 || last - y < y - row[at])) row[at] = last;
    }
  }
  const result = new Int32Array(width * height);
  const columns = new Int32Array(width); // of the parabolas of the lower envelope
  const starts = new Float64Array(width + 1);
  for (let y = 0; y < height; y++) {
    const squared = (x) => (row[y * width + x] - y) ** 2;
    let count = 0;
    for (let x = 0; x < width; x++) {
      if (row[y * width + x] < 0) continue;
      let start = -FAR;
      while (count) {
        const other = columns[count - 1];
        start = (squared(x) + x * x - squared(other) - other * other) / (2 * (x - other));
        if (start > starts[count - 1]) break;
        count--;
        start = -FAR;
      }
      columns[count] = x;
      starts[count++] = start;
    }
    for (let x = 0, of = 0; x < width; x++) {
      while (of + 1 < count && starts[of + 1] <= x) of++;
      result[y * width + x] = count ? row[y * width + columns[of]] * width + columns[of] : -1;
    }
  }
  return result;
}

const distance = (index, other, width) => Math.hypot((index % width) - (other % width), Math.floor(index / width) - Math.floor(other / width));

/** A mask with so many pixels more on each side. */
export function grown(mask, width, height, pixels) {
  if (!pixels) return mask;
  const sources = nearest(mask, width, height);
  return mask.map((_, index) => (sources[index] >= 0 && distance(index, sources[index], width) <= pixels ? 1 : 0));
}

/** The box around what is marked, or null. */
export function bounds(mask, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    const first = mask.subarray(y * width, (y + 1) * width).indexOf(1);
    if (first < 0) continue;
    left = Math.min(left, first);
    right = Math.max(right, mask.subarray(y * width, (y + 1) * width).lastIndexOf(1));
    top = Math.min(top, y);
    bottom = y;
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** Boxes of groups of holes that lie at least `gap` pixels apart. */
export function groups(mask, width, height, gap) {
  const cell = Math.max(1, Math.floor(gap / 2));
  const [columns, rows] = [Math.ceil(width / cell), Math.ceil(height / cell)];
  const cells = new Uint8Array(columns * rows);
  for (let index = mask.indexOf(1); index >= 0; index = mask.indexOf(1, index + 1)) {
    cells[Math.floor(Math.floor(index / width) / cell) * columns + Math.floor((index % width) / cell)] = 1;
  }
  const found = [];
  for (let start = cells.indexOf(1); start >= 0; start = cells.indexOf(1)) {
    const group = new Uint8Array(cells.length);
    const reached = [start];
    cells[start] = 0;
    while (reached.length) {
      const at = reached.pop();
      group[at] = 1;
      for (let dy = -2; dy <= 2; dy++) {
        for (let dx = -2; dx <= 2; dx++) {
          const [x, y] = [(at % columns) + dx, Math.floor(at / columns) + dy];
          if (x < 0 || y < 0 || x >= columns || y >= rows || !cells[y * columns + x]) continue;
          cells[y * columns + x] = 0;
          reached.push(y * columns + x);
        }
      }
    }
    const box = bounds(group, columns, rows);
    const [x, y] = [box.x * cell, box.y * cell];
    found.push({ x, y, width: Math.min(width - x, box.width * cell), height: Math.min(height - y, box.height * cell) });
  }
  return found;
}

/** A box with a margin, within a picture. */
export function around(box, margin, width, height) {
  const [x, y] = [Math.max(0, box.x - margin), Math.max(0, box.y - margin)];
  return { x, y, width: Math.min(width, box.x + box.width + margin) - x, height: Math.min(height, box.y + box.height + margin) - y };
}

/**
 * What a network sees for a hole: the window and by how much it is shrunk. Small pictures are seen whole; of others the
 * hole takes half of the window at most, which is shrunk beyond `sizes.largest`.
 */
export function windowAround(box, width, height, sizes) {
  if (width * height <= sizes.largest ** 2) return { x: 0, y: 0, width, height, scale: 1 };
  const side = Math.max(sizes.window, 2 * Math.max(box.width, box.height));
  const place = (first, length, whole) => {
    const size = Math.min(side, whole);
    return [Math.max(0, Math.min(Math.round(first + length / 2 - size / 2), whole - size)), size];
  };
  const [x, across] = place(box.x, box.width, width);
  const [y, down] = place(box.y, box.height, height);
  return { x, y, width: across, height: down, scale: Math.min(1, sizes.largest / Math.max(across, down)) };
}

/** A rectangle of an RGBA picture, enlarged bilinearly from one that shows `window` smaller. */
export function enlarged(small, smallWidth, smallHeight, window, box) {
  const result = new Uint8ClampedArray(4 * box.width * box.height);
  const [across, down] = [smallWidth / window.width, smallHeight / window.height];
  for (let y = 0, at = 0; y < box.height; y++) {
    const sourceY = Math.max(0, Math.min(smallHeight - 1, (box.y - window.y + y + 0.5) * down - 0.5));
    const top = Math.min(smallHeight - 1, Math.floor(sourceY));
    const bottom = Math.min(smallHeight - 1, top + 1);
    for (let x = 0; x < box.width; x++) {
      const sourceX = Math.max(0, Math.min(smallWidth - 1, (box.x - window.x + x + 0.5) * across - 0.5));
      const left = Math.floor(sourceX);
      const right = Math.min(smallWidth - 1, left + 1);
      const [partX, partY] = [sourceX - left, sourceY - top];
      for (let channel = 0; channel < 4; channel++) {
        const value = (row, column) => small[4 * (row * smallWidth + column) + channel];
        const above = value(top, left) * (1 - partX) + value(top, right) * partX;
        const below = value(bottom, left) * (1 - partX) + value(bottom, right) * partX;
        result[at++] = above * (1 - partY) + below * partY;
      }
    }
  }
  return result;
}

/** A picture as a network is shown it: transparent pixels have the colour of the nearest known one that is seen. */
export function asSeen(rgba, mask, width, height) {
  let hidden = false;
  for (let at = 3; at < rgba.length && !hidden; at += 4) hidden = rgba[at] === 0;
  if (!hidden) return rgba;
  const sources = nearest(mask.map((hole, index) => (!hole && rgba[4 * index + 3] ? 1 : 0)), width, height);
  const result = rgba.slice();
  for (let index = 0; index < mask.length; index++) {
    if (rgba[4 * index + 3] || sources[index] < 0) continue;
    for (let channel = 0; channel < 3; channel++) result[4 * index + channel] = rgba[4 * sources[index] + channel];
  }
  return result;
}

/** Gives the hole of `drawn` the alpha of the nearest known pixel. */
export function continueAlpha(drawn, rgba, mask, width, height) {
  const sources = nearest(mask.map((hole) => 1 - hole), width, height);
  for (let index = 0; index < mask.length; index++) {
    if (mask[index]) drawn[4 * index + 3] = sources[index] < 0 ? 255 : rgba[4 * sources[index] + 3];
  }
}

/** `feather` of `tf_inpaint.ops.holes`: what is drawn is off by beside the hole fades out over `fade` pixels into it. */
export function feather(rgba, drawn, mask, width, height, fade = 16) {
  const known = mask.map((hole) => 1 - hole);
  const sources = nearest(known, width, height);
  if (!known.includes(1)) return drawn;
  const off = offBeside(rgba, drawn, known, width, height);
  const result = drawn.slice();
  for (let index = 0; index < mask.length; index++) {
    if (!mask[index]) continue;
    const strength = Math.max(0, 1 - distance(index, sources[index], width) / fade);
    if (strength) for (let channel = 0; channel < 3; channel++) result[4 * index + channel] = Math.round(drawn[4 * index + channel] + strength * off(sources[index], channel));
  }
  return result;
}

/** By how much known pixels differ from what is drawn of them, means over 7 x 7, as a function of (index, channel). */
function offBeside(rgba, drawn, known, width, height) {
  const reflected = (at, size) => Math.max(0, Math.min(size - 1, at < 0 ? -1 - at : at >= size ? 2 * size - 1 - at : at));
  const found = new Map();
  return (index, channel) => {
    if (!found.has(index)) {
      const sum = [0, 0, 0, 0];
      for (let dy = -3; dy <= 3; dy++) {
        for (let dx = -3; dx <= 3; dx++) {
          const at = reflected(Math.floor(index / width) + dy, height) * width + reflected((index % width) + dx, width);
          if (!known[at]) continue;
          sum[3]++;
          for (let colour = 0; colour < 3; colour++) sum[colour] += rgba[4 * at + colour] - drawn[4 * at + colour];
        }
      }
      found.set(index, sum.map((value) => value / sum[3]));
    }
    return found.get(index)[channel];
  };
}

/**
 * Poisson blending: the hole keeps the gradients of what is drawn and takes on the levels beside it, that is, what
 * drawn pixels are off by at the rim is continued into the hole as a harmonic function.
 */
export function poisson(rgba, drawn, mask, width, height) {
  if (!mask.includes(0)) return drawn;
  const result = drawn.slice();
  for (let channel = 0; channel < 3; channel++) {
    const off = new Float32Array(mask.length);
    for (let index = 0; index < mask.length; index++) if (!mask[index]) off[index] = rgba[4 * index + channel] - drawn[4 * index + channel];
    harmonic(off, mask, width, height);
    for (let index = 0; index < mask.length; index++) if (mask[index]) result[4 * index + channel] = Math.round(drawn[4 * index + channel] + off[index]);
  }
  return result;
}

/** Fills the hole of values by a harmonic function of those beside it: begun on half the size, relaxed on this one. */
export function harmonic(values, mask, width, height, sweeps = 60, relaxation = 1.8) {
  if (!mask.includes(1)) return;
  const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  if (Math.min(width, height) > 2) {
    const half = new Float32Array(halfWidth * halfHeight);
    const count = new Float32Array(half.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (mask[y * width + x]) continue;
        half[(y >> 1) * halfWidth + (x >> 1)] += values[y * width + x];
        count[(y >> 1) * halfWidth + (x >> 1)]++;
      }
    }
    const unknown = new Uint8Array(half.length);
    for (let index = 0; index < half.length; index++) {
      if (count[index]) half[index] /= count[index];
      else unknown[index] = 1;
    }
    harmonic(half, unknown, halfWidth, halfHeight, sweeps, relaxation);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) if (mask[y * width + x]) values[y * width + x] = half[(y >> 1) * halfWidth + (x >> 1)];
    }
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        if (!mask[at]) continue;
        let sum = 0;
        let neighbours = 0;
        if (x) (sum += values[at - 1]), neighbours++;
        if (y) (sum += values[at - width]), neighbours++;
        if (x + 1 < width) (sum += values[at + 1]), neighbours++;
        if (y + 1 < height) (sum += values[at + width]), neighbours++;
        if (neighbours) values[at] += relaxation * (sum / neighbours - values[at]);
      }
    }
  }
}

export const BLENDINGS = { none: (_, drawn) => drawn, feather, poisson };
