/** PNG files written row by row: no canvas as large as the picture; and transparent ones read, without premultiplying. */

const CRC = new Uint32Array(256).map((_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 };
const STRIP_BYTES = 1 << 22;

/**
 * A PNG.
 * @param {number} width
 * @param {number} height
 * @param {number} channels 1, 3 or 4
 * @param {(first: number, count: number) => Uint8Array} rows gives rows, count * width * channels levels
 * @param {Array<[string, Uint8Array]>} chunks further ones, such as a colour profile
 * @returns {Promise<Blob>}
 */
export async function encodePng(width, height, channels, rows, chunks = []) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, COLOUR_TYPES[channels]);
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), ...chunk("IHDR", new Uint8Array(header.buffer))];
  for (const [name, data] of chunks) parts.push(...chunk(name, data));
  const stream = new CompressionStream("deflate");
  const writing = write(stream.writable.getWriter(), width, height, channels, rows);
  const reader = stream.readable.getReader();
  for (let read; !(read = await reader.read()).done; ) parts.push(...chunk("IDAT", read.value));
  await writing;
  return new Blob([...parts, ...chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

async function write(writer, width, height, channels, rows) {
  const length = width * channels;
  const most = Math.max(1, Math.floor(STRIP_BYTES / length));
  let above = new Uint8Array(length);
  for (let first = 0; first < height; first += most) {
    const count = Math.min(most, height - first);
    const levels = await rows(first, count);
    const filtered = new Uint8Array(count * (length + 1));
    for (let row = 0; row < count; row++) {
      const line = levels.subarray(row * length, (row + 1) * length);
      filtered[row * (length + 1)] = 4;
      paeth(line, above, channels, filtered, row * (length + 1) + 1);
      above = line;
    }
    await writer.write(filtered);
  }
  await writer.close();
}

function paeth(line, above, channels, out, at) {
  for (let index = 0; index < line.length; index++) {
    const left = index < channels ? 0 : line[index - channels];
    const corner = index < channels ? 0 : above[index - channels];
    out[at + index] = line[index] - predicted(left, above[index], corner);
  }
}

/**
 * The levels of a PNG file with alpha, which a canvas would round; null of any other file, and of forms that are left to
 * the browser: 16 bits, palettes, interlaced.
 * @param {Blob} file
 * @returns {Promise<{width: number, height: number, rgba: Uint8ClampedArray, chunks: Array<[string, Uint8Array]>} | null>}
 */
export async function decodePng(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  if (bytes.length < 33 || view.getUint32(0) !== 0x89504e47) return null;
  const [width, height, depth, type, interlaced] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25], bytes[28]];
  if (depth !== 8 || interlaced || (type !== 6 && type !== 4)) return null;
  const [parts, chunks] = [[], []];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const [length, name] = [view.getUint32(at), String.fromCharCode(...bytes.subarray(at + 4, at + 8))];
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (name === "IDAT") parts.push(data);
    else if (KEPT.has(name)) chunks.push([name, data.slice()]);
    at += 12 + length;
  }
  const channels = type === 6 ? 4 : 2;
  const rgba = new Uint8ClampedArray(4 * width * height);
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const line = new Uint8Array(width * channels + 1);
  let above = new Uint8Array(width * channels);
  let [filled, y] = [0, 0];
  for (let read; y < height && !(read = await reader.read()).done; ) {
    for (let at = 0; at < read.value.length && y < height; ) {
      const count = Math.min(line.length - filled, read.value.length - at);
      line.set(read.value.subarray(at, at + count), filled);
      [filled, at] = [filled + count, at + count];
      if (filled < line.length) continue;
      above = unfiltered(line[0], line.subarray(1), above, channels);
      for (let x = 0; x < width; x++) {
        for (let channel = 0; channel < 4; channel++) {
          rgba[4 * (y * width + x) + channel] = above[channels * x + (channels === 4 ? channel : channel === 3 ? 1 : 0)];
        }
      }
      [filled, y] = [0, y + 1];
    }
  }
  return y < height ? null : { width, height, rgba, chunks };
}

const KEPT = new Set(["iCCP", "gAMA", "cHRM", "sRGB", "pHYs"]);

function unfiltered(kind, line, above, channels) {
  const result = new Uint8Array(line.length);
  for (let index = 0; index < line.length; index++) {
    const left = index < channels ? 0 : result[index - channels];
    const corner = index < channels ? 0 : above[index - channels];
    const up = above[index];
    let guess = 0;
    if (kind === 1) guess = left;
    else if (kind === 2) guess = up;
    else if (kind === 3) guess = (left + up) >> 1;
    else if (kind === 4) guess = predicted(left, up, corner);
    result[index] = line[index] + guess;
  }
  return result;
}

/** Paeth's predictor. */
function predicted(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

function chunk(name, data) {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, data.length);
  for (let index = 0; index < 4; index++) head[4 + index] = name.charCodeAt(index);
  let crc = -1;
  for (const bytes of [head.subarray(4), data]) for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, ~crc);
  return [head, data, tail];
}
