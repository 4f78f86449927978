// Texts as vectors: how similar each is to each, where they lie on a plane, and which are nearest to a question.

import { $, clipped, draw, lines, make, plural } from "./dom.js";
import { chosen, clearer, ranked, run, showCurl, showFacts } from "./panel.js";
import { Refusal, ask } from "./server.js";

const embedded = { texts: [], vectors: [] };

async function embed(panel, texts, kind, signal) {
  const body = { model: chosen(panel), input: texts, input_type: kind };
  const answer = await ask("v1/embeddings", { ...body, encoding_format: "base64" }, signal);
  const { data, usage } = await answer.json();
  const vectors = data.map(({ embedding }) =>
    new Float32Array(Uint8Array.from(atob(embedding), (c) => c.charCodeAt(0)).buffer));
  showCurl(panel, "v1/embeddings", body);
  showFacts(panel, answer, plural(texts.length, "text"), plural(usage.total_tokens, "token"), plural(vectors[0].length, "dimension"));
  return vectors;
}

function cosine(a, b) {
  let product = 0, left = 0, right = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    left += a[i] * a[i];
    right += b[i] * b[i];
  }
  return product / (Math.sqrt(left * right) || 1);
}

const table_limit = 40;
const short = (value) => value.toFixed(2).replace(/^(-?)0\./, "$1.").replace("1.00", "1");

function showSimilarity({ texts, vectors }) {
  const n = Math.min(texts.length, table_limit);
  const cells = vectors.slice(0, n).map((a) => vectors.slice(0, n).map((b) => cosine(a, b)));
  const style = getComputedStyle(document.documentElement);
  const [cold, even, hot] = ["--cold", "--even", "--hot"].map((name) => style.getPropertyValue(name).trim().split(" ").map(Number));
  // The same colour for the same value, whatever the texts: from -1 over 0 to 1.
  const paint = (value) => even.map((from, k) => Math.round(from + Math.min(1, Math.abs(value)) * ((value < 0 ? cold : hot)[k] - from)));
  const cell = (value, i, j) => {
    const colour = paint(value);
    const bright = (colour[0] * 299 + colour[1] * 587 + colour[2] * 114) / 1000 > 125;
    const box = make("td", { title: `${value.toFixed(4)}\n${texts[i]}\n${texts[j]}` }, short(value));
    box.style.backgroundColor = `rgb(${colour.join(" ")})`;
    box.style.color = bright ? "#14201b" : "#ffffff";
    return box;
  };
  const column = (i) => Object.assign(make("th", { scope: "col", title: texts[i] }, `${i + 1}`));
  $("view-similarity").replaceChildren(
    make("div", { className: "wide" }, make("table", { className: n > 14 ? "heat dense" : "heat" },
      make("caption", { className: "unseen" }, "Cosine similarity of each text with each"),
      make("thead", {}, make("tr", {}, make("td", { className: "name" }), ...cells.map((_, i) => column(i)))),
      make("tbody", {}, ...cells.map((row, i) => make("tr", {},
        make("th", { scope: "row", title: texts[i] }, make("b", {}, `${i + 1}`), texts[i]),
        ...row.map((value, j) => cell(value, i, j))))))),
    make("p", { className: "scale" }, make("span", {}, "-1"), make("i"), make("span", {}, "1"),
      make("span", {}, texts.length > n ? `cosine similarity of the first ${n} of ${texts.length} texts` : "cosine similarity")));
}

/* The two directions in which the vectors differ most: eigenvectors of the centred Gram matrix, by power iteration.
 * Returns a point a vector and the share of the variance that both directions hold. */
function principal(vectors) {
  const n = vectors.length, width = vectors[0].length;
  const mean = new Float64Array(width);
  for (const v of vectors) for (let k = 0; k < width; k++) mean[k] += v[k] / n;
  const centred = vectors.map((v) => Float64Array.from(v, (x, k) => x - mean[k]));
  const gram = centred.map((a) => Float64Array.from(centred, (b) => a.reduce((sum, x, k) => sum + x * b[k], 0)));
  const total = gram.reduce((sum, row, i) => sum + row[i], 0);
  const points = vectors.map(() => []);
  let held = 0;
  for (let axis = 0; axis < 2; axis++) {
    let v = Float64Array.from({ length: n }, (_, i) => Math.sin(1 + i * (axis + 1.7))), value = 0;
    for (let step = 0; step < 200; step++) {
      const next = gram.map((row) => row.reduce((sum, x, i) => sum + x * v[i], 0));
      value = Math.hypot(...next);
      if (value < 1e-12) { v.fill(0); break; }
      v = Float64Array.from(next, (x) => x / value);
    }
    held += value;
    gram.forEach((row, i) => row.forEach((_, j) => { row[j] -= value * v[i] * v[j]; }));
    points.forEach((point, i) => point.push(v[i] * Math.sqrt(value)));
  }
  return { points, share: total > 0 ? held / total : 1 };
}

