// Puts a page's fragment in place of what is shown, and keeps all that is the same: focus, scroll
// positions, open details, and what scripts have drawn. The one module that makes markup of text,
// and the one Trusted Types policy; what it is given comes from this server's templates alone.

const policy = globalThis.trustedTypes
  ? trustedTypes.createPolicy("fanwise", { createHTML: (text) => text })
  : { createHTML: (text) => text };

/** Elements made from a fragment of markup. */
export function parse(text) {
  const holder = document.createElement("template");
  holder.innerHTML = policy.createHTML(text);
  return holder.content;
}

/** Make the content of `target` that of a fragment; all of it is new if it isn't `alike`. */
export function swap(target, text, alike) {
  if (alike) morphChildren(target, parse(text));
  else target.replaceChildren(parse(text));
}

function morphChildren(now, next) {
  const byId = new Map();
  for (const child of now.children) if (child.id) byId.set(child.id, child);
  let place = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    let found = null;
    if (wanted.id && byId.has(wanted.id)) found = byId.get(wanted.id);
    else if (place && !(place.id && place.id !== wanted.id) && isAlike(place, wanted)) found = place;
    if (!found) {
      now.insertBefore(wanted, place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else now.insertBefore(found, place);
    morph(found, wanted);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function isAlike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
}

function morph(now, next) {
  if (!isAlike(now, next)) return now.replaceWith(next);
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.data !== next.data) now.data = next.data;
    return;
  }
  // Scripts own what is inside, until the server gives it another key; its data tells them of changes.
  if (now.dataset.keep !== undefined) {
    if (now.dataset.keep !== next.dataset.keep) now.replaceWith(next);
    else Object.entries(next.dataset).forEach(([name, value]) => {
      if (now.dataset[name] !== value) now.dataset[name] = value;
    });
    return;
  }
  for (const { name } of [...now.attributes])
    if (!next.hasAttribute(name) && name !== "data-mounted" && !(name === "open" && now.nodeName === "DETAILS"))
      now.removeAttribute(name);
  for (const { name, value } of next.attributes)
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  morphChildren(now, next);
}
