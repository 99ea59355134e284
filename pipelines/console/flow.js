// The flow as a drawing: topics, views, commits, outbox.

import { get } from "./ask.js";
import { svg } from "./chart.js";
import { shown } from "./table.js";

const ROW = 26, BOX = 20, TOP = 26;
const COLUMN = { topics: 0, views: 400, commits: 690, outbox: 960 };
const WIDTH = { topics: 310, views: 200, commits: 190, outbox: 150 };

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const rate = (value) => `${value < 10 ? value.toFixed(1) : compact.format(value)}/s`;

/** Asks for the flow, and draws it. */
export async function update(section) {
  const report = await get("/api/flow");
  section.querySelector(".drawing").replaceChildren(drawn(report));
}

function drawn(report) {
  const topics = report.topics.filter((topic) => topic.records > 0 || topic.lag > 0);
  const rows = Math.max(topics.length, report.views.length, 5);
  const [height, width] = [TOP + rows * ROW + 4, COLUMN.outbox + WIDTH.outbox + 4];
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary(report, topics) });
  const middle = TOP + (rows * ROW) / 2;
  for (const [name, column] of [["topics", "topics"], ["views (share of a processor)", "views"], ["commits", "commits"], ["outbox", "outbox"]]) {
    picture.append(svg("text", { class: "head", x: COLUMN[column], y: 14 }, name));
  }
  const center = (index, count) => middle + (index - (count - 1) / 2) * ROW;
  const [joint, right] = [COLUMN.views - 34, COLUMN.views + WIDTH.views];
  topics.forEach((topic, index) => picture.append(curve(COLUMN.topics + WIDTH.topics, center(index, topics.length), joint, middle, topic.records_per_second > 0)));
  report.views.forEach((view, index) => {
    const y = center(index, report.views.length);
    picture.append(curve(joint, middle, COLUMN.views, y, view.busy > 0), curve(right, y, COLUMN.commits, middle, view.busy > 0));
  });
  picture.append(curve(COLUMN.commits + WIDTH.commits, middle, COLUMN.outbox, middle, report.outbox.commit_id > 0));
  topics.forEach((topic, index) => topicBox(picture, topic, center(index, topics.length), report.lag_unit));
  report.views.forEach((view, index) => viewBox(picture, view, center(index, report.views.length)));
  const { commits, outbox } = report;
  lines(picture, COLUMN.commits, WIDTH.commits, middle, [
    `commit ${commits.last}`,
    `${rate(commits.commits_per_second)}  ${rate(commits.rows_per_second).replace("/s", " rows/s")}`,
    `${commits.live_files} live files`,
    commits.frontier ? `to ${shown(commits.frontier, "TIMESTAMP").slice(0, 19)}` : "no frontier yet",
    commits.seconds_ago === null ? "none of this run yet" : `${commits.seconds_ago.toFixed(1)} s ago`,
  ]);
  const behind = commits.last - outbox.commit_id;
  lines(picture, COLUMN.outbox, WIDTH.outbox, middle, outbox.commit_id === 0 ? ["publishes nothing"] : [`commit ${outbox.commit_id}`, behind > 0 ? `lags by ${behind}` : "up to date"]);
  return picture;
}

function summary(report, topics) {
  const holder = topics.find((topic) => topic.holds_frontier !== null);
  const slowest = holder ? `; ${holder.topic} partition ${holder.holds_frontier} holds the frontier` : "";
  return `${topics.length} topics feed ${report.views.length} views; commit ${report.commits.last}${slowest}`;
}

const curve = (x1, y1, x2, y2, isMoving) =>
  svg("path", { class: isMoving ? "line moving" : "line", d: `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}` });

function topicBox(picture, topic, y, unit) {
  const kind = topic.dead_letters > 0 ? " rejects" : "";
  const holder = topic.holds_frontier === null ? "" : " holder";
  const box = svg("rect", { class: `box${kind}${holder}`, x: COLUMN.topics + 1, y: y - BOX / 2, width: WIDTH.topics - 1, height: BOX, rx: 4 });
  const about = [`${topic.topic}: ${topic.records} records in ${topic.partitions} partitions`, `lag ${topic.lag} ${unit}`, `${topic.dead_letters} dead letters`];
  if (topic.clock) about.push(`clock ${topic.clock}`);
  if (topic.holds_frontier !== null) about.push(`partition ${topic.holds_frontier} holds the frontier`);
  box.append(svg("title", {}, about.join("\n")));
  const state = topic.holds_frontier !== null ? "frontier" : topic.lag > 0 ? `lag ${compact.format(topic.lag)}` : "";
  picture.append(
    box,
    svg("text", { x: COLUMN.topics + 8, y: y + 4 }, topic.topic),
    svg("text", { class: "value end", x: COLUMN.topics + 168, y: y + 4 }, rate(topic.records_per_second)),
    svg("text", { class: "value end faint", x: COLUMN.topics + 224, y: y + 4 }, compact.format(topic.records)),
    svg("text", { class: "faint", x: COLUMN.topics + 236, y: y + 4 }, state),
  );
}

function viewBox(picture, view, y) {
  const share = Math.min(1, view.busy);
  picture.append(
    svg("rect", { class: "box", x: COLUMN.views, y: y - BOX / 2, width: WIDTH.views, height: BOX, rx: 4 }),
    svg("rect", { class: "bar", x: COLUMN.views, y: y + BOX / 2 - 3, width: Math.max(0, share * WIDTH.views), height: 3 }),
    svg("text", { x: COLUMN.views + 8, y: y + 3 }, view.name),
    svg("text", { class: "value end faint", x: COLUMN.views + WIDTH.views - 8, y: y + 3 }, `${(view.busy * 100).toFixed(1)} %`),
  );
}

function lines(picture, x, width, middle, texts) {
  const height = texts.length * 18 + 10;
  picture.append(svg("rect", { class: "box", x, y: middle - height / 2, width, height, rx: 4 }));
  texts.forEach((text, index) => picture.append(svg("text", { class: index === 0 ? "value" : "value faint", x: x + 10, y: middle - height / 2 + 19 + index * 18 }, text)));
}
