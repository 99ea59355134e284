// Shortcuts. They are off while something is typed.

import { element } from "./table.js";

const isTyped = (target) => target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

/** Listens for keys: `actions` is a list of `{ key, does, run }`; some keys are only described. */
export function listen(actions) {
  const list = document.getElementById("keys-list");
  for (const { key, does } of actions) {
    const term = element("dt");
    term.append(element("kbd", "", key));
    list.append(term, element("dd", "", does));
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyped(event.target) || document.querySelector("dialog[open]")) return;
    const action = actions.find(({ key, run }) => run && key === event.key);
    if (!action) return;
    event.preventDefault();
    action.run();
  });
}
