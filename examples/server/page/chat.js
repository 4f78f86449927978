// A conversation, streamed.

import { $, make, plural } from "./dom.js";
import { markdown } from "./markdown.js";
import { chosen, run, showCurl } from "./panel.js";
import { Refusal, ask } from "./server.js";

const chat = { messages: [], stop: null };

/* The values of an event stream, in order. An error among them is a Refusal. */
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    rest += (value ?? "").replaceAll("\r", "");
    const parts = rest.split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
      if (data === "[DONE]") return;
      if (!data) continue;
      const event = JSON.parse(data);
      if (event.error) throw new Refusal(event.error.message ?? event.error);
      yield event;
    }
    if (done) throw new Refusal("The answer broke off.");
  }
}

/* Copies a text; the button says so. Where the page is served without TLS, browsers offer the old way alone. */
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", { value: text, className: "unseen" });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}

function copyButton(text) {
  const button = make("button", { type: "button", className: "copy" }, "Copy");
  button.addEventListener("click", () => copy(button, text()));
  return button;
}

/* What the user says is shown as it is, what the model says as Markdown: at most once for each picture that the screen shows. */
function addTurn(role) {
  const said = make("div", { className: "said" });
  const turn = make("div", { className: `turn ${role}` }, make("span", { className: "unseen" }, role === "user" ? "You: " : "Model: "), said);
  let text = "", picture = 0;
  const show = () => {
    cancelAnimationFrame(picture);
    picture = 0;
    const log = $("log");
    const at_end = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    said.replaceChildren(...(role === "user" ? [text] : markdown(text)));
    if (at_end) log.scrollTop = log.scrollHeight;
  };
  const add = (part) => {
    text += part;
    picture ||= requestAnimationFrame(show);
  };
  const end = () => {
    show();
    if (role === "user" || !text) return;
    for (const pre of said.querySelectorAll("pre")) pre.append(copyButton(() => pre.firstChild.textContent));
    turn.append(copyButton(() => text));
  };
  $("log").querySelector(".start").hidden = true;
  $("log").append(turn);
  return { turn, add, end, text: () => text };
}

/* Streams an answer into a turn of its own. */
async function answerTurn(panel, turn) {
  const system = $("system").value.trim();
  const body = {
    model: chosen(panel), messages: [...(system ? [{ role: "system", content: system }] : []), ...chat.messages],
    temperature: Number($("temperature").value), max_tokens: Number($("max-tokens").value),
    stream: true, stream_options: { include_usage: true },
  };
  showCurl(panel, "v1/chat/completions", body);
  const answer = await ask("v1/chat/completions", body, chat.stop.signal);
  let usage = null, finish = null, first = 0;
  for await (const event of events(answer)) {
    const part = event.choices[0]?.delta?.content;
    usage = event.usage ?? usage;
    finish = event.choices[0]?.finish_reason ?? finish;
    if (!part) continue;
    first ||= performance.now();
    turn.add(part);
  }
  const facts = [];
  const seconds = (performance.now() - first) / 1000;
  if (usage) {
    const kept = usage.prompt_tokens_details?.cached_tokens;
    facts.push(plural(usage.completion_tokens, "token"));
    if (first && usage.completion_tokens > 1 && seconds > 0) facts.push(`${((usage.completion_tokens - 1) / seconds).toFixed(1)} tokens/s`);
    facts.push(`prompt ${plural(usage.prompt_tokens, "token")}${kept ? `, ${kept} still kept` : ""}`);
  }
  if (finish === "length") facts.push("ended by its length");
  panel.querySelector(".facts").textContent = facts.join(" · ");
}

function showBusy(busy) {
  $("send").hidden = busy;
  $("stop").hidden = !busy;
  $("again").hidden = busy || !chat.messages.length;
  $("log").setAttribute("aria-busy", busy);
}

async function say(panel, words) {
  if (chat.stop || !words) return;
  chat.stop = new AbortController();
  chat.messages.push({ role: "user", content: words });
  const question = addTurn("user"), turn = addTurn("assistant");
  question.add(words);
  question.end();
  turn.turn.classList.add("growing");
  $("log").scrollTop = $("log").scrollHeight;
  panel.querySelector(".facts").textContent = "";
  showBusy(true);
  await run(panel, $("send"), async () => {
    try {
      await answerTurn(panel, turn);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      panel.querySelector(".facts").textContent = "stopped";
    } finally {
      turn.turn.classList.remove("growing");
      turn.end();
      if (turn.text()) {
        chat.messages.push({ role: "assistant", content: turn.text() });
      } else {  // nothing came: the question goes back to its field
        chat.messages.pop();
        question.turn.remove();
        turn.turn.remove();
        $("say").value ||= words;
        $("log").querySelector(".start").hidden = chat.messages.length > 0;
      }
      chat.stop = null;
    }
  });
  showBusy(false);
}

export function startChat(panel) {
  const field = $("say");
  const fit = () => { field.style.height = "auto"; field.style.height = `${field.scrollHeight + 2}px`; };
  const send = () => {
    const words = field.value.trim();
    if (!chat.stop) field.value = "";
    fit();
    say(panel, words);
  };
  $("composer").addEventListener("submit", send);
  field.addEventListener("input", fit);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!chat.stop) send();
  });
  $("stop").addEventListener("click", () => { chat.stop?.abort(); field.focus(); });
  for (const chip of panel.querySelectorAll(".chip")) chip.addEventListener("click", () => say(panel, chip.textContent));
  $("again").addEventListener("click", () => {
    chat.messages = [];
    for (const turn of $("log").querySelectorAll(".turn")) turn.remove();
    $("log").querySelector(".start").hidden = false;
    panel.querySelector(".facts").textContent = "";
    showBusy(false);
    field.focus();
  });
}
