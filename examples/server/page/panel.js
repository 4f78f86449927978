// What the tabs' panels share: a busy button, errors, facts about an answer, the same request as a curl line, lists with bars.

import { make, plural } from "./dom.js";
import { Refusal } from "./server.js";

const narrow = matchMedia("(max-width: 820px)");  // as in style.css: results are below what they come from
export const chosen = (panel) => panel.querySelector("select").value;

/* Runs `work` for a panel with its button busy; its error, if any, becomes the panel's. */
export async function run(panel, button, work) {
  const error = panel.querySelector(".error");
  error.hidden = true;
  button.disabled = true;
  panel.setAttribute("aria-busy", "true");
  try {
    await work();
    if (narrow.matches) panel.querySelector(".result")?.scrollIntoView({ block: "start" });
  } catch (problem) {
    if (!(problem instanceof Refusal)) console.error(problem);
    error.textContent = problem instanceof Refusal ? problem.message : `This page failed: ${problem.message}`;
    error.hidden = false;
  } finally {
    button.disabled = false;
    panel.removeAttribute("aria-busy");
  }
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

export function bar(share) {
  const fill = make("i");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("div", { className: "bar", ariaHidden: "true" }, fill);
}

/* An ordered list of texts with scores; the bars run from the least score (or 0) to the greatest. */
export function ranked(rows, place) {
  const scores = rows.map((row) => row.score);
  const low = Math.min(0, ...scores), high = Math.max(...scores);
  return make("ol", { className: "ranked" }, ...rows.map((row, i) => make("li", {},
    make("span", { className: "place" }, `${i + 1}.`),
    make("span", { className: "text" }, row.text, make("small", {}, place(row, i))),
    make("span", { className: "score" }, row.score.toFixed(3)),
    bar(high > low ? (row.score - low) / (high - low) : 0))));
}
