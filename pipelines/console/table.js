// Tables of rows. Values are texts of the server, and stay texts: nothing of them is read as HTML or as a number.

/** An element with a class and a text. */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

const LONG = 48;
/** Words that have a colour wherever they are a whole value. */
const WORDS = new Set(["critical", "high", "medium", "approve", "review", "block", "buy", "sell"]);

/** A time in UTC without the zone and beyond milliseconds; other texts as they are. */
export function shown(value, type) {
  if (!type.startsWith("TIMESTAMP")) return value;
  const [, date, clock, fraction = ""] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/.exec(value) ?? [];
  return date ? `${date} ${clock}${fraction.slice(0, 4)}` : value;
}

function cell(value, column) {
  const data = element("td");
  if (column.is_number) data.classList.add("number");
  if (value === null) {
    data.classList.add("null");
    data.textContent = "·";
    data.title = "NULL";
    return data;
  }
  data.textContent = shown(value, column.type);
  if (column.is_number && value.startsWith("-")) data.classList.add("negative");
  if (column.type === "VARCHAR" && WORDS.has(value)) data.classList.add(value);
  if (!column.is_number && value.length > LONG) data.classList.add("long");
  if (column.type.startsWith("TIMESTAMP")) data.title = value;
  return data;
}

function head(columns, lead) {
  const row = element("tr");
  for (const name of lead) row.append(element("th", "", name));
  for (const column of columns) {
    const name = element("th", column.is_number ? "number" : "", column.name);
    name.scope = "col";
    name.title = column.type;
    row.append(name);
  }
  const made = element("thead");
  made.append(row);
  return made;
}

/**
 * A table of a sheet. `each(values, row)` may change a row, `hidden` names columns that are not shown, `lead` heads the cells that
 * `each` puts first.
 */
export function table(sheet, { each = () => {}, hidden = [], lead = [] } = {}) {
  const kept = sheet.columns.map((column, index) => ({ ...column, index })).filter((column) => !hidden.includes(column.name));
  const made = element("table");
  const body = element("tbody");
  for (const values of sheet.rows) {
    const row = element("tr");
    for (const column of kept) row.append(cell(values[column.index], column));
    each(values, row);
    body.append(row);
  }
  made.append(head(kept, lead), body);
  return made;
}

/** Replaces what a panel shows, and keeps its scroll position and the focus inside it. */
export function show(rows, content) {
  const { scrollLeft, scrollTop } = rows;
  const focused = rows.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  rows.replaceChildren(content);
  Object.assign(rows, { scrollLeft, scrollTop });
  if (focused === undefined) return;
  for (const button of rows.querySelectorAll("button")) if (button.dataset.id === focused) button.focus();
}
