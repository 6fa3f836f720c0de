// Times as the reader's own clock and zone show them. Ages count from the server's time, since the
// clock of this machine may differ.

let ahead = 0; // seconds that the server's clock is ahead of ours

/** Take the server's time, in seconds since the epoch. */
export function setNow(at) { ahead = at - Date.now() / 1000; }
export function now() { return Date.now() / 1000 + ahead; }

// Formats are made when they are first needed, as each takes milliseconds to make.
const FORMATS = {
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "short" },
  year: { day: "numeric", month: "short", year: "numeric" },
  whole: { dateStyle: "full", timeStyle: "long" },
};
const made = {};

function format(name, date) {
  made[name] ??= new Intl.DateTimeFormat(undefined, FORMATS[name]);
  return made[name].format(date);
}

function shown(at) {
  const date = new Date(at * 1000), today = new Date(now() * 1000);
  if (date.toDateString() === today.toDateString()) return format("clock", date);
  const days = date.getFullYear() === today.getFullYear() ? "day" : "year";
  return `${format(days, date)} ${format("clock", date).slice(0, 5)}`;
}

/** A span of seconds in its two largest units. */
export function span(s) {
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  s = Math.round(s);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function coarse(s) {
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

function age(at) {
  const s = now() - at;
  if (s < -1) return `in ${coarse(-s)}`;
  return s < 5 ? "just now" : `${coarse(s)} ago`;
}

/** Show all times within an element; called again each second for those that count. */
export function showTimes(within = document) {
  for (const each of within.querySelectorAll("time[data-at]")) {
    const at = Number(each.dataset.at), kind = each.dataset.as;
    const text = kind === "age" ? age(at) : kind === "span" ? span(Math.max(0, now() - at)) : shown(at);
    if (each.textContent !== text) each.textContent = text;
  }
}

document.addEventListener("pointerover", ({ target }) => {
  if (target.matches?.("time[data-at]")) target.title = format("whole", new Date(Number(target.dataset.at) * 1000));
});

setInterval(() => { if (!document.hidden) showTimes(); }, 1000);
