// The console: panels over the tables, refreshed as commits come.

import * as ask from "./ask.js";
import { update as updateFlow } from "./flow.js";
import { listen } from "./keys.js";
import { follow } from "./live.js";
import { Commits, Depth, Refresher, age, explained, limits, plain } from "./panels.js";
import { Statement } from "./statement.js";

const byId = (id) => document.getElementById(id);
const THEME = "headwater.theme";
/** The flow changes between commits, too. */
const FLOW_MS = 1000;

const refresher = new Refresher();
const commits = new Commits();
const depth = new Depth(byId("symbol"), byId("touch"));
const statement = new Statement();

async function openEvidence(id) {
  const [dialog, text] = [byId("evidence"), byId("evidence-text")];
  text.textContent = `reading ${id}`;
  dialog.showModal();
  try {
    text.textContent = (await ask.get(`/api/explain?${new URLSearchParams({ id })}`)).text;
  } catch (error) {
    text.textContent = ask.isGone(error) ? "the server does not answer" : error.message;
  }
}

async function verify() {
  const [button, proof] = [byId("verify"), byId("proof")];
  button.disabled = true;
  proof.className = "";
  proof.textContent = "reading all files";
  try {
    const result = await ask.verify();
    proof.className = result.is_proved ? "approve" : "error";
    proof.textContent = result.is_proved
      ? `${result.commits} commits, ${result.files} files, ${result.rows} rows as they were written; ${result.holds.length} invariants hold`
      : result.message;
  } catch (error) {
    proof.className = "error";
    proof.textContent = ask.isGone(error) ? "the server does not answer" : error.message;
  }
  button.disabled = false;
}

function chooseTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(THEME, theme);
  } catch {
    // It lasts as long as the page then.
  }
}

function togglePause() {
  refresher.isPaused = !refresher.isPaused;
  byId("pause").setAttribute("aria-pressed", String(refresher.isPaused));
  byId("pause").textContent = refresher.isPaused ? "Resume" : "Pause";
}

const STATES = { live: "live", lost: "connection lost; trying again", waiting: "connecting" };

function setState(state, text = STATES[state]) {
  Object.assign(byId("connection"), { textContent: text }).dataset.state = state;
}

function showCommit() {
  const { last } = commits;
  byId("commit").textContent = last ? `commit ${last.commit_id}` : "no commit";
  byId("age").textContent = age(last);
}

function follows() {
  follow({
    commit: (commit) => {
      commits.add(commit);
      showCommit();
      refresher.stale();
    },
    state: (state) => {
      setState(state);
      if (state === "live") refresher.stale();
    },
    failed: (message) => setState("lost", message),
  });
  setInterval(showCommit, 1000);
}

function contents() {
  const links = [...document.querySelectorAll(".panel")].filter((panel) => !panel.hidden).map((panel) => {
    const link = document.createElement("a");
    link.href = `#${panel.id}`;
    link.textContent = panel.querySelector("h2").textContent;
    return link;
  });
  byId("contents").replaceChildren(...links);
  return links;
}

async function begin() {
  try {
    const theme = localStorage.getItem(THEME);
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // As the system has it.
  }
  byId("theme").addEventListener("click", chooseTheme);
  byId("pause").addEventListener("click", togglePause);
  byId("help").addEventListener("click", () => byId("keys").showModal());
  byId("verify").addEventListener("click", verify);
  byId("symbol").addEventListener("change", () => refresher.stale("depth"));
  let status = { has_flow: true, reads_all: true };
  try {
    status = await ask.get("/api/status");
  } catch (error) {
    if (!ask.isGone(error)) setState("lost", error.message);
  }
  byId("flow").hidden = !status.has_flow;
  byId("verify").hidden = !status.reads_all;
  if (status.has_flow) {
    refresher.add("flow", updateFlow);
    setInterval(() => refresher.stale("flow"), FLOW_MS);
  }
  refresher.add("books", plain("books", "No book holds anything yet."));
  refresher.add("limits", limits);
  refresher.add("positions", plain("positions", "There is no position yet."));
  refresher.add("depth", (section) => depth.update(section));
  refresher.add("alerts", explained("alerts", "No alert is open.", openEvidence));
  refresher.add("verdicts", plain("verdicts", "Nothing is decided yet."));
  refresher.add("decisions", explained("decisions", "Nothing is reviewed or blocked.", openEvidence));
  refresher.add("dead_letters", plain("dead_letters", "No record was rejected."));
  refresher.add("commits", (section) => commits.update(section));
  const links = contents();
  listen([
    { key: "?", does: "this list", run: () => byId("keys").showModal() },
    { key: "/", does: "write SQL", run: () => statement.focus() },
    { key: "Ctrl+Enter", does: "run the statement" },
    { key: "r", does: "refresh all panels", run: () => refresher.stale() },
    { key: "p", does: "pause, resume", run: togglePause },
    { key: "t", does: "dark, light", run: chooseTheme },
    { key: "v", does: "verify", run: () => status.reads_all && verify() },
    ...links.slice(0, 9).map((link, index) => ({ key: String(index + 1), does: link.textContent, run: () => link.click() })),
    { key: "Esc", does: "close" },
  ]);
  follows();
}

begin();
