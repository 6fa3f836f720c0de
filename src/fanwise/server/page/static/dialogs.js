// Messages that pass, and questions before something is done.

import { Problem } from "./api.js";

const said = document.querySelector("#said"), dialog = document.querySelector("#confirm");
const SHOWN_MS = 6000;

/** Tell something for a few seconds; problems stay until they are clicked away. */
export function say(text, { isBad = false } = {}) {
  const line = document.createElement("p");
  line.textContent = text;
  line.className = isBad ? "bad" : "";
  line.addEventListener("click", () => line.remove());
  said.append(line);
  setTimeout(() => line.remove(), isBad ? SHOWN_MS * 3 : SHOWN_MS);
}

/** Tell why something was refused; what is no `Problem` is raised again. */
export function sayRefusal(error) {
  if (!(error instanceof Problem)) throw error;
  say(`${error.message} ${error.hint}`, { isBad: true });
}

/** Ask whether to do something; `more` are lines of what it means. */
export function confirmed(title, text, yes, more = []) {
  dialog.querySelector("#confirm-title").textContent = title;
  dialog.querySelector("#confirm-say").textContent = text;
  dialog.querySelector("#confirm-yes").textContent = yes;
  dialog.querySelector("#confirm-more").replaceChildren(...more.map((each) => {
    const line = document.createElement("li");
    line.textContent = each;
    return line;
  }));
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}
