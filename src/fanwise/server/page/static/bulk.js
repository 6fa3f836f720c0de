// Changes of many runs: those that are chosen line by line, or all that the filters leave. The server
// counts first, and goes on by itself when the page is left.

import { call } from "./api.js";
import { confirmed, say, sayRefusal } from "./dialogs.js";
import { onMount, show } from "./router.js";

const LOOK_MS = 300, NAMED = 8;
const MEANINGS = {
  retry: "What has failed of each runs again; what has succeeded is kept.",
  resume: "Each is taken by the next engine that is free.",
  pause: "Nothing new starts in them, and what is in flight finishes.",
  cancel: "All that is in flight is cut off; tasks under finally run. What is recorded is kept.",
  delete: "All that is recorded of them goes, for good.",
};

onMount("bulk", (bar) => {
  const list = bar.closest(".card"), count = bar.querySelector("output"), all = bar.querySelector("[data-all]");
  const boxes = () => [...list.querySelectorAll("input[name=pick]")];
  const chosen = () => boxes().filter((each) => each.checked).map((each) => each.value);
  let takesAll = false;

  function tell() {
    const ids = chosen();
    takesAll &&= ids.length === boxes().length;
    bar.hidden = !ids.length;
    count.textContent = takesAll ? "all that the filters leave" : `${ids.length} chosen`;
    all?.setAttribute("aria-pressed", String(takesAll));
  }

  list.addEventListener("change", (event) => event.target.name === "pick" && tell());
  all?.addEventListener("click", () => {
    takesAll = !takesAll;
    if (takesAll) for (const each of boxes()) each.checked = true;
    tell();
  });
  bar.querySelector("[data-none]").addEventListener("click", () => none());

  function none() {
    takesAll = false;
    for (const each of boxes()) each.checked = false;
    tell();
  }

  bar.addEventListener("click", async (event) => {
    const action = event.target.closest("[data-bulk]")?.dataset.bulk;
    if (!action) return;
    const asked = takesAll ? { filter: JSON.parse(bar.dataset.filter) } : { ids: chosen() };
    try {
      const { runs, run_ids: ids } = await call("bulk/check", { method: "POST", body: asked });
      const word = action[0].toUpperCase() + action.slice(1), noun = runs === 1 ? "run" : "runs";
      const lines = ids.slice(0, NAMED);
      if (runs > NAMED) lines.push(`and ${(runs - NAMED).toLocaleString("en")} more`);
      if (!(await confirmed(`${word} ${runs.toLocaleString("en")} ${noun}?`, MEANINGS[action], `${word} ${runs === 1 ? "it" : "them"}`, lines))) return;
      const begun = await call(`bulk/${action}`, { method: "POST", body: { ...asked, expect: runs } });
      none();
      await follow(begun, word);
    } catch (error) {
      sayRefusal(error);
    }
  });
});

async function follow(told, word) {
  while (!told.is_over) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    told = await call(`bulk/${told.id}`);
  }
  const done = told.done - told.refusals;
  say(`${word}: ${done.toLocaleString("en")} of ${told.runs.toLocaleString("en")} done.`);
  const reasons = new Map();
  for (const { run_id: id, detail } of told.refused) {
    const reason = detail.replaceAll(id, "…");
    reasons.set(reason, [...(reasons.get(reason) ?? []), id]);
  }
  for (const [reason, ids] of reasons) say(`${ids.length.toLocaleString("en")} refused: ${reason} (${ids.slice(0, 3).join(", ")}${ids.length > 3 ? ", …" : ""})`, { isBad: true });
  await show({ isNew: false });
}
