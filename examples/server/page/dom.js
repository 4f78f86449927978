// Elements and words. What users or models wrote becomes text nodes, never markup.

export const $ = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const clipped = (text, length) => (text.length > length ? text.slice(0, length - 1).trimEnd() + "…" : text);
export const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
export const lines = (field) => field.value.split("\n").map((line) => line.trim()).filter(Boolean);
