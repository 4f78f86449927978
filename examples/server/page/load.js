// Live figures from /metrics.

import { $, draw, make } from "./dom.js";
import { ask } from "./server.js";

/* Prometheus text as [{name, labels, value}]. */
function readMetrics(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const [, name, labels, value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line) ?? [];
    if (!name) continue;
    const pairs = [...(labels ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, of]) => [key, of]);
    found.push({ name, labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return found;
}

const own_routes = /^\/(metrics|[a-z]*\.(js|css|svg))?$/;  // of this page

/* The sum of a metric over its labels; undefined where the server has none. */
function sum(metrics, name, wanted = () => true) {
  const rows = metrics.filter((m) => m.name === name);
  return rows.length ? rows.filter((m) => wanted(m.labels)).reduce((total, m) => total + m.value, 0) : undefined;
}

const whole = (v) => Math.round(v).toLocaleString("en");
const fine = (v) => (v < 10 ? v.toFixed(1) : whole(v));

/* What tiles show: `total` is a counter, of which the rate is shown, `now` a value as it is. */
const tiles = [
  { title: "Requests", unit: "a second", show: fine, total: (m) => sum(m, "quern_requests_total", (l) => !own_routes.test(l.route)) },
  { title: "Texts read", unit: "a second", show: fine, total: (m) => sum(m, "quern_batch_texts_sum") },
  { title: "Tokens read", unit: "a second", show: whole, total: (m) => sum(m, "quern_prompt_tokens_total") },
  { title: "Tokens written", unit: "a second", show: fine, total: (m) => sum(m, "quern_generated_tokens_total") },
  { title: "Waiting", unit: "requests", show: whole, now: (m) => sum(m, "quern_queue_requests") },
  { title: "Running", unit: "sequences", show: whole, now: (m) => sum(m, "quern_running_sequences") },
  { title: "Processor", unit: "cores busy", show: (v) => v.toFixed(2), total: (m) => sum(m, "process_cpu_seconds_total") },
  { title: "Memory", unit: "MiB", show: whole, now: (m) => sum(m, "process_resident_memory_bytes"), scale: 2 ** -20 },
  { title: "Room for keys and values", unit: "MiB", show: whole, now: (m) => sum(m, "quern_kv_bytes"), scale: 2 ** -20 },
];
const samples_kept = 60, samples_few = 12, sample_every = 2000;

function startTiles() {
  $("tiles").replaceChildren(...tiles.map((tile) => {
    Object.assign(tile, { values: [], last: null, figure: make("span", {}, "–"), area: draw("polygon"), line: draw("polyline") });
    return tile.box = make("div", { className: "card tile" }, make("h3", {}, tile.title),
      make("p", {}, tile.figure, make("small", {}, tile.unit)),
      draw("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" }, tile.area, tile.line));
  }));
}

function showTile(tile, metrics, seconds) {
  const read = (tile.total ?? tile.now)(metrics);
  let value = read * (tile.scale ?? 1);
  if (tile.total) {
    value = tile.last === null ? undefined : Math.max(0, read - tile.last) / seconds;
    tile.last = read ?? null;
  }
  tile.box.hidden = read === undefined;  // as of a server without decoders
  if (value === undefined || !Number.isFinite(value)) return;
  tile.values = [...tile.values, value].slice(-samples_kept);
  tile.figure.textContent = tile.show(value);
  const top = Math.max(...tile.values) * 1.15 || 1;
  const step = 100 / (Math.max(samples_few, tile.values.length) - 1), left = 100 - step * (tile.values.length - 1);
  const points = tile.values.map((v, i) => `${(left + i * step).toFixed(2)},${(39 - (v / top) * 36).toFixed(2)}`);
  tile.line.setAttribute("points", points.join(" "));
  tile.area.setAttribute("points", `${left.toFixed(2)},40 ${points.join(" ")} 100,40`);
}

function showRoutes(metrics) {
  const routes = new Map();
  for (const { name, labels, value } of metrics) {
    if (name !== "quern_requests_total" || own_routes.test(labels.route)) continue;
    const row = routes.get(labels.route) ?? { answered: 0, refused: 0, failed: 0 };
    row[labels.status < 400 ? "answered" : labels.status < 500 ? "refused" : "failed"] += value;
    routes.set(labels.route, row);
  }
  if (!routes.size) return;
  const order = [...routes].sort(([, a], [, b]) => b.answered - a.answered);
  const cells = (row) => [row.answered, row.refused, row.failed].map((n) => make("td", {}, n ? whole(n) : "·"));
  $("routes").replaceChildren(make("div", { className: "wide" }, make("table", { className: "counts" }, make("caption", {}, "Since the server started"),
    make("thead", {}, make("tr", {}, ...["Route", "Answered", "Refused", "Failed"].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...order.map(([route, row]) => make("tr", {}, make("th", { scope: "row" }, route), ...cells(row)))))));
}

export async function watchLoad(panel) {
  const error = panel.querySelector(".error");
  let before = null;
  startTiles();
  for (;; await new Promise((resolve) => setTimeout(resolve, sample_every))) {
    if (panel.hidden || document.hidden) continue;
    try {
      const metrics = readMetrics(await (await ask("metrics")).text());
      const now = performance.now();
      for (const tile of tiles) showTile(tile, metrics, before === null ? 1 : (now - before) / 1000);
      before = now;
      showRoutes(metrics);
      error.hidden = true;
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    }
  }
}
