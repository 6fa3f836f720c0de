// Keys in a graph: arrows lead along its edges, and to the node beside.

document.addEventListener("keydown", (event) => {
  const from = event.target.closest?.(".drawn a[data-task]");
  if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
  const found = { ArrowDown: following, ArrowUp: before, ArrowLeft: beside, ArrowRight: beside }[event.key]?.(from, event.key);
  if (!found) return;
  event.preventDefault();
  found.focus();
  found.scrollIntoView({ block: "nearest", inline: "nearest" });
});

const nodes = (of) => [...of.closest(".drawn").querySelectorAll("a[data-task]")];
const after = (node) => node.dataset.after.split(" ");
const x = (node) => { const box = node.getBoundingClientRect(); return box.left + box.width / 2; };
const y = (node) => node.getBoundingClientRect().top;

/** The nearest of some nodes from side to side. */
function nearest(from, found) {
  return found.sort((a, b) => Math.abs(x(a) - x(from)) - Math.abs(x(b) - x(from)))[0];
}

function following(from) {
  return nearest(from, nodes(from).filter((each) => after(each).includes(from.dataset.task)));
}

function before(from) {
  return nearest(from, nodes(from).filter((each) => after(from).includes(each.dataset.task)));
}

function beside(from, key) {
  const side = key === "ArrowLeft" ? -1 : 1;
  return nearest(from, nodes(from).filter((each) => Math.abs(y(each) - y(from)) < 4 && (x(each) - x(from)) * side > 0));
}
