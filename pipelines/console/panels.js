// Panels: when they are asked again, and what each shows.

import * as ask from "./ask.js";
import { element, show, shown, table } from "./table.js";
import { svg } from "./chart.js";

/** Panels are asked at most this often: ten times a second. */
const PAUSE_MS = 100;
/** From here on a limit is near: the default of `warn_at`. */
const NEAR = 80;

/** Panels that are asked again when there is something new, while they can be seen. */
export class Refresher {
  #panels = [];
  #isPaused = false;
  #timer = null;

  constructor() {
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const panel = this.#panels.find(({ section }) => section === target);
        if (panel) panel.isSeen = isIntersecting;
      }
      this.#plan();
    }, { rootMargin: "80px" });
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  /** Adds a panel; `update(section)` asks for it and shows it. */
  add(name, update) {
    const section = document.getElementById(name);
    this.#panels.push({ name, section, update, isSeen: false, isStale: true, isAsking: false, askedAt: 0 });
    this.observer.observe(section);
  }

  /** There is something new for one panel, or for all. */
  stale(name) {
    for (const panel of this.#panels) if (name === undefined || panel.name === name) panel.isStale = true;
    this.#plan();
  }

  set isPaused(value) {
    this.#isPaused = value;
    this.#plan();
  }

  get isPaused() {
    return this.#isPaused;
  }

  #plan() {
    if (this.#timer === null) this.#timer = setTimeout(() => { this.#timer = null; this.#ask(); }, 0);
  }

  #ask() {
    if (this.#isPaused || document.visibilityState !== "visible") return;
    const now = performance.now();
    let next = Infinity;
    for (const panel of this.#panels) {
      // One that is being asked is looked at again when its answer comes.
      if (!panel.isSeen || !panel.isStale || panel.isAsking) continue;
      const due = panel.askedAt + PAUSE_MS;
      if (due > now) next = Math.min(next, due);
      else this.#refresh(panel, now);
    }
    if (next < Infinity && this.#timer === null) {
      this.#timer = setTimeout(() => { this.#timer = null; this.#ask(); }, next - now);
    }
  }

  async #refresh(panel, now) {
    Object.assign(panel, { isStale: false, isAsking: true, askedAt: now });
    const note = panel.section.querySelector(".note");
    try {
      await panel.update(panel.section);
      note.hidden = true;
    } catch (error) {
      // That the server is gone is shown at the top; the rows stay as they were.
      if (ask.isGone(error)) panel.isStale = true;
      else Object.assign(note, { textContent: error.message, hidden: false });
    }
    panel.isAsking = false;
    if (panel.isStale && !this.#isPaused) setTimeout(() => this.#plan(), PAUSE_MS);
  }
}

const rowsOf = (section) => section.querySelector(".rows");
const place = (sheet, name) => sheet.columns.findIndex((column) => column.name === name);
const nothing = (text) => element("p", "quiet", text);

/** A panel that shows its rows as they are. */
export const plain = (name, empty, options = () => ({})) => async (section) => {
  const sheet = await ask.panel(name);
  show(rowsOf(section), sheet.rows.length === 0 ? nothing(empty) : table(sheet, options(sheet)));
};

/** Marks limits that are exceeded or near. */
export const limits = plain("limits", "No figure has a limit yet.", (sheet) => ({
  each: (values, row) => {
    const at = place(sheet, "used %");
    const used = Number(values[at]);
    row.children[at].classList.add("used");
    if (used > 100) row.classList.add("over");
    else if (used >= NEAR) row.classList.add("near");
  },
}));

/** Rows with a button that opens their explanation. */
export const explained = (name, empty, open) => plain(name, empty, (sheet) => ({
  hidden: ["id"],
  each: (values, row) => {
    const id = values[place(sheet, "id")];
    const button = element("button", "", "Explain");
    Object.assign(button, { type: "button", title: id });
    button.dataset.id = id;
    button.setAttribute("aria-label", `Explain ${id}`);
    button.addEventListener("click", () => open(id));
    const cell = element("td");
    cell.append(button);
    row.prepend(cell);
  },
  lead: [""],
}));

/** The book of a symbol: bids and asks by price. */
export class Depth {
  constructor(select, touch) {
    Object.assign(this, { select, touch });
  }

