// Draws BOARD (`page.html`): tables, stats, bars and time series with the units, colors, widths and mappings of the board.
// It follows Grafana where it matters for looking at a board: the grid of 24 columns, how series are named, what is cut off.
"use strict";

const CELL = 38;
const COLUMN = 1264 / 24;
const GAP = 8;
const PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#c8f2c2", "#ffb357", "#37872d", "#fade2a", "#447ebc"];
const COLORS = { green: "#73bf69", red: "#f2495c", "dark-red": "#c4162a", orange: "#ff9830", blue: "#5794f2", text: "#ccccdc" };

const colorOf = (name) => COLORS[name] || name;
const element = (tag, attributes = {}, text = "") => {
  const svg = ["svg", "path", "rect", "line", "text"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};

/** The properties of a column or series: the defaults, and what the overrides by name set. */
function configOf(panel, name) {
  const config = { ...panel.fieldConfig.defaults, custom: { ...panel.fieldConfig.defaults.custom } };
  for (const override of panel.fieldConfig.overrides) {
    if (override.matcher.options !== name) continue;
    for (const { id, value } of override.properties) {
      if (id.startsWith("custom.")) config.custom[id.slice(7)] = value;
      else config[id] = value;
    }
  }
  return config;
}

function thresholdColor(config, value) {
  let color = "text";
  for (const step of config.thresholds?.steps || []) if (step.value === null || value >= step.value) color = step.color;
  return colorOf(color);
}

function shown(value, kind, config) {
  if (value === null) return "";
  if (kind === "time" || config.unit?.startsWith("dateTimeAsIso")) {
    const date = typeof value === "number" ? new Date(value * 1000) : new Date(value);
    return date.toISOString().slice(0, 19).replace("T", " ");
  }
  if (kind !== "number") return String(value);
  const digits = config.decimals ?? (Number.isInteger(value) ? 0 : 2);
  const fixed = (number, suffix) => number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + suffix;
  if (config.unit === "percentunit") return fixed(value * 100, " %");
  if (config.unit === "short" && Math.abs(value) >= 10000) return (value / 1000).toFixed(1) + " K";
  return config.unit === "locale" ? fixed(value, "") : String(+value.toFixed(digits));
}

function drawTable(panel, { columns, rows }, body) {
  const table = element("table"), head = element("tr");
  const configs = columns.map((column) => configOf(panel, column.name));
  columns.forEach((column, i) => {
    const { width } = configs[i].custom;
    head.append(element("th", { class: column.kind === "number" ? "number" : "", style: width ? `width:${width - 12}px` : "" }, column.name));
  });
  table.append(head);
  for (const row of rows.slice(0, 40)) {
    const line = element("tr");
    row.forEach((value, i) => line.append(cell(value, columns[i].kind, configs[i])));
    table.append(line);
  }
  body.append(table);
}

function cell(value, kind, config) {
  const text = shown(value, kind, config), type = config.custom.cellOptions?.type;
  if (type === "gauge" && value !== null) {
    const td = element("td"), gauge = element("div", { class: "gauge" });
    const share = Math.min(1, value / config.max) * 100;
    gauge.append(element("i", { style: `width:${share}%;background:${thresholdColor(config, value)}` }), element("b", {}, text));
    td.append(gauge);
    return td;
  }
  let color = "";
  if (type === "color-text") {
    const mapped = config.mappings?.flatMap((mapping) => mapping.options[value] || [])[0];
    color = mapped ? colorOf(mapped.color) : thresholdColor(config, value);
  }
  return element("td", { class: kind === "number" ? "number" : "", style: color && `color:${color}` }, text);
}

function drawStat(panel, { columns, rows }, body) {
  const value = rows[0][columns.length - 1], config = configOf(panel, columns[columns.length - 1].name);
  body.append(element("div", { class: "stat", style: `color:${thresholdColor(config, value)}` }, shown(value, "number", config)));
}

/** Series by name, as Grafana makes them of rows: a column `metric` names them, else each column of numbers is one. */
function seriesOf({ columns, rows }) {
  const time = columns.findIndex((column) => column.name === "time"), metric = columns.findIndex((column) => column.name === "metric");
  const series = new Map();
  for (const row of rows) {
    columns.forEach((column, i) => {
      if (i === time || i === metric) return;
      const name = metric < 0 ? column.name : row[metric];
      if (!series.has(name)) series.set(name, []);
      const at = typeof row[time] === "number" ? row[time] * 1000 : Date.parse(row[time]);
      series.get(name).push([at, row[i]]);
    });
  }
  return [...series].map(([name, points]) => ({ name, points }));
}

function axis(svg, low, high, width, height, left, config) {
  for (let step = 0; step <= 4; step++) {
    const value = low + ((high - low) * step) / 4, y = height - 16 - ((height - 24) * step) / 4;
    svg.append(element("line", { x1: left, x2: width, y1: y, y2: y, stroke: "#25272d" }));
    svg.append(element("text", { x: left - 4, y: y + 3, "text-anchor": "end" }, compact(value, config)));
  }
}

function compact(value, config) {
  const [scale, suffix] = Math.abs(value) >= 1e6 ? [1e6, " M"] : Math.abs(value) >= 1e3 ? [1e3, " K"] : [1, ""];
  return config.unit === "percentunit" ? `${Math.round(value * 100)} %` : +(value / scale).toPrecision(3) + suffix;
}

function drawSeries(panel, frame, body, width, height) {
  const all = seriesOf(frame), { custom, min } = panel.fieldConfig.defaults;
  const stacked = custom.stacking !== undefined, bars = custom.drawStyle === "bars", left = 46, plot = height - 36;
  const svg = element("svg", { width, height: plot });
  const sums = new Map(), tops = all.map(({ points }) => points.map(([at, value]) => {
    const base = stacked ? sums.get(at) || 0 : 0;
    if (stacked) sums.set(at, base + value);
    return [at, base, base + value];
  }));
  const values = tops.flat().flatMap(([, base, top]) => (bars ? [base, top] : [top])).filter((value) => value !== null);
  let low = Math.min(min ?? Infinity, ...values), high = Math.max(...values);
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (at) => left + ((at - BOARD.from) / (BOARD.to - BOARD.from)) * (width - left);
  const y = (value) => plot - 16 - ((value - low) / (high - low)) * (plot - 24);
  axis(svg, low, high, width, plot, left, panel.fieldConfig.defaults);
  for (let tick = 0; tick <= 4; tick++) {
    const at = BOARD.from + ((BOARD.to - BOARD.from) * tick) / 5;
    svg.append(element("text", { x: x(at), y: plot - 2 }, new Date(at).toISOString().slice(11, 19)));
  }
  const bar = bars ? Math.max(2, (width - left) / 110) : 0;
  all.forEach((series, i) => {
    const color = colorOfSeries(panel, series.name, i);
    if (bars) for (const [at, base, top] of tops[i]) svg.append(element("rect", { x: x(at), y: y(top), width: bar, height: y(base) - y(top), fill: color }));
    else {
      // Steps, as `stepAfter` draws them; a single point is a dot.
      const path = tops[i].map(([at, , top], n) => (n ? `H${x(at)}V${y(top)}` : `M${x(at)},${y(top)}`)).join("");
      svg.append(element("path", { d: path + (tops[i].length === 1 ? "h3" : ""), fill: "none", stroke: color, "stroke-width": tops[i].length === 1 ? 4 : 1.3 }));
    }
  });
  body.append(svg, legend(panel, all));
}

function colorOfSeries(panel, name, index) {
  const { color } = configOf(panel, name);
  return color?.mode === "fixed" ? colorOf(color.fixedColor) : PALETTE[index % PALETTE.length];
}

function legend(panel, all) {
  const box = element("div", { class: "legend" }), [reduce] = panel.options.legend.calcs;
  all.forEach(({ name, points }, i) => {
    const values = points.map(([, value]) => value).filter((value) => value !== null), config = configOf(panel, name);
    const value = { sum: values.reduce((a, b) => a + b, 0), max: Math.max(...values), lastNotNull: values[values.length - 1] }[reduce];
    const entry = element("span", {}, reduce ? `${name}  ${shown(value, "number", config)}` : name);
    entry.prepend(element("i", { style: `background:${colorOfSeries(panel, name, i)}` }));
    box.append(entry);
  });
  return box;
}

function drawBars(panel, { columns, rows }, body, width, height) {
  const field = columns.findIndex((column) => column.name === panel.options.xField), left = 46, plot = height - 24;
  const numbers = columns.map((column, i) => ({ ...column, i })).filter((column) => column.kind === "number");
  const high = Math.max(...rows.flatMap((row) => numbers.map(({ i }) => row[i]))), svg = element("svg", { width, height: plot });
  axis(svg, 0, high, width, plot, left, panel.fieldConfig.defaults);
  const group = (width - left) / rows.length;
  rows.forEach((row, n) => {
    numbers.forEach(({ name, i }, k) => {
      const size = ((plot - 24) * row[i]) / high, bar = (group * 0.7) / numbers.length;
      svg.append(element("rect", { x: left + n * group + k * bar + group * 0.15, y: plot - 16 - size, width: bar * 0.9, height: size, fill: colorOfSeries(panel, name, k) }));
    });
    svg.append(element("text", { x: left + (n + 0.5) * group, y: plot - 2, "text-anchor": "middle" }, row[field]));
  });
  body.append(svg, legend(panel, numbers.map(({ name }) => ({ name, points: [] }))));
}

const DRAWN = { table: drawTable, stat: drawStat, timeseries: drawSeries, barchart: drawBars };

function draw(panel) {
  const { x, y, w, h } = panel.gridPos, width = w * COLUMN - GAP, height = h * CELL - GAP;
  const body = element("div", { class: "panel", style: `left:${x * COLUMN}px;top:${y * CELL}px;width:${width}px;height:${height}px` });
  body.append(element("h2", { title: panel.description }, panel.title));
  const [frame] = panel.frames;
  if (frame.rows.length === 0) body.append(element("div", { class: "empty" }, "No data"));
  else DRAWN[panel.type](panel, frame, body, width - 18, height - 40);
  return body;
}

document.title = BOARD.title;
document.querySelector("h1").textContent = BOARD.title;
document.querySelector("h1 + p").textContent = BOARD.description;
const board = document.getElementById("board");
for (const panel of BOARD.panels) {
  try {
    board.append(draw(panel));
  } catch (error) {
    const body = element("div", { class: "panel failed" }, `${panel.title}: ${error}`);
    board.append(body);
  }
}
board.style.height = `${Math.max(...BOARD.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * CELL}px`;
