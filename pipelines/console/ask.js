// Requests to the API.

/** An error that the server answered, with its code and the position in the statement. */
export class Refused extends Error {
  constructor(status, { code, message, position }) {
    super(message);
    Object.assign(this, { status, code, position });
  }
}

/** Whether an error means that the server is not there. */
export const isGone = (error) => error instanceof TypeError;

async function answered(response) {
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let problem = { code: String(response.status), message: `the server answered ${response.status}` };
  try {
    problem = JSON.parse(text);
  } catch {
    // A proxy between us may answer in another form.
  }
  throw new Refused(response.status, problem);
}

export const get = async (path) => answered(await fetch(path));

/** The rows of a panel. */
export const panel = (name, values = {}) => {
  const query = new URLSearchParams(values).toString();
  return get(`/api/panels/${name}${query && `?${query}`}`);
};

/** The rows of a statement. */
export const statement = async (text, signal) =>
  answered(await fetch("/api/sql", { method: "POST", headers: { "Content-Type": "application/sql" }, body: text, signal }));

/** Proves the files. */
export const verify = async () =>
  answered(await fetch("/api/verify", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }));