  async update(section) {
    const symbols = await ask.panel("symbols");
    this.#choose(symbols);
    const symbol = this.select.value;
    if (!symbol) return show(rowsOf(section), nothing("No symbol has a book yet."));
    const sheet = await ask.panel("depth", { symbol });
    this.#touch(symbols, symbol);
    show(rowsOf(section), sheet.rows.length === 0 ? nothing(`No limit order of ${symbol} rests.`) : ladder(sheet));
  }

  #choose(symbols) {
    const names = symbols.rows.map(([symbol]) => symbol);
    const known = [...this.select.options].map((option) => option.value);
    if (names.length === known.length && names.every((name, index) => name === known[index])) return;
    const chosen = this.select.value;
    this.select.replaceChildren(...names.map((name) => Object.assign(element("option", "", name), { value: name })));
    if (names.includes(chosen)) this.select.value = chosen;
  }

  #touch(symbols, symbol) {
    const row = symbols.rows.find(([name]) => name === symbol) ?? [];
    const value = (name) => row[place(symbols, name)] ?? "·";
    this.touch.textContent = `bid ${value("bid")}  ask ${value("ask")}  last ${value("last")}`;
  }
}

const BAR = 90;

/** One row for each price: orders and quantity of bids at the left, of asks at the right. */
function ladder(sheet) {
  const [side, price, quantity, orders] = ["side", "price", "quantity", "orders"].map((name) => place(sheet, name));
  const most = Math.max(...sheet.rows.map((values) => Number(values[quantity])));
  const made = element("table", "ladder");
  const head = element("tr");
  for (const name of ["orders", "bid", "", "price", "", "ask", "orders"]) {
    const cell = element("th", "number", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = element("tbody");
  for (const values of sheet.rows) {
    const isBid = values[side] === "buy";
    const number = (text, kind = "") => element("td", `number ${kind}`, text);
    const own = [number(values[orders]), number(values[quantity], isBid ? "buy" : "sell")];
    const bar = element("td");
    const length = Math.max(1, (Number(values[quantity]) / most) * BAR);
    const picture = svg("svg", { width: BAR, height: 12, "aria-hidden": "true" });
    picture.append(svg("rect", { class: isBid ? "bid" : "ask", x: isBid ? BAR - length : 0, y: 0, width: length, height: 12 }));
    bar.append(picture);
    const none = () => [element("td"), element("td"), element("td")];
    const row = element("tr");
    row.append(...(isBid ? [...own, bar] : none()), number(values[price]), ...(isBid ? none() : [bar, ...own.reverse()]));
    body.append(row);
  }
  const top = element("thead");
  top.append(head);
  made.append(top, body);
  return made;
}

const COMMITS_MAX = 20;

/** The newest commits, as the stream brings them. */
export class Commits {
  #newest = [];

  add(commit) {
    this.#newest.unshift(commit);
    this.#newest.length = Math.min(this.#newest.length, COMMITS_MAX);
  }

  forget() {
    this.#newest = [];
  }

  get last() {
    return this.#newest[0];
  }

  async update(section) {
    const columns = [
      { name: "commit", type: "BIGINT", is_number: true },
      { name: "rows", type: "BIGINT", is_number: true },
      { name: "files", type: "BIGINT", is_number: true },
      { name: "event time to", type: "TIMESTAMP", is_number: false },
      { name: "committed", type: "TIMESTAMP", is_number: false },
    ];
    const text = (value) => (value === undefined || value === null ? null : String(value));
    const rows = this.#newest.map(({ commit_id, rows, files, end, committed_at }) => [commit_id, rows, files, end, committed_at].map(text));
    show(rowsOf(section), rows.length === 0 ? nothing("Nothing is committed yet.") : table({ columns, rows }));
  }
}

/** Time since a commit, in words; the clock of this machine may differ from the server's. */
export function age(commit) {
  if (!commit?.committed_at) return "";
  const seconds = Math.max(0, (Date.now() - Date.parse(commit.committed_at)) / 1000);
  if (seconds < 100) return `${seconds.toFixed(0)} s ago`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min ago`;
  return shown(commit.committed_at, "TIMESTAMP");
}
