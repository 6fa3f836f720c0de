// One stream a tab: the server sends the page's fragment again when it has changed. A tab that isn't
// looked at hangs up, since a browser has six connections to a server; a stream that breaks is tried
// again, and meanwhile the page says how it stands.

import { Problem, send } from "./api.js";
import { now } from "./times.js";

const FIRST_WAIT_S = 1, LONGEST_WAIT_S = 10, FIRST_SILENCE_S = 8, SILENCE_S = 40, POLL_AFTER = 2;
let watched = null;

/** Follow a page until `hangUp`. `live` is the query that its stream has, undefined for none; `tag` is
    that of what is shown, which the server needn't send. */
export function follow({ path, live, tag }, page) {
  hangUp();
  if (live === undefined) return page.tell("", "");
  watched = { path, live, tag, page, failures: 0, stop: null, timer: 0 };
  if (!document.hidden) connect(watched);
}

export function hangUp() {
  if (!watched) return;
  clearTimeout(watched.timer);
  watched.stop?.abort();
  watched = null;
}

async function connect(mine) {
  const stop = new AbortController();
  mine.stop = stop;
  let silence;
  const heard = (patience) => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(), patience * 1000);
  };
  try {
    heard(FIRST_SILENCE_S); // a proxy that holds streams back lets nothing through
    const query = mine.path.includes("?") ? `&${mine.live}` : `?${mine.live}`;
    const headers = { Accept: "text/event-stream", ...(mine.tag && { "If-None-Match": mine.tag }) };
    mine.tag = null; // what comes from now on is newer
    const answer = await send(mine.path + (mine.live ? query : ""), { headers, signal: stop.signal });
    const lines = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "";
    for (;;) {
      const { value, done } = await lines.read();
      if (done) break;
      heard(SILENCE_S);
      held += value;
      let end;
      while ((end = held.indexOf("\n\n")) >= 0) {
        take(mine, held.slice(0, end));
        held = held.slice(end + 2);
      }
    }
  } catch (error) {
    if (mine !== watched) return;
    if (error instanceof Problem && [401, 403, 404].includes(error.status))
      return mine.page.tell("lost", error.status === 404 ? "no longer recorded" : "signed out");
  } finally {
    clearTimeout(silence);
  }
  if (mine === watched && !document.hidden) again(mine);
}

function take(mine, text) {
  if (mine !== watched) return;
  const lines = text.split("\n");
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
  const event = lines.find((line) => line.startsWith("event: "))?.slice(7);
  mine.failures = 0;
  mine.heard = now();
  if (event === "gone") {
    mine.page.tell("lost", "no longer recorded");
    return hangUp();
  }
  mine.page.tell("live", "live");
  if (event === "page") mine.page.put(data.join("\n"));
}

function again(mine) {
  mine.failures += 1;
  const wait = Math.min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (mine.failures - 1)) * (0.8 + 0.4 * Math.random());
  if (mine.failures > 1 || !mine.heard) mine.page.tell("lost", "reconnecting");
  mine.timer = setTimeout(async () => {
    if (mine.failures >= POLL_AFTER) await poll(mine);
    if (mine === watched) connect(mine);
  }, wait * 1000);
}

// Where streams don't come through, the page itself does.
async function poll(mine) {
  try {
    const answer = await send(mine.path, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    if (mine === watched) mine.page.put(text);
    mine.page.tell("lost", "a few seconds old");
  } catch { /* it is tried again */ }
}

document.addEventListener("visibilitychange", () => {
  const mine = watched;
  if (!mine) return;
  clearTimeout(mine.timer);
  if (document.hidden) mine.stop?.abort();
  else connect(mine);
});
