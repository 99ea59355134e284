// The SQL box: a statement, its rows, its chart, its error with the position, and the statements before it.

import * as ask from "./ask.js";
import { chart } from "./chart.js";
import { element, show, table } from "./table.js";

const KEPT = "headwater.statements";
const KEPT_MAX = 30;
const LABEL_MAX = 60;

const byId = (id) => document.getElementById(id);

export class Statement {
  #sheet = null;
  #running = null;

  constructor() {
    this.text = byId("statement-text");
    this.status = byId("statement-status");
    this.error = byId("statement-error");
    this.rows = byId("statement-rows");
    this.picture = byId("statement-chart");
    this.asChart = byId("as-chart");
    byId("statement-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.run();
      }
    });
    byId("cancel").addEventListener("click", () => this.#running?.abort());
    this.asChart.addEventListener("change", () => this.#draw());
    byId("history").addEventListener("change", ({ target }) => {
      const text = this.#earlier()[Number(target.value)];
      if (target.value !== "" && text !== undefined) this.text.value = text;
      target.value = "";
      this.text.focus();
    });
    this.#list();
  }

  focus() {
    this.text.scrollIntoView({ block: "center" });
    this.text.focus();
  }

  async run() {
    const text = this.text.value;
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    byId("cancel").disabled = false;
    this.status.textContent = "running";
    this.#keep(text);
    const began = performance.now();
    try {
      this.#sheet = await ask.statement(text, running.signal);
      this.error.hidden = true;
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      const { rows, is_cut, commit_id } = this.#sheet;
      this.status.textContent = `${is_cut ? "the first " : ""}${rows.length} ${rows.length === 1 ? "row" : "rows"} of commit ${commit_id} in ${seconds} s`;
      this.#draw();
    } catch (error) {
      if (running !== this.#running) return;
      this.#fail(text, error, running.signal.aborted);
    }
    if (running === this.#running) {
      this.#running = null;
      byId("cancel").disabled = true;
    }
  }

  #fail(text, error, isCancelled) {
    this.status.textContent = isCancelled ? "cancelled" : "";
    if (isCancelled) return;
    if (ask.isGone(error)) {
      this.status.textContent = "the server does not answer";
      return;
    }
    this.error.textContent = located(text, error);
    this.error.hidden = false;
    if (error.position !== undefined) {
      // Positions count characters; a text field counts UTF-16 units.
      const start = [...text].slice(0, error.position - 1).join("").length;
      this.text.focus();
      this.text.setSelectionRange(start, Math.min(text.length, start + 1));
    }
  }

  #draw() {
    if (this.#sheet === null) return;
    show(this.rows, this.#sheet.rows.length === 0 ? element("p", "quiet", "No rows.") : table(this.#sheet));
    this.picture.hidden = !this.asChart.checked;
    if (this.asChart.checked) this.picture.replaceChildren(chart(this.#sheet, Math.max(300, this.rows.clientWidth - 2)));
  }

  /** The statements of this tab, the newest first. */
  #earlier() {
    try {
      return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    } catch {
      return [];
    }
  }

  #keep(text) {
    const all = [text, ...this.#earlier().filter((earlier) => earlier !== text)].slice(0, KEPT_MAX);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(all));
    } catch {
      // The tab has no room, or may not keep anything: then there is no history.
    }
    this.#list();
  }

  #list() {
    const options = this.#earlier().map((text, index) => {
      const option = element("option", "", text.replaceAll(/\s+/g, " ").slice(0, LABEL_MAX));
      option.value = String(index);
      return option;
    });
    const first = element("option", "", options.length === 0 ? "none" : "choose");
    first.value = "";
    byId("history").replaceChildren(first, ...options);
  }
}

/** The error; where its position is known, with the line and a mark below the place. */
export function located(text, { message, position }) {
  if (position === undefined) return message;
  const before = [...text].slice(0, position - 1).join("");
  const start = before.lastIndexOf("\n") + 1;
  const line = text.slice(start).split("\n", 1)[0];
  return `${message}\n${line}\n${" ".repeat([...before.slice(start)].length)}^`;
}
