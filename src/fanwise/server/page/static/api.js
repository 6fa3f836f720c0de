// Requests to this server. A session is a cookie that scripts can't read and a key that no other
// page can send; both go along with every request.

const root = document.documentElement.dataset;

/** The path in front of all paths of this server, with a slash at its end. */
export const base = root.base;

const KEY = `fanwise-key:${base}`;

export const session = {
  get key() { return localStorage.getItem(KEY); },
  set key(key) { key ? localStorage.setItem(KEY, key) : localStorage.removeItem(KEY); },
};

/** A request that was refused, or that couldn't be made (status 0), in words for people. */
export class Problem extends Error {
  constructor(status, told = {}) {
    super(told.detail || told.title || "The server can't be reached.");
    this.status = status;
    this.code = told.code || "";
    this.hint = told.hint || "";
    this.problems = told.problems || [];
    this.told = told;
  }
}

/** The answer to what `early.js` has asked for, which is taken once. */
function begun(path) {
  const { early } = globalThis;
  delete globalThis.early;
  return early?.path === path ? early.answer : undefined;
}

/** Send a request to a path of this server. Raises `Problem`. */
export async function send(path, { method = "GET", body, headers = {}, signal } = {}) {
  const given = { "X-Fanwise-Key": session.key || "", ...headers };
  if (body !== undefined) given["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await (begun(path) ?? fetch(base + path, {
      method, signal, headers: given, cache: "no-store", credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    }));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
  if (answer.ok) return answer;
  let told = {};
  try { told = await answer.json(); } catch { told = { title: answer.statusText }; }
  throw new Problem(answer.status, told);
}

/** Send a request to the API, and return its answer. */
export async function call(path, options) {
  const answer = await send(`api/v1/${path}`, options);
  return answer.status === 204 ? null : answer.json();
}

/** Take the ticket of the address, or a token, for a session. */
export async function signIn(given) {
  const path = given.ticket ? "session/ticket" : "session";
  session.key = (await call(path, { method: "POST", body: given })).key;
}

export async function signOut() {
  try { await call("session", { method: "DELETE" }); } finally { session.key = null; }
}
