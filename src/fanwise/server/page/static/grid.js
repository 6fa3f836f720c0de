// The grid of a task's items: all of them from afar, one by one from near. What is drawn follows from
// tiles, which the server keeps, and from the cells in sight; nothing here grows with the task.

import { call, send } from "./api.js";
import { colours, draw, NEAR, palette } from "./draw.js";
import { cellPlace, itemAt, plane, tilesIn } from "./plane.js";
import { go, onMount } from "./router.js";
import { span } from "./times.js";

const MOST_TILES = 240; // kept cells, a byte for each item
const LARGEST = 34; // CSS pixels of a cell
const AGAIN_MS = 500;
const STATUSES = ["not recorded yet", "succeeded", "failed", "cancelled"];

onMount("grid", (element) => new Grid(element));

class Grid {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.sight = element.querySelector("[data-sight]");
    this.said = element.querySelector("output");
    this.address = element.dataset.address; // of the task in the API
    this.page = element.dataset.page;
    this.cells = new Map();
    this.asked = new Set();
    this.cursor = -1;
    this.by = "status";
    this.view = { x: 0, y: 0, scale: 1, width: 1, height: 1 };
    this.fits = true;
    this.listen();
    this.paint();
    this.load();
  }

  // What is drawn

  async load() {
    this.loadedAt = performance.now();
    this.waits = false;
    const told = await call(`${this.address}/tiles`).catch(() => null);
    if (!told || !this.element.isConnected) return;
    this.tiles = told;
    this.failures = told.failures;
    this.canvas.ariaLabel = this.element.dataset.sentence;
    const now = Math.floor(this.element.dataset.total || 0);
    const total = Math.max(told.total ?? 0, now, told.succeeded.length && told.total === null ? told.succeeded.length * told.size : 0);
    if (!this.on || total > this.on.total) {
      this.total = total;
      this.resize();
    }
    this.stale = new Set(this.cells.keys());
    this.look();
  }

  /** Load again what may have changed, at most twice a second. */
  renew() {
    if (this.waits) return;
    this.waits = true;
    setTimeout(() => this.element.isConnected && this.load(), Math.max(0, this.loadedAt + AGAIN_MS - performance.now()));
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    if (!width) return;
    Object.assign(this.view, { width, height });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (this.total === undefined) return;
    this.on = plane(this.total, this.tiles.size, width, height);
    if (this.fits) this.fit();
    this.look();
  }

  fit() {
    const { on, view } = this;
    view.scale = this.least();
    view.x = -(view.width / view.scale - on.width) / 2;
    view.y = -(view.height / view.scale - on.height) / 2;
    this.fits = true;
  }

  least() {
    const { on, view } = this;
    return Math.min(LARGEST, (view.width - 16) / on.width, (view.height - 16) / on.height);
  }

  paint() {
    this.ink = colours(this.canvas); // which keeps its own where colours are forced
    this.words = palette(this.by, this.ink);
  }

  /** Draw in the next frame, and ask for the cells in sight. */
  look() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.on) return;
      draw(this.canvas, this);
      if (this.element.dataset.drawn === undefined) performance.mark("grid");
      this.element.dataset.drawn = "";
    });
    if (this.on && this.view.scale >= NEAR) this.ask();
  }

  ask() {
    const wanted = tilesIn(this.on, this.view).filter((tile) => (!this.cells.has(tile) || this.stale?.has(tile)) && !this.asked.has(tile));
    for (let place = 0; place < wanted.length; ) {
      let end = place;
      while (end + 1 < wanted.length && wanted[end + 1] === wanted[end] + 1 && end - place < 19) end++;
      this.fetchCells(wanted[place], wanted[end]);
      place = end + 1;
    }
  }

  async fetchCells(first, last) {
    for (let tile = first; tile <= last; tile++) this.asked.add(tile);
    try {
      const answer = await send(`api/v1/${this.address}/cells?tiles=${first}-${last}`);
      const bytes = new Uint8Array(await answer.arrayBuffer()), size = this.tiles.size;
      for (let tile = first; tile <= last; tile++) {
        this.cells.delete(tile);
        this.cells.set(tile, bytes.subarray((tile - first) * size, (tile - first + 1) * size));
        this.stale?.delete(tile);
      }
      while (this.cells.size > MOST_TILES) this.cells.delete(this.cells.keys().next().value);
    } catch { /* the tiles are shown, and the next look asks again */ } finally {
      for (let tile = first; tile <= last; tile++) this.asked.delete(tile);
    }
    this.look();
    if (this.cursor >= first * this.tiles.size && this.cursor < (last + 1) * this.tiles.size) this.tell();
  }

  // Moving about

  zoom(factor, x = this.view.width / 2, y = this.view.height / 2) {
    const { view } = this;
    const scale = Math.min(LARGEST, Math.max(this.least(), view.scale * factor));
    if (scale <= this.least() * 1.001) this.fit();
    else {
      view.x += x / view.scale - x / scale;
      view.y += y / view.scale - y / scale;
      view.scale = scale;
      this.fits = false;
      this.bound();
    }
    this.look();
  }

  pan(x, y) {
    if (this.fits) return;
    this.view.x -= x / this.view.scale;
    this.view.y -= y / this.view.scale;
    this.bound();
    this.look();
  }

  bound() {
    const { on, view } = this;
    for (const [place, size, most] of [["x", "width", on.width], ["y", "height", on.height]]) {
      const beyond = most - view[size] / view.scale; // below 0 if there is room beside the plane
      view[place] = Math.min(Math.max(0, beyond + 2), Math.max(Math.min(-2, beyond), view[place]));
    }
  }

  /** Make an item the one that keys act on, and bring it into sight, near enough to see if asked. */
  choose(index, { near = false } = {}) {
    if (!this.on || index < 0 || index >= this.on.total) return;
    this.cursor = index;
    const { view } = this, { x, y } = cellPlace(this.on, index);
    if (near && view.scale < 8) {
      view.scale = Math.min(LARGEST, Math.max(14, this.least()));
      this.fits = false;
      view.x = x - view.width / view.scale / 2;
      view.y = y - view.height / view.scale / 2;
      this.bound();
    } else if (!this.fits) {
      const margin = Math.min(3, view.width / view.scale / 4);
      view.x = Math.min(x - margin, Math.max(x + 1 + margin - view.width / view.scale, view.x));
      view.y = Math.min(y - margin, Math.max(y + 1 + margin - view.height / view.scale, view.y));
      this.bound();
    }
    this.look();
    this.tell();
  }

  tell() {
    const tile = Math.floor(this.cursor / this.tiles.size), byte = this.cells.get(tile)?.[this.cursor % this.tiles.size];
    this.said.textContent = this.words_(this.cursor, byte);
  }

  words_(index, byte) {
    const name = `[${index.toLocaleString("en")}]`;
    if (byte === undefined) return this.failed(index) ? `${name} failed` : name;
    const status = byte & 3, attempts = ((byte >> 2) & 3) + 1, slow = byte >> 4;
    if (!status) return `${name} ${STATUSES[0]}`;
    const tries = attempts > 1 ? `, ${attempts}${attempts === 4 ? " or more" : ""} attempts` : "";
    return `${name} ${STATUSES[status]}, ${slow ? `about ${span(2 ** (slow - 1) / 1000)}` : "below 1 ms"}${tries}`;
  }

  failed(index) {
    return this.failures && this.failures[lowerBound(this.failures, index)] === index;
  }

  async step(direction) {
    let found;
    if (this.failures) {
      const from = lowerBound(this.failures, direction > 0 ? this.cursor + 1 : Math.max(0, this.cursor));
      found = this.failures[direction > 0 ? from : from - 1];
    } else {
      const told = await call(`${this.address}/failed?${direction > 0 ? "after" : "before"}=${this.cursor}`).catch(() => ({}));
      found = told.index;
    }
    if (found === undefined || found === null) this.said.textContent = direction > 0 ? "No failed item after it." : "No failed item before it.";
    else this.choose(found, { near: true });
  }

  open() {
    if (this.cursor >= 0) go(`${this.page}[${this.cursor}]`);
  }

  // Hands

  listen() {
    const { canvas, sight, element } = this;
    new ResizeObserver(() => this.resize()).observe(canvas);
    new MutationObserver(() => this.renew()).observe(element, { attributeFilter: ["data-fresh"] });
    const scheme = () => { if (element.isConnected) { this.paint(); this.look(); } };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", scheme);
    document.addEventListener("themechange", scheme);
    canvas.addEventListener("wheel", (event) => {
      if (!this.on) return;
      const out = event.deltaY > 0;
      if (out && this.fits) return; // the page scrolls on
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.06 : 0.002)), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    this.pointers();
    sight.addEventListener("keydown", (event) => this.press(event));
    element.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act === "in") this.zoom(1.8);
      if (act === "out") this.zoom(1 / 1.8);
      if (act === "all") { this.fit(); this.look(); }
      if (act === "next") this.step(1);
      if (act === "previous") this.step(-1);
      if (act === "open") this.open();
    });
    element.querySelector("select").addEventListener("change", (event) => {
      this.by = event.target.value;
      this.paint();
      this.look();
    });
    element.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.goTo(new FormData(event.target).get("item").trim());
      sight.focus({ preventScroll: true });
    });
  }

  async goTo(text) {
    if (!text) return;
    if (/^\d[\d,_ ]*$/.test(text)) return this.choose(Number(text.replace(/\D/g, "")), { near: true });
    const told = await call(`${this.address}/items?limit=1&label=${encodeURIComponent(text)}`).catch(() => null);
    if (told?.items?.length) this.choose(told.items[0].index, { near: true });
    else this.said.textContent = `No label has "${text}" in it.`;
  }

  pointers() {
    const { canvas } = this, held = new Map();
    let moved = 0, apart = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, event);
      moved = 0;
      this.sight.focus({ preventScroll: true });
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return this.hover(event);
      held.set(event.pointerId, event);
      if (held.size === 2) {
        const [a, b] = [...held.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
        const box = canvas.getBoundingClientRect();
        if (apart) this.zoom(now / apart, (a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top);
        apart = now;
        moved = 99;
        return;
      }
      const x = event.clientX - before.clientX, y = event.clientY - before.clientY;
      moved += Math.abs(x) + Math.abs(y);
      if (moved > 3) this.pan(x, y);
    });
    const leave = (event) => {
      const was = held.delete(event.pointerId);
      apart = 0;
      if (was && event.type === "pointerup" && moved <= 3) this.pick(event);
    };
    canvas.addEventListener("pointerup", leave);
    canvas.addEventListener("pointercancel", leave);
    canvas.addEventListener("dblclick", () => this.open());
  }

  under(event) {
    if (!this.on) return -1;
    const box = this.canvas.getBoundingClientRect(), { view } = this;
    return itemAt(this.on, view.x + (event.clientX - box.left) / view.scale, view.y + (event.clientY - box.top) / view.scale);
  }

  hover(event) {
    const index = this.under(event);
    this.canvas.title = index < 0 ? "" : this.words_(index, this.cells.get(Math.floor(index / this.tiles.size))?.[index % this.tiles.size]);
  }

  pick(event) {
    const index = this.under(event);
    if (index < 0) return;
    if (this.view.scale < NEAR) {
      const box = this.canvas.getBoundingClientRect();
      this.zoom(Math.max(2, 8 / this.view.scale), event.clientX - box.left, event.clientY - box.top);
    }
    this.choose(index);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.on) return;
    const { cursor, on } = this, at = Math.max(0, cursor);
    const acts = {
      ArrowLeft: () => this.choose(Math.max(0, at - 1)), ArrowRight: () => this.choose(cursor < 0 ? 0 : at + 1),
      ArrowUp: () => this.choose(this.beside(at, -1)), ArrowDown: () => this.choose(this.beside(at, 1)),
      Home: () => this.choose(0), End: () => this.choose(on.total - 1),
      "+": () => this.zoomTo(1.8), "=": () => this.zoomTo(1.8), "-": () => this.zoomTo(1 / 1.8),
      0: () => { this.fit(); this.look(); }, n: () => this.step(1), p: () => this.step(-1),
      Enter: () => this.open(), ":": () => this.element.querySelector("form input").focus(),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  zoomTo(factor) {
    if (this.cursor < 0) return this.zoom(factor);
    const { x, y } = cellPlace(this.on, this.cursor), { view } = this;
    this.zoom(factor, (x + 0.5 - view.x) * view.scale, (y + 0.5 - view.y) * view.scale);
  }

  /** The item above or below, also in the next block. */
  beside(index, down) {
    const { x, y } = cellPlace(this.on, index);
    for (const far of [1, 1 + this.on.gap]) {
      const found = itemAt(this.on, x + 0.5, y + 0.5 + down * far);
      if (found >= 0) return found;
    }
    return index;
  }
}

/** The place of the first number that isn't below another. */
function lowerBound(sorted, least) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
