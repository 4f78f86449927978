// The page of `quern serve`: one tab for each thing that the served models can do, over the public routes and nothing else.

import { startChat } from "./chat.js";
import { $, make } from "./dom.js";
import { startEmbed } from "./embed.js";
import { watchLoad } from "./load.js";
import { startMarks } from "./marks.js";
import { startScores } from "./scores.js";
import { answers, ask, keyFromUser } from "./server.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => $(tab.getAttribute("aria-controls"));
const look_every = 10_000, look_again_every = 2_000;  // milliseconds; the second one while the server is gone
let watching = false, gone = false;
let models = [];

function open(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
    panelOf(other).hidden = other !== tab;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  if (tab.id === "tab-load" && !watching) {
    watching = true;
    watchLoad($("load"));
  }
}

function startTabs() {
  for (const tab of tabs) tab.addEventListener("click", () => open(tab));
  $("tabs").addEventListener("keydown", (event) => {
    const shown = tabs.filter((tab) => !tab.hidden), at = shown.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = shown.at(to % shown.length);
    open(tab);
    tab.focus();
  });
  addEventListener("hashchange", () => {
    const tab = tabs.find((t) => !t.hidden && `#${t.getAttribute("aria-controls")}` === location.hash);
    if (tab) open(tab);
  });
}

/* A chat needs a template; the one label of a reranker is shown by Rerank. */
function fits(model, task) {
  return !(task === "generate" && model.chat === false) && !(task === "classify" && model.tasks.includes("rerank"));
}

/* Shows the tabs that some served model has the task for, and which models these are. */
function showModels() {
  for (const tab of tabs) {
    const task = tab.dataset.task;
    const able = models.filter((model) => model.tasks.includes(task) && fits(model, task));
    tab.hidden = Boolean(task) && !able.length;
    const select = panelOf(tab).querySelector("select");
    select?.replaceChildren(...able.map(({ id }) => make("option", {}, id)));
  }
  $("tabs").hidden = false;
  const shown = tabs.filter((tab) => !tab.hidden);
  open(shown.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? shown[0]);
}

function showState(kind, text) {
  $("state").className = kind;
  $("state-text").textContent = text;
}

function showTrouble(text) {
  showState("down", "not connected");
  $("trouble").textContent = text;
  $("trouble").hidden = false;
}

async function connect() {
  try {
    models = (await (await ask("v1/models")).json()).data;
    showModels();
    showState("ready", models.map((model) => model.id).join(", "));
    const info = await (await ask("info")).json();
    $("about").textContent = `quern ${info.version} on ${info.isa}`;
    $("trouble").hidden = true;
    gone = false;
  } catch (problem) {
    if (!gone) showTrouble(problem.message);
  }
}

/* Says when the server has gone, and connects when it is there again, perhaps with other models. */
function watchServer() {
  let timer = 0;
  const wait = (time) => { clearTimeout(timer); timer = setTimeout(look, time); };
  const look = async () => {
    if (!document.hidden) {
      if (!(await answers())) dispatchEvent(new Event("server-gone"));
      else if (gone) await connect();
    }
    wait(gone ? look_again_every : look_every);
  };
  addEventListener("server-gone", () => {
    if (gone) return;
    gone = true;
    showTrouble("The server does not answer any more. This page goes on by itself when it does.");
    wait(look_again_every);
  });
  wait(look_every);
}

function start() {
  document.addEventListener("submit", (event) => event.target.method !== "dialog" && event.preventDefault());
  $("key-button").hidden = sessionStorage.getItem("quern-key") === null;
  $("key-button").addEventListener("click", async () => (await keyFromUser(false)) && connect());
  $("key-cancel").addEventListener("click", () => $("key-dialog").close("cancel"));
  startTabs();
  startEmbed($("embed"));
  startScores();
  startMarks($("tag"));
  startChat($("chat"));
  watchServer();
  connect();
}

start();
