/**
 * The models of a static folder, run by ONNX Runtime Web: the network by WebGPU where that agrees with the card, else by
 * WASM; what draws textures, which is loops and searches, by WASM.
 */

const GPU_LEVELS = 2; // by which WebGPU may differ from the card's example

export class Network {
  /** Loads `card.json` and what it names, each held to its checksum, from the folder at `root`. */
  static async open(root) {
    const card = await (await fetched("card.json", root)).json();
    const model = await (await fetched(card.model.file, root, card.model.integrity)).arrayBuffer();
    const gpu = await self.navigator.gpu?.requestAdapter().catch(() => null);
    const kinds = gpu ? ["webgpu", "wasm"] : ["wasm"];
    for (const kind of kinds) {
      try {
        const network = new Network(card, await session(kind, card.runtime, model, root));
        if (kind === "wasm" || (await network.#agrees())) {
          const texture = card.texture && (await network.#textures(root));
          return Object.assign(network, { kind, texture });
        }
      } catch (error) {
        if (kind === "wasm") throw error;
        console.info(`no WebGPU: ${error.message}`);
      }
    }
  }

  constructor(card, { ort, session }) {
    Object.assign(this, { card, ort, session });
  }

  /**
   * What the network draws, RGBA, right in the hole and some pixels around it.
   * @param {Uint8ClampedArray} rgba
   * @param {Uint8Array} mask 1 = hole
   * @param {Uint8Array} edges 1 = line, of guided models
   */
  async draw(rgba, mask, edges, width, height) {
    const tensor = (levels, depth) => new this.ort.Tensor("uint8", levels, [1, height, width, depth]);
    const inputs = { image: tensor(colours(rgba), 3), mask: tensor(mask.map((hole) => 255 * hole), 1) };
    if (this.card.guided) inputs.edges = tensor(edges.map((line) => 255 * line), 1);
    return opaque((await this.session.run(inputs)).drawn.data);
  }

  /** Holes of a completed picture drawn anew from patches of it: RGBA, right in the holes. */
  async drawTexture(rgba, completed, mask, width, height) {
    const tensor = (levels, ...depth) => new this.ort.Tensor("uint8", levels, [height, width, ...depth]);
    const inputs = { image: tensor(colours(rgba), 3), completed: tensor(colours(completed), 3), mask: tensor(mask.map((hole) => 255 * hole)) };
    return opaque((await this.texture.run(inputs)).drawn.data);
  }

  async #textures(root) {
    const { file, integrity } = this.card.texture;
    const model = await (await fetched(file, root, integrity)).arrayBuffer();
    return this.ort.InferenceSession.create(model, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  }

  async #agrees() {
    const { side, hole, levels } = this.card.example;
    const expected = Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
    const { rgba, mask } = example(side, hole);
    const drawn = await this.draw(rgba, mask, new Uint8Array(mask.length), side, side);
    let at = 0;
    for (let index = 0; index < mask.length; index++) {
      for (let channel = 0; mask[index] && channel < 3; channel++) {
        if (Math.abs(drawn[4 * index + channel] - expected[at++]) > GPU_LEVELS) return false;
      }
    }
    return at === expected.length;
  }
}

/** RGB of RGBA. */
function colours(rgba) {
  const result = new Uint8Array((rgba.length / 4) * 3);
  for (let index = 0, at = 0; index < rgba.length; index++) if (index % 4 !== 3) result[at++] = rgba[index];
  return result;
}

/** RGBA of RGB. */
function opaque(rgb) {
  const result = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let index = 0, at = 0; index < rgb.length; index++, at++) {
    if (at % 4 === 3) at++;
    result[at] = rgb[index];
  }
  return result;
}

/** The picture and the hole of the card's example, as `tf_inpaint.demo.site` makes them. */
export function example(side, [first, end]) {
  const rgba = new Uint8ClampedArray(4 * side * side).fill(255);
  const mask = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let channel = 0; channel < 3; channel++) rgba[4 * (y * side + x) + channel] = (3 * x + 2 * y + 40 * channel + 6 * ((x * y) % 11)) % 256;
      mask[y * side + x] = x >= first && x < end && y >= first && y < end ? 1 : 0;
    }
  }
  return { rgba, mask };
}

async function fetched(path, root, integrity) {
  const answer = await fetch(new URL(path, root), integrity ? { integrity } : {}).catch((error) => {
    throw new Error(`${path} could not be loaded, or is not the file that the card names (${error.message})`);
  });
  if (!answer.ok) throw new Error(`${path} could not be loaded: ${answer.status} ${answer.statusText}`);
  return answer;
}

async function session(kind, runtime, model, root) {
  const base = new URL(runtime.base, root);
  const files = runtime.kinds[kind].map((name) => fetched(name, base, runtime.integrity[name]));
  const [script, binary] = await Promise.all(files.map(async (file) => (await file).arrayBuffer()));
  const ort = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  const options = { executionProviders: [kind], graphOptimizationLevel: "all" };
  return { ort, session: await ort.InferenceSession.create(model, options) };
}
