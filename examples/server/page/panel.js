// What the tabs' panels share: a busy button, errors, facts about an answer, the same request as a curl line, results that are
// no longer true, lists with bars.

import { make, plural } from "./dom.js";
import { Refusal } from "./server.js";

const narrow = matchMedia("(max-width: 820px)");  // as in style.css: results are below what they come from
export const chosen = (panel) => panel.querySelector("select").value;

const patience = 2000;  // milliseconds until a panel says why it may take a while

const runs = new WeakMap();  // of panels: what ends their request

/* Runs `work` for a panel with its button busy; its error, if any, becomes the panel's. work: takes a signal for its requests. */
export async function run(panel, button, work) {
  const error = panel.querySelector(".error"), facts = panel.querySelector(".facts");
  error.hidden = true;
  button.disabled = true;
  panel.setAttribute("aria-busy", "true");
  const ends = new AbortController();
  runs.set(panel, ends);
  const slow = setTimeout(() => { facts.textContent ||= "Still working. A model's first request may have to load it."; }, patience);
  try {
    await work(ends.signal);
    if (narrow.matches) panel.querySelector(".result")?.scrollIntoView({ block: "start" });
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (!(problem instanceof Refusal)) console.error(problem);
    error.textContent = problem instanceof Refusal ? problem.message : `This page failed: ${problem.message}`;
    error.hidden = false;
    facts.textContent = "";
  } finally {
    clearTimeout(slow);
    button.disabled = false;
    panel.removeAttribute("aria-busy");
  }
}

/* A function that takes a panel's results away: they are of texts or a model that are no longer what the fields say. It is called
 * when the fields change; `also` is called with it. */
export function clearer(panel, also = () => {}) {
  const views = [...panel.querySelectorAll(".view")].map((view) => [view, [...view.childNodes]]);
  const changed = () => { runs.get(panel)?.abort(); clear(); };
  const clear = () => {
    for (const [view, empty] of views) view.replaceChildren(...empty);
    panel.querySelector(".facts").textContent = "";
    panel.querySelector(".curl").hidden = true;
    panel.querySelector(".error").hidden = true;
    also();
  };
  panel.querySelector("form").addEventListener("input", changed);
  panel.querySelector("select").addEventListener("change", changed);
  return clear;
}

export function showCurl(panel, path, body) {
  const box = panel.querySelector(".curl");
  const key = sessionStorage.getItem("quern-key") ? ' \\\n  -H "Authorization: Bearer $QUERN_API_KEY"' : "";
  const data = JSON.stringify(body).replaceAll("'", "'\\''");
  box.querySelector("pre").textContent =
    `curl ${new URL(path, document.baseURI)} -H "Content-Type: application/json"${key} \\\n  -d '${data}'`;
  box.hidden = false;
}

export function showFacts(panel, answer, ...parts) {
  const cut = Number(answer.headers.get("x-truncated-inputs") ?? 0);
  const time = answer.headers.get("x-total-time");
  if (time !== null) parts.push(`${Number(time).toFixed(1)} ms`);
  if (cut) parts.push(`${plural(cut, "text")} cut to the length that the model takes`);
  panel.querySelector(".facts").textContent = parts.join(" · ");
}

/* A bar from 0 to a value, where `low` (0, or -high) and `high` are the ends of what is possible. */
export function bar(value, low = 0, high = 1) {
  const place = (v) => (Math.max(low, Math.min(high, v)) - low) / (high - low) * 100;
  const fill = make("i");
  fill.style.left = `${Math.min(place(0), place(value))}%`;
  fill.style.width = `${Math.abs(place(value) - place(0))}%`;
  return make("div", { className: low < 0 ? "bar signed" : "bar", ariaHidden: "true" }, fill);
}

/* The ends of bars for some scores: 0 and 1, -1 and 1, or what holds them (some models' scores have no bounds). */
function scale(scores) {
  const least = Math.min(0, ...scores), most = Math.max(0, ...scores.map(Math.abs));
  const high = Math.max(1, Math.ceil(most - 1e-3));
  return [least < 0 ? -high : 0, high];
}

const rows_at_first = 100;

/* Many elements: the first of them, and a button that adds the others. */
export function parts(elements, noun, add = (more, all) => more.replaceWith(...all)) {
  if (elements.length <= rows_at_first) return elements;
  const others = elements.slice(rows_at_first);
  const more = make("button", { type: "button", className: "quiet more" }, `Show ${plural(others.length, `more ${noun}`)}`);
  more.addEventListener("click", () => add(more, others));
  return [...elements.slice(0, rows_at_first), more];
}

/* An ordered list of texts with scores. `ends`: of the bars; by default what the scores need. */
export function ranked(rows, place, ends = scale(rows.map((row) => row.score))) {
  const items = rows.map((row, i) => make("li", {},
    make("span", { className: "place" }, `${i + 1}.`),
    make("span", { className: "text" }, row.text, make("small", {}, place(row, i))),
    make("span", { className: "score" }, row.score.toFixed(3)),
    bar(row.score, ...ends)));
  const list = make("ol", { className: "ranked" });
  const shown = parts(items, "row", (more, others) => { list.append(...others); more.remove(); });
  list.append(...shown.slice(0, rows_at_first));
  return make("div", {}, list, ...shown.slice(rows_at_first), make("p", { className: "scale" }, `Bars run from ${ends[0]} to ${ends[1]}.`));
}

/* A form whose results are taken away when it changes, and when it is sent again. work: takes the panel and a signal. */
export function startForm(panel, work) {
  const form = panel.querySelector("form");
  const clear = clearer(panel);
  form.addEventListener("submit", () => run(panel, form.querySelector(".go"), (signal) => { clear(); return work(panel, signal); }));
}
