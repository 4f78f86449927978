// Requests to the server, its errors in words, and the API key.

import { $ } from "./dom.js";

export class Refusal extends Error {}

/* The answer to a GET, or to a POST of `body` as JSON. A Refusal says in words what went wrong. Where the server wants a key, the
 * user is asked for one until it fits or they give up. */
export async function ask(path, body, signal) {
  for (;;) {
    const key = sessionStorage.getItem("quern-key");
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    if (body) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      dispatchEvent(new Event("server-gone"));
      throw new Refusal("The server does not answer. Is it still running, and can this machine reach it?");
    }
    if (answer.ok) return answer;
    if (answer.status !== 401) throw new Refusal(await words(answer));
    if (!(await keyFromUser(key !== null))) throw new Refusal("This server asks for an API key. Press “API key” to give one.");
  }
}

/* Whether the server answers at all. */
export async function answers() {
  try {
    return (await fetch("health", { cache: "no-store" })).status < 500;
  } catch {
    return false;
  }
}

/* What an error answer says, in any of the server's dialects, and what to do about it. */
async function words(answer) {
  const text = await answer.text();
  let message = "";
  try {
    const value = JSON.parse(text);
    message = value.error?.message ?? value.message ?? value.error;
  } catch {
    message = text.slice(0, 300);
  }
  if (typeof message !== "string" || !message) message = `The server answered with status ${answer.status}.`;
  if (!/[.!?]$/.test(message)) message += ".";
  const wait = answer.headers.get("Retry-After");
  if (answer.status === 429) message += wait ? ` Try again in ${wait} s.` : " Try again in a moment.";
  return message[0].toUpperCase() + message.slice(1);
}

/* Resolves to whether a key was given. Calls that come while the dialog is open share it. */
let asking = null;
export function keyFromUser(wrong) {
  const dialog = $("key-dialog");
  asking ??= new Promise((resolve) => {
    $("key-why").textContent = wrong ? "That key was not accepted. Keys are case sensitive."
      : "This server asks for a key. It is kept in this tab until you close it.";
    $("key").value = "";
    $("key-button").hidden = false;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      const key = $("key").value.trim();
      $("key").value = "";
      asking = null;
      if (dialog.returnValue === "use" && key) sessionStorage.setItem("quern-key", key);
      resolve(dialog.returnValue === "use" && key !== "");
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
