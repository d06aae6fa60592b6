/**
 * What of a file is the hole, as `tf_inpaint.io.holes` finds it by itself, and what are lines, as `io.images.read_mask`
 * does: each pixel counts as its brightest channel, and alpha counts where it varies.
 */

const NEAR = 12; // levels around a colour that count as it
const SETTLED = 0.9; // of the pixels have one of a few colours: a mask
const SOFT = 0.65; // of the pixels, at least, in a mask of a soft brush
const FEW_COLOURS = 16; // a map of painted regions has no more
const ROWS = 256; // looked at at a time

/**
 * What a file holds: for each pixel its brightest channel and alpha, and which colours there are of paint, which is
 * what is more opaque than a level. `rows(y, count)` gives RGBA.
 */
export function survey(rows, width, height, level) {
  const found = {
    brightest: new Uint8Array(width * height),
    alpha: new Uint8Array(width * height),
    colours: new Uint32Array(32768), // how often they occur, in steps of 8 levels
    low: [255, 255, 255],
    high: [0, 0, 0],
    spread: 0, // between the channels of a pixel, at most
    painted: 0,
  };
  for (let y = 0, at = 0; y < height; y += ROWS) {
    const rgba = rows(y, Math.min(ROWS, height - y));
    for (let from = 0; from < rgba.length; from += 4, at++) {
      const [red, green, blue] = [rgba[from], rgba[from + 1], rgba[from + 2]];
      const most = Math.max(red, green, blue);
      found.brightest[at] = most;
      found.alpha[at] = rgba[from + 3];
      if (rgba[from + 3] <= level) continue;
      found.painted++;
      found.colours[((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3)]++;
      found.spread = Math.max(found.spread, most - Math.min(red, green, blue));
      for (let channel = 0; channel < 3; channel++) {
        found.low[channel] = Math.min(found.low[channel], rgba[from + channel]);
        found.high[channel] = Math.max(found.high[channel], rgba[from + channel]);
      }
    }
  }
  return found;
}

/** The hole of a file: Uint8Array, 1 = hole; an Error where it looks like no mask. */
export function holesOf(file, level) {
  if (!isLayer(file)) {
    checkLevels(file, level);
    return above(file.brightest, level);
  }
  if (!file.painted) throw new Error("the mask is translucent: its paint must be more than half opaque");
  if (isPlain(file)) return above(file.alpha, level);
  if (frequent(file.colours) < SETTLED * file.painted) throw new Error("the mask is a photograph with transparent parts: paint the hole on a transparent layer");
  return above(file.spread > 2 * NEAR ? file.alpha : covered(file), level); // among colours no black could mean "not here"
}

/** The lines of a file: Uint8Array, 1 = line. */
export function linesOf(file, level) {
  if (!isLayer(file)) return above(file.brightest, level);
  return above(!file.painted || isPlain(file) ? file.alpha : covered(file), level);
}

const above = (levels, level) => levels.map((value) => (value > level ? 1 : 0));
const isLayer = ({ alpha }) => alpha.some((value) => value !== alpha[0]);
const isPlain = ({ low, high }) => high.every((level, channel) => level - low[channel] <= 2 * NEAR);
const covered = ({ brightest, alpha }) => brightest.map((level, at) => Math.floor((level * alpha[at]) / 255));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const frequent = (counts) => sum(counts.slice().sort().subarray(-FEW_COLOURS));

function checkLevels({ brightest, colours, spread }, level) {
  const counts = new Uint32Array(256);
  for (const value of brightest) counts[value]++;
  const seen = [...counts.keys()].filter((value) => counts[value]);
  if (seen.length > 1 && seen[seen.length - 1] <= level) throw new Error(`the mask is dark all over: a hole is above ${level}`);
  const grey = !spread;
  if (seen.length === 1 || (grey && seen.length === 2)) return;
  const near = grey ? sum([counts.subarray(0, level + 1), counts.subarray(level + 1)].map((side, upper) => {
    const pole = upper * (level + 1) + side.indexOf(side.reduce((most, count) => Math.max(most, count), 0));
    return side.some((count) => count) ? sum(counts.subarray(Math.max(0, pole - NEAR), pole + NEAR + 1)) : 0;
  })) : frequent(colours);
  if (near < (grey ? SOFT : SETTLED) * brightest.length) throw new Error("the mask looks like no mask: most of it must have two levels, or be paint on a plain or transparent ground");
}
