/**
 * What of a file is the hole, as `tf_inpaint.io.holes` finds it by itself, and what are lines, as `io.images.read_mask`
 * does: each pixel counts as its brightest channel, and alpha counts where it varies.
 */

const NEAR = 12; // levels around a colour that count as it
const SETTLED = 0.9; // of the pixels have one of a few colours: a mask
const SOFT = 0.65; // of the pixels, at least, in a mask of a soft brush
const FEW_COLOURS = 16; // a map of painted regions has no more
const STROKE = 0.002; // of the pixels: paint that somebody meant
const MOST_COVERED = 0.9; // of the pixels by a hole that somebody meant
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

/** What is strange about a file that `holesOf` takes, in the words of `tf_inpaint.io.holes`; null where nothing is. */
export function warningOf(file, level) {
  if (!isLayer(file)) return file.spread ? darkPaint(file, level) : between(file, level);
  if (!isPlain(file) && file.spread <= 2 * NEAR) return "is a layer of light and dark paint, of which the dark counts as known";
  const faint = sum(file.alpha.map((value) => (value > NEAR && value <= level ? 1 : 0)));
  return faint > 0.5 * file.painted ? `has ${faint.toLocaleString("en")} pixels of faint paint, which count as known` : null;
}

/** What is strange about how much is marked; null where nothing is. */
export function strangeCover(marked) {
  const cover = sum(marked) / marked.length;
  if (cover === 0) return "marks no hole";
  if (cover === 1) return "covers the whole image and leaves nothing to complete it from";
  return cover > MOST_COVERED ? `covers ${Math.round(100 * cover)}% of the image: inverted?` : null;
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
  const { seen, near } = levelsOf(brightest, level);
  if (seen.length > 1 && seen[seen.length - 1] <= level) throw new Error(`the mask is dark all over: a hole is above ${level}`);
  const grey = !spread;
  if (seen.length === 1 || (grey && seen.length === 2)) return;
  if ((grey ? near : frequent(colours)) < (grey ? SOFT : SETTLED) * brightest.length) throw new Error("the mask looks like no mask: most of it must have two levels, or be paint on a plain or transparent ground");
}

/** Which levels there are, the most frequent below and above one, or -1, and how many pixels are near these. */
function levelsOf(brightest, level) {
  const counts = new Uint32Array(256);
  for (const value of brightest) counts[value]++;
  const poles = [counts.subarray(0, level + 1), counts.subarray(level + 1)].map((side, upper) => {
    const most = side.reduce((one, other) => Math.max(one, other), 0);
    return most ? upper * (level + 1) + side.indexOf(most) : -1;
  });
  const near = sum(poles.map((pole) => (pole < 0 ? 0 : sum(counts.subarray(Math.max(0, pole - NEAR), pole + NEAR + 1)))));
  return { seen: [...counts.keys()].filter((value) => counts[value]), poles, near };
}

/** Of grey levels, few of which are near the two that stand out. */
function between({ brightest }, level) {
  const { seen, poles, near } = levelsOf(brightest, level);
  const settled = near / brightest.length;
  const blackAndWhite = poles[0] >= 0 && poles[0] < 32 && poles[1] > 223;
  if (seen.length <= 2 || settled >= SETTLED || blackAndWhite) return null;
  return `has ${Math.round(100 * (1 - settled))}% of its pixels between its two levels`;
}

/** Of paint that counts as known: frequent dark colours off the line from the ground to the paint, where soft rims lie. */
function darkPaint({ colours, brightest }, level) {
  const isLight = (index) => Math.max(index >> 10, (index >> 5) & 31, index & 31) * 8 + 7 > level;
  const colourOf = (index) => [index >> 10, (index >> 5) & 31, index & 31].map((step) => (step * 255) / 31);
  const found = [...colours.keys()].filter((index) => colours[index]).sort((one, other) => colours[other] - colours[one]);
  const [light, dark] = [true, false].map((side) => colourOf(found.find((index) => isLight(index) === side) ?? 0));
  const missed = found.slice(0, FEW_COLOURS).filter((index) => !isLight(index) && colours[index] > STROKE * brightest.length && offLine(colourOf(index), dark, light) > 3 * NEAR);
  const shades = missed.slice(0, 3).map((index) => `(${colourOf(index).map(Math.round).join(", ")})`);
  return missed.length ? `has dark paint, about ${shades.join(", ")}, which counts as known` : null;
}

/** How far a colour lies from the line between two others. */
function offLine(colour, first, last) {
  const along = last.map((value, channel) => value - first[channel]);
  const dot = (one, other) => sum(one.map((value, channel) => value * other[channel]));
  const place = Math.min(1, Math.max(0, dot(colour.map((value, channel) => value - first[channel]), along) / Math.max(1, dot(along, along))));
  return Math.max(...colour.map((value, channel) => Math.abs(value - first[channel] - place * along[channel])));
}
