// A simple chart of a sheet: the first column is x, the numeric ones after it are y. Drawing needs floating point; the table has the exact values.

const SPACE = "http://www.w3.org/2000/svg";
const SERIES_MAX = 6;
const POINTS_MAX = 5000;

/** An SVG element with attributes and a text. */
export function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

const isTime = (column) => column.type.startsWith("TIMESTAMP") || column.type === "DATE";

/** Positions of the first column: times and numbers by value, other texts by place. */
function places(sheet) {
  const [column] = sheet.columns;
  if (isTime(column)) return sheet.rows.map(([value]) => Date.parse(value ?? ""));
  if (column.is_number) return sheet.rows.map(([value]) => (value === null ? NaN : Number(value)));
  return sheet.rows.map((_, index) => index);
}

/** Round steps between two values. */
export function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw);
  const all = [];
  // Adding 0 makes 0 of -0.
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) all.push(at + 0);
  return all;
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

function label(column, sheet, at) {
  if (isTime(column)) return new Date(at).toISOString().slice(column.type === "DATE" ? 0 : 11, column.type === "DATE" ? 10 : 19);
  if (column.is_number) return short.format(at);
  return (sheet.rows[at]?.[0] ?? "").slice(0, 14);
}

/** The chart, or a sentence where there is nothing to draw. */
export function chart(sheet, width) {
  const numeric = sheet.columns.map((column, index) => ({ ...column, index })).filter((column) => column.index > 0 && column.is_number);
  const series = numeric.slice(0, SERIES_MAX);
  const at = places(sheet);
  const usable = at.map((x, index) => index).filter((index) => Number.isFinite(at[index])).slice(0, POINTS_MAX);
  if (series.length === 0 || usable.length === 0) {
    const note = document.createElement("p");
    note.className = "quiet";
    note.textContent = "A chart needs rows, a first column for x, and numeric columns after it.";
    return note;
  }
  const [first] = sheet.columns;
  const isOrdered = isTime(first) || first.is_number;
  if (isOrdered) usable.sort((a, b) => at[a] - at[b]);
  const lines = series.map(({ index, name }) => ({
    name,
    points: usable.filter((row) => sheet.rows[row][index] !== null).map((row) => [at[row], Number(sheet.rows[row][index])]).filter(([, y]) => Number.isFinite(y)),
  }));
  return drawn({ lines, sheet, first, isOrdered }, width);
}

function drawn({ lines, sheet, first, isOrdered }, width) {
  const height = 260, left = 58, right = 12, top = 10, bottom = 24 + 18 * Math.ceil(lines.length / 3);
  const points = lines.flatMap((line) => line.points);
  const bounds = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  let [x0, x1] = bounds(points.map(([x]) => x));
  let [y0, y1] = bounds([0, ...points.map(([, y]) => y)]);
  if (x0 === x1) [x0, x1] = [x0 - 1, x1 + 1];
  if (y0 === y1) [y0, y1] = [y0 - 1, y1 + 1];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => top + ((y1 - value) / (y1 - y0)) * (height - top - bottom);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Chart of ${lines.map((line) => line.name).join(", ")}` });
  for (const value of ticks(y0, y1, 5)) {
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    picture.append(svg("text", { class: "faint end value", x: left - 6, y: y(value) + 4 }, short.format(value)));
  }
  picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(0), y2: y(0) }));
  const marks = isOrdered ? [x0, (x0 + x1) / 2, x1] : ticks(0, sheet.rows.length - 1, Math.max(1, Math.min(8, width / 110))).filter(Number.isInteger);
  marks.forEach((value, place) => {
    const side = isOrdered && place === 0 ? "" : isOrdered && place === 2 ? "end" : "middle";
    picture.append(svg("text", { class: `faint ${side}`, x: Math.max(left, x(value)), y: height - bottom + 15 }, label(first, sheet, value)));
  });
  lines.forEach((line, place) => {
    const path = line.points.map(([px, py], index) => `${index === 0 ? "M" : "L"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
    picture.append(svg("path", { class: `series series-${place + 1}`, d: path }));
    if (line.points.length <= 60) {
      for (const [px, py] of line.points) picture.append(svg("circle", { class: `dot-${place + 1}`, cx: x(px).toFixed(1), cy: y(py).toFixed(1), r: 2.4 }));
    }
    const [column, row] = [place % 3, Math.floor(place / 3)];
    const [legendX, legendY] = [left + (column * (width - left)) / 3, height - 6 - 18 * (Math.ceil(lines.length / 3) - 1 - row)];
    picture.append(svg("circle", { class: `dot-${place + 1}`, cx: legendX, cy: legendY - 4, r: 4 }));
    picture.append(svg("text", { class: "faint", x: legendX + 8, y: legendY }, line.name.slice(0, 24)));
  });
  return picture;
}