/* A text beside a point: at the first place around it that is free, which is then taken. */
function label([x, y], text, width, taken) {
  const length = text.length * 6.9;
  const boxes = [0, 17, -17, 34, -34, 51, -51].flatMap((dy) => [x + 13, x - 13 - length].map((left) =>
    ({ left, right: left + length, top: y + dy - 8, bottom: y + dy + 8 })));
  const inside = boxes.filter((box) => box.left > 4 && box.right < width - 4);
  const free = (box) => !taken.some((t) => t.left < box.right && box.left < t.right && t.top < box.bottom && box.top < t.bottom);
  const box = inside.find(free) ?? inside[0] ?? boxes[0];
  taken.push(box);
  return box.left > x ? draw("text", { x: box.left, y: box.bottom - 4 }, text)
    : draw("text", { x: box.right, y: box.bottom - 4, "text-anchor": "end" }, text);
}

function showMap({ texts, vectors }) {
  if (texts.length < 3) {
    $("view-map").replaceChildren(make("p", { className: "empty" }, "A map needs at least three texts."));
    return;
  }
  const { points, share } = principal(vectors);
  const width = Math.max(300, Math.min(760, $("view-map").parentElement.clientWidth - 30)), height = Math.max(360, width * 0.6), margin = 30;
  const reach = [0, 1].map((k) => Math.max(1e-9, ...points.map((p) => Math.abs(p[k]))));
  const places = points.map((p) => [width / 2 + (p[0] / reach[0]) * (width / 2 - margin), height / 2 - (p[1] / reach[1]) * (height / 2 - margin)]);
  const taken = places.map(([x, y]) => ({ left: x - 9, right: x + 9, top: y - 9, bottom: y + 9 }));
  $("view-map").replaceChildren(
    draw("svg", { class: "plane", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "The texts on a plane; close ones mean alike" },
      draw("line", { x1: width / 2, x2: width / 2, y1: 14, y2: height - 14 }),
      draw("line", { x1: 14, x2: width - 14, y1: height / 2, y2: height / 2 }),
      ...places.map(([x, y], i) => draw("circle", { cx: x, cy: y, r: 7 }, draw("title", {}, texts[i]))),
      ...places.map((place, i) => label(place, texts.length > 30 ? `${i + 1}` : clipped(texts[i], width > 500 ? 32 : 20), width, taken))),
    make("p", { className: "scale" }, `The two directions in which these texts differ most: ${Math.round(share * 100)} % of all their differences.`));
}

async function embedTexts(panel, signal) {
  const texts = lines($("embed-texts"));
  if (!texts.length) throw new Refusal("There is no text yet. Write one per line.");
  embedded.vectors = await embed(panel, texts, "document", signal);
  embedded.texts = texts;
  embedded.model = chosen(panel);
  showSimilarity(embedded);
  showMap(embedded);
}

async function findNearest(panel, signal) {
  const query = $("nearest-query").value.trim();
  if (!query) throw new Refusal("There is no question yet.");
  const texts = lines($("embed-texts"));
  if (embedded.model !== chosen(panel) || texts.join("\n") !== embedded.texts.join("\n")) await embedTexts(panel, signal);
  const [vector] = await embed(panel, [query], "query", signal);
  const rows = embedded.texts.map((text, i) => ({ text, line: i + 1, score: cosine(vector, embedded.vectors[i]) }));
  rows.sort((a, b) => b.score - a.score);
  $("view-nearest").replaceChildren(ranked(rows, (row) => `line ${row.line}`, [-1, 1]));
}

export function startEmbed(panel) {
  const [embed_form, nearest_form] = panel.querySelectorAll("form");
  const show = () => {
    const view = panel.querySelector("[name=view]:checked").value;
    for (const box of panel.querySelectorAll(".view")) box.hidden = box.id !== `view-${view}`;
    nearest_form.hidden = view !== "nearest";
    return view;
  };
  const clear = clearer(panel, () => Object.assign(embedded, { texts: [], vectors: [] }));
  const unfound = [...$("view-nearest").childNodes];
  panel.querySelector(".views").addEventListener("change", show);
  embed_form.addEventListener("submit", () => run(panel, embed_form.querySelector(".go"), async (signal) => {
    clear();
    await embedTexts(panel, signal);
    if (show() === "nearest") await findNearest(panel, signal);
  }));
  nearest_form.addEventListener("input", () => $("view-nearest").replaceChildren(...unfound));
  nearest_form.addEventListener("submit", () => run(panel, nearest_form.querySelector(".go"), (signal) => findNearest(panel, signal)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => embedded.texts.length && showSimilarity(embedded));
  show();
}
