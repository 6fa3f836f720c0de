// Parts of pages that are fetched once the page is there: what takes a while to read, and the further
// lines of long lists.

import { Problem, send } from "./api.js";
import { onMount } from "./router.js";
import { parse } from "./swap.js";
import { showTimes } from "./times.js";

const MOST_PAGES = 2; // of a list, at a time: however long it is, its elements are few
const NEAR = "600px";

async function fetchPage(path) {
  return parse(await (await send(`page/${path}`, { headers: { Accept: "text/html" } })).text());
}

/** An element that is filled with the one of the same id of another page. */
onMount("part", async (element) => {
  try {
    const found = (await fetchPage(element.dataset.part)).getElementById(element.id);
    if (!found || !element.isConnected) return;
    element.replaceChildren(...found.childNodes);
    showTimes(element);
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // else the next change fetches it
  }
});

/** A list whose pages follow each other as it is scrolled; those out of sight are taken away. */
onMount("pages", (element) => {
  const list = element.querySelector("ol"), pages = [{ items: [...list.children] }];
  const link = (rel, within = element) => within.querySelector(`a[rel="${rel}"]`);
  let busy = false;

  async function turn(rel) {
    const path = link(rel)?.dataset.page;
    if (busy || !path) return;
    busy = true;
    try {
      const part = (await fetchPage(path)).getElementById(element.id);
      if (part && element.isConnected) place(rel, part);
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // the link is still there
    } finally {
      busy = false;
      if (element.isConnected) watch();
    }
  }

  function place(rel, part) {
    const items = [...part.querySelectorAll("ol > li")], isNext = rel === "next";
    const anchor = isNext ? pages.at(-1).items.at(-1) : pages[0].items[0], before = anchor.getBoundingClientRect().top;
    list[isNext ? "append" : "prepend"](...items);
    pages[isNext ? "push" : "unshift"]({ items });
    link(rel).replaceWith(link(rel, part) ?? "");
    while (pages.length > MOST_PAGES) {
      const gone = isNext ? pages.shift() : pages.pop();
      for (const each of gone.items) each.remove();
    }
    const edge = isNext ? pages[0].items[0] : pages.at(-1).items.at(-1);
    edgeLink(isNext ? "prev" : "next", edge);
    showTimes(list);
    scrollBy(0, anchor.getBoundingClientRect().top - before);
  }

  /** The link to what is beyond the first or the last line that is left. */
  function edgeLink(rel, line) {
    const place = element.querySelector(`[data-${rel}]`), made = link(rel) ?? document.createElement("a");
    const path = `${element.dataset.address}${rel === "prev" ? "before" : "after"}=${line.dataset.no}`;
    made.rel = rel;
    made.dataset.page = path;
    made.href = document.documentElement.dataset.base + path;
    made.textContent = rel === "prev" ? "Earlier lines" : "Later lines";
    if (!made.isConnected) place.append(made);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const each of entries) if (each.isIntersecting) turn(each.target.rel);
  }, { rootMargin: NEAR });

  function watch() {
    seen.disconnect();
    for (const each of element.querySelectorAll("a[data-page]")) seen.observe(each);
  }
  watch();
});
