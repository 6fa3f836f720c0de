// The buttons that change something: each asks first if it can't be taken back.

import { base, call } from "./api.js";
import { confirmed, say, sayRefusal } from "./dialogs.js";
import { go, show } from "./router.js";

const ACTS = {
  pause: { path: (run) => `runs/${run}/pause`, done: "Asked to pause: nothing new starts, and what is in flight finishes." },
  resume: { path: (run) => `runs/${run}/resume`, done: "It will go on." },
  cancel: {
    path: (run) => `runs/${run}/cancel`, done: "Asked to cancel.",
    ask: ["Cancel this run?", "All that is in flight is cut off; tasks under finally run. What is recorded is kept.", "Cancel the run"],
  },
  retry: { path: (run) => `runs/${run}/retry`, done: "It will run again.", checks: true },
  delete: {
    path: (run) => `runs/${run}`, method: "DELETE", done: "Deleted.", leads: "runs",
    ask: ["Delete this run?", "All that is recorded of it goes, for good.", "Delete the run"],
  },
  revoke: {
    path: (id) => `tokens/${id}`, method: "DELETE", done: "Revoked.",
    ask: ["Revoke this token?", "It and its sessions end at once, its streams within a minute.", "Revoke the token"],
  },
  "end-session": {
    path: (id) => `sessions/${id}`, method: "DELETE", done: "Ended.",
    ask: ["End this session?", "Its browser has to sign in again. Its streams end within a minute.", "End the session"],
  },
  fire: { path: (name) => `triggers/${name}/fire`, done: "Fired." },
  "pause-trigger": { path: (name) => `triggers/${name}/pause`, done: "Paused: it decides nothing until it is resumed." },
  "resume-trigger": { path: (name) => `triggers/${name}/resume`, done: "Resumed." },
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]"), act = button && ACTS[button.dataset.act];
  if (!act) return;
  const { run, trigger, token, session } = button.dataset;
  const subject = (run ?? trigger ?? token ?? session).split("/").map(encodeURIComponent).join("/");
  button.disabled = true;
  try {
    if (act.ask && !(await confirmed(...act.ask))) return;
    const { itemsOf, kind, fromTask } = button.dataset;
    const given = itemsOf ? { items_of: itemsOf, kind: Number(kind) } : fromTask ? { from_task: fromTask } : {};
    if (act.checks && !(await checked(act.path(subject), given))) return;
    const told = await call(act.path(subject), { method: act.method ?? "POST", body: act.method ? undefined : given });
    say(told?.run_id && trigger ? `Run ${told.run_id} was made.` : act.done);
    if (act.leads) await go(act.leads);
    else await show({ isNew: false });
  } catch (error) {
    sayRefusal(error);
  } finally {
    button.disabled = false;
  }
});

// Data that is saved: a ticket shows who asks, as an address can't send the session's key.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-save]");
  if (!button) return;
  try {
    const { path } = await call("tickets", { method: "POST", body: { path: button.dataset.save } });
    location.assign(base + path.slice(1));
  } catch (error) {
    sayRefusal(error);
  }
});

/** Say what a retry runs and what it keeps, before it does. */
async function checked(path, given) {
  const told = await call(`${path}?${new URLSearchParams(given)}`);
  const lines = told.tasks.map((each) => {
    if (each.failed_items) return `runs ${each.failed_items.toLocaleString("en")} items of ${each.task} again`;
    return each.is_kept ? `keeps ${each.task}` : `runs ${each.task}${each.reason ? " again" : ""}`;
  });
  return confirmed("Retry this run?", "What has succeeded is kept. An action that runs again has the idempotency key that it had.", "Retry", lines);
}
