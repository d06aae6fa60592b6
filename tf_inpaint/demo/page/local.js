/** The engine of a static folder: session and network live in a worker, and nothing leaves the machine. */

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
const shown = {}; // addresses of views, by name
let count = 0;

worker.onmessage = ({ data: { id, value, error } }) => {
  const [resolve, reject] = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(value);
};

worker.onerror = (event) => {
  for (const [, reject] of waiting.values()) reject(new Error(`this browser cannot run the page: ${event.message || "its worker did not start"}`));
  waiting.clear();
};

function ask(...message) {
  return new Promise((resolve, reject) => {
    waiting.set(++count, [resolve, reject]);
    worker.postMessage([count, ...message]);
  });
}

export const blendings = ["none", "feather", "poisson"];
export const largest = Infinity; // bytes of a file

export async function open() {
  if ("serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register("service_worker.js").catch((error) => console.info(`not offline: ${error.message}`));
  }
  return ask("open");
}

export const request = (path, body) => ask("request", path, body);

export async function view(name) {
  const blob = await ask("view", name);
  if (shown[name]) URL.revokeObjectURL(shown[name]);
  return (shown[name] = URL.createObjectURL(blob));
}

export async function download(name) {
  const address = URL.createObjectURL(await ask("download", name));
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  return address;
}
