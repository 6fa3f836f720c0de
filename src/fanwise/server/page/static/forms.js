// Forms: filters that are addresses, and values that are filled in field by field or as JSON.

import { call, Problem } from "./api.js";
import { say } from "./dialogs.js";
import { go, here, onMount, show } from "./router.js";

/** A form whose fields are the query of the address. */
function asQuery(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value.trim()) query.set(name, value.trim());
    const text = query.toString();
    go(here().split("?")[0] + (text ? `?${text}` : ""));
  });
}

onMount("filter", asQuery);
onMount("query", asQuery);

/** The value of a field, undefined for none. Raises `SyntaxError` for a text that is no JSON. */
function readField(field) {
  const control = field.querySelector("input, textarea, select"), { type, control: kind } = field.dataset;
  if (!control) return undefined;
  if (kind === "check") return control.checked;
  const text = kind === "json" || kind === "number" ? control.value.trim() : control.value;
  if (text === "") return undefined;
  if (type === "string") return text;
  if (type === "" && kind !== "json") return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError(kind === "number" ? "This is no number." : "This is no JSON.");
  }
}

function writeField(field, value) {
  const control = field.querySelector("input, textarea, select");
  if (!control) return;
  if (field.dataset.control === "check") control.checked = value === true;
  else if (value === undefined || value === null) control.value = "";
  else control.value = typeof value === "string" && field.dataset.control !== "json" ? value : JSON.stringify(value, null, field.dataset.control === "json" ? 2 : 0);
}

function tell(field, text) {
  const line = field.querySelector(".problem"), control = field.querySelector("input, textarea, select");
  line.textContent = text;
  line.hidden = !text;
  control?.setAttribute("aria-invalid", String(Boolean(text)));
  if (text) control?.setAttribute("aria-describedby", line.id);
  else control?.removeAttribute("aria-describedby");
}

/** The values of all fields by their names, or null after telling what is wrong at its field. */
export function readFields(form) {
  const values = {};
  let wrong = null;
  for (const field of form.querySelectorAll("[data-field]")) {
    tell(field, "");
    try {
      const value = readField(field);
      if (value !== undefined) values[field.dataset.field] = value;
    } catch (error) {
      tell(field, error.message);
      wrong ??= field;
    }
  }
  wrong?.querySelector("input, textarea, select")?.focus();
  return wrong ? null : values;
}

/** Tell what the server has refused, each problem at the field that it names. */
function tellRefusal(form, error) {
  const rest = [];
  let first = null;
  for (const line of `${error.message}${error.hint ? ` ${error.hint}` : ""}`.split("\n")) {
    const name = line.match(/(?:parameter|field) "([^"]+)"/)?.[1];
    const field = name && form.querySelector(`[data-field="${CSS.escape(name)}"]`);
    if (field) {
      tell(field, line.replace(/^.*?(the (?:parameter|field))/, "$1").replace(/ Give it with -p .*$/, ""));
      first ??= field;
    } else rest.push(line);
  }
  for (const each of error.problems) rest.push(`${each.file}:${each.line}:${each.column}  ${each.message} ${each.hint}`);
  const problem = form.querySelector(":scope > .problem");
  problem.textContent = rest.join("\n");
  problem.hidden = !rest.length;
  first?.querySelector("input, textarea, select")?.focus();
}

onMount("answer", (form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = readFields(form);
    if (!fields) return;
    const { run, path } = form.dataset, choice = event.submitter?.value;
    try {
      await call(`runs/${encodeURIComponent(run)}/answers`, { method: "POST", body: { path, choice, fields } });
      say(`Answered: ${choice}.`);
      await show({ isNew: false });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      tellRefusal(form, error);
    }
  });
});

/** The form that starts a run: one value, seen as fields or as JSON. */
onMount("start", (form) => {
  const fields = form.querySelector("[data-fields]"), text = form.querySelector("[data-json]");
  const [asFields, asText] = form.querySelectorAll("[data-view]");
  const problem = form.querySelector("[data-json-problem]");
  let isText = false;
  const key = crypto.randomUUID();

  function value() {
    if (!isText) return readFields(fields);
    try {
      const read = JSON.parse(text.value || "{}");
      if (typeof read !== "object" || read === null || Array.isArray(read)) throw new SyntaxError();
      problem.hidden = true;
      return read;
    } catch {
      problem.textContent = "This is no JSON object.";
      problem.hidden = false;
      text.focus();
      return null;
    }
  }

  function turn(toText) {
    if (toText === isText) return;
    const now = value();
    if (!now) return;
    if (toText) text.value = JSON.stringify(now, null, 2);
    else for (const field of fields.querySelectorAll("[data-field]")) writeField(field, now[field.dataset.field]);
    isText = toText;
    fields.hidden = isText;
    text.closest("[data-text]").hidden = !isText;
    asFields.setAttribute("aria-pressed", String(!isText));
    asText.setAttribute("aria-pressed", String(isText));
  }

  asFields.addEventListener("click", () => turn(false));
  asText.addEventListener("click", () => turn(true));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const parameters = value();
    if (!parameters) return;
    const given = { workflow: form.dataset.workflow, parameters };
    const tags = form.elements.tags.value.split(/[\s,]+/).filter(Boolean), id = form.elements.run_id.value.trim();
    if (tags.length) given.tags = tags;
    if (id) given.run_id = id;
    const checks = event.submitter?.value === "check", button = event.submitter;
    button.disabled = true;
    try {
      form.querySelector(":scope > .problem").hidden = true;
      if (checks) return showCheck(form, await call("runs/check", { method: "POST", body: given }));
      const run = await call("runs", { method: "POST", body: given, headers: { "Idempotency-Key": key } });
      await go(`runs/${encodeURIComponent(run.run_id)}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (isText) turn(false);
      tellRefusal(form, error);
    } finally {
      button.disabled = false;
    }
  });
});

function showCheck(form, told) {
  const shown = form.querySelector("[data-check]");
  shown.hidden = false;
  shown.querySelector("pre").textContent = JSON.stringify(told.parameters, null, 2);
  shown.querySelector("h2").focus();
}
