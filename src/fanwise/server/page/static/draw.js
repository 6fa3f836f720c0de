// Draws the items of a task on a canvas of the view's size: tiles from afar, cells from near. Cells go
// through a picture of a pixel each that is drawn larger, which is faster than filling them one by one.

import { cellPlace, tilePlace, tilesIn } from "./plane.js";

export const NEAR = 3; // CSS pixels of a cell from which on cells are drawn
const NOTCHED = 6;

/** The colours of the page as they are now, as texts and as words for pictures. */
export function colours(element) {
  const style = getComputedStyle(element), probe = document.createElement("canvas");
  probe.width = probe.height = 1;
  const ink = probe.getContext("2d", { willReadFrequently: true });
  const read = (name) => {
    ink.clearRect(0, 0, 1, 1);
    ink.fillStyle = resolved(element, name, style);
    ink.fillRect(0, 0, 1, 1);
    const [r, g, b] = ink.getImageData(0, 0, 1, 1).data;
    return { text: `rgb(${r} ${g} ${b})`, word: (255 << 24) | (b << 16) | (g << 8) | r, rgb: [r, g, b] };
  };
  return {
    ok: read("--ok-soft"), bad: read("--bad-fill"), run: read("--run-fill"), rest: read("--rest-fill"),
    empty: read("--empty-fill"), surface: read("--surface"), ink: read("--ink"),
  };
}

function resolved(element, name, style) {
  element.style.caretColor = `var(${name})`; // resolves light-dark()
  const colour = style.caretColor;
  element.style.caretColor = "";
  return colour;
}

const mix = (a, b, share) => {
  const [r, g, bl] = a.rgb.map((each, place) => Math.round(each + (b.rgb[place] - each) * share));
  return (255 << 24) | (bl << 16) | (g << 8) | r;
};

/** Words for the 256 values of a cell's byte: status in bits 0-1, attempts in 2-3, duration in 4-7. */
export function palette(by, ink) {
  const words = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const status = byte & 3, attempts = (byte >> 2) & 3, slow = byte >> 4;
    if (status === 0) words[byte] = ink.empty.word;
    else if (by === "attempts") words[byte] = mix(ink.empty, ink.run, 0.3 + attempts * 0.233);
    else if (by === "duration") words[byte] = mix(ink.empty, ink.run, 0.15 + (slow / 15) * 0.85);
    else words[byte] = [0, ink.ok.word, ink.bad.word, ink.rest.word][status];
  }
  return words;
}

/** Draw what a view shows. */
export function draw(canvas, { on, view, tiles, failures, cells, words, ink, cursor, by }) {
  const ratio = devicePixelRatio || 1, pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.fillStyle = ink.surface.text;
  pen.fillRect(0, 0, view.width, view.height);
  if (!on) return;
  const toX = (x) => (x - view.x) * view.scale, toY = (y) => (y - view.y) * view.scale;
  const near = view.scale >= NEAR;
  for (const tile of tilesIn(on, view)) {
    const { x, y } = tilePlace(on, tile);
    const size = Math.min(on.tileSize, on.total - tile * on.tileSize);
    if (near && cells.has(tile)) picture(pen, cells.get(tile), size, on, words, toX(x), toY(y), view.scale);
    else block(pen, on, size, tiles, tile, ink, toX(x), toY(y), view.scale, failures);
  }
  if (failures && by === "status" && !(near && cells.size)) marks(pen, on, view, failures, ink, toX, toY);
  if (near) lines(pen, on, view, ink, toX, toY, cells);
  if (cursor >= 0) frame(pen, on, cursor, view, ink, toX, toY);
}

function block(pen, on, size, tiles, tile, ink, left, top, scale, failures) {
  const done = tiles.succeeded[tile] + tiles.failed[tile] + tiles.cancelled[tile];
  const rows = Math.ceil(size / on.columns);
  const width = Math.max(1, on.columns * scale), height = Math.max(1, rows * scale);
  pen.fillStyle = ink.empty.text;
  pen.fillRect(left, top, width, height);
  if (!done) return;
  const bad = tiles.failed[tile] / done;
  // Where failed items have no mark of their own, the block's colour tells how many there are.
  const shade = failures ? 0 : bad && Math.min(1, 0.25 + 0.75 * Math.sqrt(bad));
  const [r, g, b] = ink.ok.rgb.map((each, place) => Math.round(each + (ink.bad.rgb[place] - each) * shade));
  pen.fillStyle = tiles.cancelled[tile] > done / 2 ? ink.rest.text : `rgb(${r} ${g} ${b})`;
  pen.fillRect(left, top, width, (height * Math.min(done, size)) / size);
}

const pictures = new WeakMap();

function picture(pen, bytes, size, on, words, left, top, scale) {
  let made = pictures.get(bytes);
  if (!made || made.words !== words || made.size !== size) {
    const surface = new OffscreenCanvas(on.columns, on.rows), ink = surface.getContext("2d");
    const image = ink.createImageData(on.columns, on.rows), pixels = new Uint32Array(image.data.buffer);
    for (let place = 0; place < size; place++) pixels[place] = words[bytes[place]];
    ink.putImageData(image, 0, 0);
    made = { words, size, surface };
    pictures.set(bytes, made);
  }
  pen.drawImage(made.surface, left, top, on.columns * scale, on.rows * scale);
}

function marks(pen, on, view, failures, ink, toX, toY) {
  const size = Math.max(2.5, view.scale), off = (size - view.scale) / 2;
  pen.fillStyle = ink.bad.text;
  for (const index of failures) {
    const { x, y } = cellPlace(on, index);
    const left = Math.round(2 * (toX(x) - off)) / 2, top = Math.round(2 * (toY(y) - off)) / 2;
    if (left > -size && top > -size && left < view.width && top < view.height) pen.fillRect(left, top, size, size);
  }
}

function lines(pen, on, view, ink, toX, toY, cells) {
  if (view.scale < 5) return;
  pen.fillStyle = ink.surface.text;
  for (const tile of tilesIn(on, view)) {
    const { x, y } = tilePlace(on, tile), bytes = cells.get(tile);
    const width = on.columns * view.scale, height = on.rows * view.scale;
    for (let column = 1; column < on.columns; column++) pen.fillRect(Math.round(toX(x + column)), toY(y), 1, height);
    for (let row = 1; row < on.rows; row++) pen.fillRect(toX(x), Math.round(toY(y + row)), width, 1);
    if (!bytes || view.scale < NOTCHED) continue;
    const notch = Math.max(2, view.scale * 0.38);
    for (let place = 0; place < bytes.length; place++) {
      if ((bytes[place] & 3) !== 2) continue;
      const left = toX(x + (place % on.columns)) + 1, top = toY(y + Math.floor(place / on.columns)) + 1;
      pen.beginPath();
      pen.moveTo(left, top);
      pen.lineTo(left + notch, top);
      pen.lineTo(left, top + notch);
      pen.fill();
    }
  }
}

function frame(pen, on, cursor, view, ink, toX, toY) {
  const { x, y } = cellPlace(on, cursor);
  const size = Math.max(7, view.scale), middle = view.scale / 2;
  const left = toX(x) + middle - size / 2, top = toY(y) + middle - size / 2;
  pen.lineWidth = 3;
  pen.strokeStyle = ink.surface.text;
  pen.strokeRect(left - 1.5, top - 1.5, size + 3, size + 3);
  pen.lineWidth = 2;
  pen.strokeStyle = ink.ink.text;
  pen.strokeRect(left - 1, top - 1, size + 2, size + 2);
}
