// Follows links without leaving the page: fetches the fragment of an address, puts it in place, and
// keeps it as it is on the server while it is looked at.

import { base, send, session, Problem } from "./api.js";
import { swap } from "./swap.js";
import { setNow, showTimes } from "./times.js";
import { follow, hangUp } from "./stream.js";

const main = document.querySelector("main");
const fresh = document.querySelector("#fresh");
const mounts = new Map(); // by the name in data-mount: functions that bring an element to life
const MOST_WAIT_MS = 1000;
let turn = 0, path = "", brought = [];

export function onMount(name, bring) { mounts.set(name, bring); }

/** The address within this server: `runs?status=failed`. */
export function here() { return location.pathname.slice(base.length) + location.search; }

export function go(path) { return leaveFor(base + path); }

/** Show another address, and keep in the history how far this one was scrolled. */
function leaveFor(address) {
  history.replaceState({ y: scrollY }, "");
  history.pushState({}, "", address);
  return show();
}

/** Fetch what the address names, and show it. */
export async function show({ isNew = true } = {}) {
  const mine = ++turn;
  hangUp();
  brought = [];
  document.body.dataset.busy = "";
  try {
    const answer = await send(`page/${here()}`, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    if (mine !== turn) return;
    put(text);
    if (isNew) arrive();
    performance.mark("page");
    const { live } = main.firstElementChild.dataset;
    follow({ path: `page/${here()}`, live, tag: answer.headers.get("ETag") }, { put, tell: setFresh });
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof Problem && error.status === 401) return askWho();
    fail(error);
  } finally {
    if (mine === turn) delete document.body.dataset.busy;
  }
}

function put(text) {
  const isAtEnd = scrollY > 0 && scrollY + innerHeight > document.documentElement.scrollHeight - 40;
  swap(main, text, location.pathname === path);
  path = location.pathname;
  const page = main.firstElementChild;
  setNow(Number(page.dataset.now));
  document.title = `${page.dataset.title} · fanwise`;
  document.body.dataset.role = page.dataset.role;
  for (const link of document.querySelectorAll(".top nav a"))
    link.toggleAttribute("aria-current", link.dataset.room === page.dataset.room);
  for (const link of document.querySelectorAll(".top nav a[aria-current]")) link.setAttribute("aria-current", "page");
  showTimes();
  for (const each of main.querySelectorAll("[data-mount]:not([data-mounted])")) {
    each.dataset.mounted = "";
    brought.push(mounts.get(each.dataset.mount)?.(each));
  }
  if (isAtEnd && main.querySelector("[data-tail]")) scrollTo(0, document.documentElement.scrollHeight);
}

/** Scroll long rows of links as far as the one that is current. */
function reveal() {
  for (const link of document.querySelectorAll("nav [aria-current]")) {
    const nav = link.closest("nav"), box = nav.getBoundingClientRect(), { left, right } = link.getBoundingClientRect();
    if (left < box.left || right > box.right) nav.scrollLeft += left - box.left - 24;
  }
}

function arrive() {
  reveal();
  if (location.hash && document.getElementById(location.hash.slice(1))) {
    document.getElementById(location.hash.slice(1)).scrollIntoView();
    return;
  }
  scrollTo(0, 0);
  (main.querySelector("[autofocus]") || main.querySelector("h1"))?.focus({ preventScroll: true });
}

function fail(error) {
  const known = error instanceof Problem;
  if (!known) console.error(error);
  setFresh(...(known && error.status === 0 ? ["lost", "not connected"] : ["", ""]));
  const page = document.createElement("div");
  const title = document.createElement("h1");
  title.tabIndex = -1;
  title.textContent = error.status === 404 ? "Not here" : error.status === 403 ? "Not allowed" : "That didn't work";
  const text = document.createElement("p"), hint = document.createElement("p");
  text.textContent = known ? error.message[0].toUpperCase() + error.message.slice(1) : "The page has a fault; its details are in the browser's console.";
  hint.className = "muted";
  hint.textContent = (known && error.hint) || "";
  const again = document.createElement("button");
  again.textContent = "Try again";
  again.addEventListener("click", () => show());
  page.className = "head";
  const home = document.createElement("a");
  home.href = base;
  home.textContent = "Home";
  home.className = "button";
  const ways = document.createElement("div");
  ways.className = "buttons";
  ways.append(again, home);
  page.append(title, text, hint, ways);
  main.replaceChildren(page);
  path = "";
  document.title = `${title.textContent} · fanwise`;
  title.focus();
}

/** Ask for a token, in place of the page, which is shown once there is a session. */
export function askWho() {
  hangUp();
  session.key = null;
  setFresh("", "");
  document.body.dataset.who = "nobody";
  main.hidden = true;
  document.querySelector("#signin").hidden = false;
  document.querySelector("#token").focus();
}

export function welcome() {
  document.body.dataset.who = "somebody";
  document.querySelector("#signin").hidden = true;
  main.hidden = false;
  return show();
}

export function setFresh(state, text) {
  fresh.dataset.state = state;
  fresh.textContent = text;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[href]");
  if (!link || link.hasAttribute("target") || link.hasAttribute("download")) return;
  const url = new URL(link.getAttribute("href"), location.href); // also of links in SVG
  if (url.origin !== location.origin || !url.pathname.startsWith(base) || url.pathname.startsWith(`${base}assets/`) || url.pathname.startsWith(`${base}api/`)) return;
  event.preventDefault();
  if (url.pathname === location.pathname && url.search === location.search && url.hash) {
    history.replaceState({}, "", url.hash);
    return arrive();
  }
  leaveFor(url.pathname + url.search + url.hash);
});

history.scrollRestoration = "manual"; // the content comes later than the browser expects
addEventListener("popstate", async (event) => {
  await show({ isNew: false });
  await Promise.race([Promise.allSettled(brought), new Promise((done) => { setTimeout(done, MOST_WAIT_MS); })]);
  scrollTo(0, event.state?.y ?? 0);
});
