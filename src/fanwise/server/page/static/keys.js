// Keys of all pages, and the field that leads to a run, a workflow or a page.

import { call } from "./api.js";
import { go } from "./router.js";

const PLACES = { h: "", r: "runs", w: "workflows", t: "triggers", a: "waiting", s: "settings" };
const PAGES = [["Home", ""], ["Runs", "runs"], ["Failed runs", "runs?q=status%3Afailed"], ["Workflows", "workflows"], ["Triggers", "triggers"], ["Waiting", "waiting"], ["Settings", "settings"]];
const keys = document.querySelector("#keys"), goto = document.querySelector("#goto");
const text = document.querySelector("#goto-text"), hits = document.querySelector("#goto-hits");
let before = "", asked = 0, workflows = Promise.resolve([]), listed = workflows;

document.querySelector("#help").addEventListener("click", () => keys.showModal());
document.querySelector("#find").addEventListener("click", open);

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return open();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (document.body.dataset.who !== "somebody") return;
  const second = before === "g";
  before = event.key === "g" ? "g" : "";
  if (second && event.key in PLACES) return act(event, () => go(PLACES[event.key]));
  if (event.key === "?") return act(event, () => keys.showModal());
  if (event.key === "/") return act(event, () => document.querySelector("main [data-slash]")?.select());
  if (event.key === "j" || event.key === "k") return act(event, () => move(event.key === "j" ? 1 : -1));
  if (event.key === "x") return act(event, () => document.activeElement.closest("tr")?.querySelector("input[name=pick]")?.click());
  const link = document.querySelector(`main a[data-key="${CSS.escape(event.key)}"]`);
  if (link) act(event, () => link.click());
});

function act(event, does) {
  event.preventDefault();
  does();
}

/** To the link of the next or the previous line of the page's tables. */
function move(by) {
  const links = [...document.querySelectorAll("main table[data-rows] [data-open]")];
  const at = links.findIndex((each) => each.closest("tr") === document.activeElement?.closest("tr"));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function open() {
  if (document.body.dataset.who !== "somebody" || goto.open) return;
  text.value = "";
  workflows = call("workflows").then((told) => told.workflows, () => []);
  list("");
  goto.showModal();
}

/** Offer the places that have a word in their names. Enter waits for them, so it leads to the same one always. */
function list(word) {
  const mine = ++asked, low = word.toLowerCase(), has = ([name]) => name.toLowerCase().includes(low);
  const named = word ? workflows : Promise.resolve([]);
  listed = named.then((all) => {
    if (mine !== asked) return;
    const found = PAGES.filter(has).map(([name, path]) => [name, path, ""]);
    found.push(...all.map(({ name }) => [name, `workflows/${encodeURIComponent(name)}`, "workflow"]).filter(has));
    const runs = [`Runs: ${word}`, `runs?q=${encodeURIComponent(word)}`, "run or workflow"];
    paint(!word ? found : /^\d{8}/.test(word) ? [runs, ...found.slice(0, 19)] : [...found.slice(0, 19), runs]);
  });
}

function paint(found) {
  hits.replaceChildren(...found.map(([name, path, kind], place) => {
    const link = document.createElement("a"), note = document.createElement("span");
    link.href = document.documentElement.dataset.base + path;
    link.id = `hit-${place}`;
    link.role = "option";
    link.tabIndex = -1;
    link.ariaSelected = String(place === 0);
    link.textContent = name;
    note.textContent = kind;
    note.className = "muted";
    link.append(" ", note);
    return link;
  }));
  text.setAttribute("aria-activedescendant", found.length ? "hit-0" : "");
}

text.addEventListener("input", () => list(text.value.trim()));
hits.addEventListener("click", () => goto.close());
goto.addEventListener("keydown", async (event) => {
  if (event.key === "Enter") {
    event.preventDefault();
    await listed;
    return hits.querySelector("[aria-selected=true]")?.click();
  }
  const links = [...hits.children], at = links.findIndex((each) => each.ariaSelected === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = links[(at + (event.key === "ArrowDown" ? 1 : links.length - 1)) % links.length];
    for (const each of links) each.ariaSelected = String(each === next);
    text.setAttribute("aria-activedescendant", next?.id ?? "");
    next?.scrollIntoView({ block: "nearest" });
  }
});
