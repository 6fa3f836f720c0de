// Begins: takes the ticket of the address for a session, and shows the page that the address names.

import { Problem, session, signIn, signOut } from "./api.js";
import { askWho, show, welcome } from "./router.js";
import "./acts.js";
import "./bulk.js";
import "./forms.js";
import "./graph.js";
import "./grid.js";
import "./keys.js";
import "./parts.js";

const form = document.querySelector("#signin"), problem = document.querySelector("#signin-problem");
const themes = ["", "light", "dark"];

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  const shown = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  document.querySelector("#theme").textContent = shown[theme];
  document.dispatchEvent(new Event("themechange"));
}

document.querySelector("#theme").addEventListener("click", () => {
  const theme = themes[(themes.indexOf(localStorage.getItem("fanwise-theme") || "") + 1) % 3];
  localStorage.setItem("fanwise-theme", theme);
  setTheme(theme);
});
setTheme(localStorage.getItem("fanwise-theme") || "");

document.querySelector("#leave").addEventListener("click", async () => {
  await signOut().catch(() => {});
  askWho();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    await signIn({ token: form.elements.token.value.trim() });
    form.reset();
    await welcome();
  } catch (error) {
    problem.textContent = error instanceof Problem ? `${error.message} ${error.hint}` : String(error);
    form.elements.token.select();
  }
});

async function begin() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (ticket) {
    history.replaceState({}, "", location.pathname + location.search);
    try {
      await signIn({ ticket });
    } catch (error) {
      if (!session.key) {
        askWho();
        problem.textContent = `${error.message} ${error.hint || ""}`;
        return;
      }
    }
  }
  if (session.key) await welcome();
  else askWho();
}

begin();
