/** The engine that asks the server of `guided_demo.py --web`; its sentences are shown as they are. */

export const blendings = null; // all that the page offers
export const largest = 32 << 20; // bytes of an upload

export async function open() {}

export async function request(path, body) {
  const headers = { "X-Requested-With": "tf_inpaint" };
  if (body !== undefined && !(body instanceof Blob)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const method = path === "/api/state" ? "GET" : "POST";
  const answer = await fetch(path, { method, headers, body });
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(data.error || `the server answers ${answer.status} ${answer.statusText}`);
  return data;
}

/** The address of an image that is shown. */
export const view = async (name, revision) => `/api/view/${name}.png?${revision}-${Date.now()}`;

/** The address of a file to save. */
export const download = async (name) => `/api/${name}`;
