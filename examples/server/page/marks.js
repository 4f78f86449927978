// Places in texts that a token classifier has found, marked where they stand.

import { $, lines, make, plural } from "./dom.js";
import { chosen, parts, showCurl, showFacts, startForm } from "./panel.js";
import { Refusal, ask } from "./server.js";

const shades = 6;  // in style.css

/* A text with its marks. Places are in characters (code points), of which a string's unit may be half of one. */
function marked(text, spans, shade) {
  const characters = Array.from(text);
  const box = make("p", { className: "marked" });
  let at = 0;
  for (const { entity_group, score, start, end } of spans) {
    if (start < at) continue;  // none lies in another
    box.append(characters.slice(at, start).join(""),
      make("mark", { className: `shade-${shade(entity_group)}`, title: `${entity_group} ${score.toFixed(4)}` },
        characters.slice(start, end).join(""), make("small", {}, entity_group)));
    at = end;
  }
  box.append(characters.slice(at).join(""));
  return box;
}

async function tag(panel, signal) {
  const texts = lines($("tag-texts"));
  if (!texts.length) throw new Refusal("There is no text yet. Write one per line.");
  const body = { model: chosen(panel), inputs: texts.map((text) => [text]) };
  const answer = await ask("predict", body, signal);
  const found = await answer.json();
  const counts = new Map();
  for (const { entity_group } of found.flat()) counts.set(entity_group, (counts.get(entity_group) ?? 0) + 1);
  const order = [...counts.keys()].sort();
  const shade = (label) => order.indexOf(label) % shades;
  const legend = make("p", { className: "legend" }, ...order.map((label) =>
    make("span", {}, make("mark", { className: `shade-${shade(label)}` }, label), ` ${counts.get(label)}`)));
  panel.querySelector(".view").replaceChildren(order.length ? legend : make("p", { className: "legend" }, "The model marks nothing in these texts."),
    ...parts(texts.map((text, i) => marked(text, found[i], shade)), "text"));
  showCurl(panel, "predict", body);
  showFacts(panel, answer, plural(texts.length, "text"), plural(found.flat().length, "place"));
}

export const startMarks = (panel) => startForm(panel, tag);
