// Documents in the order of their scores, and labels of texts.

import { $, lines, make, plural } from "./dom.js";
import { bar, chosen, parts, ranked, showCurl, showFacts, startForm } from "./panel.js";
import { Refusal, ask } from "./server.js";

async function rerank(panel, signal) {
  const body = { model: chosen(panel), query: $("rerank-query").value.trim(), documents: lines($("rerank-texts")) };
  if (!body.query) throw new Refusal("There is no question yet.");
  if (!body.documents.length) throw new Refusal("There are no documents yet. Write one per line.");
  const answer = await ask("v1/rerank", body, signal);
  const { results, usage } = await answer.json();
  const rows = results.map((r) => ({ text: body.documents[r.index], line: r.index + 1, score: r.relevance_score }));
  panel.querySelector(".view").replaceChildren(ranked(rows, (row) => `line ${row.line}`));
  showCurl(panel, "v1/rerank", body);
  showFacts(panel, answer, plural(rows.length, "document"), plural(usage.total_tokens, "token"));
}

const label_limit = 6;

async function classify(panel, signal) {
  const texts = lines($("classify-texts"));
  if (!texts.length) throw new Refusal("There is no text yet. Write one per line.");
  const body = { model: chosen(panel), inputs: texts.map((text) => [text]) };
  const answer = await ask("predict", body, signal);
  const found = await answer.json();
  const one = (text, labels) => make("div", { className: "labelled" }, make("h3", {}, text),
    make("dl", {}, ...labels.slice(0, label_limit).flatMap(({ label, score }) => [
      make("dt", {}, label), make("dd", {}, bar(score)), make("dd", { className: "score" }, score.toFixed(3))])),
    labels.length > label_limit ? make("small", { className: "facts" }, `and ${plural(labels.length - label_limit, "less likely label")}`) : "");
  panel.querySelector(".view").replaceChildren(...parts(texts.map((text, i) => one(text, found[i])), "text"));
  showCurl(panel, "predict", body);
  showFacts(panel, answer, plural(texts.length, "text"));
}

export function startScores() {
  startForm($("rerank"), rerank);
  startForm($("classify"), classify);
}
