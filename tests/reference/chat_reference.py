"""What the chat scripts share: transformers' rendering, conversations, and quern's answers through chat_lines."""
import json
import subprocess
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Get the \"weather\" of a city <b>&</b> 'more'",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Città, 東京"},
        "unit": {"type": "string", "enum": ["c", "f"], "description": "unit"},
        "days": {"type": "integer", "description": "n", "default": 3}}, "required": ["city"]},
    "return": {"type": "object", "description": "the weather"}}}]
SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


def call(arguments, number="call_0001"):
    return {"id": number, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


CALL_ARGUMENTS = {"city": "Zürich", "days": 2, "ratio": 0.5, "deep": {"a": [1, 2.5, None, True], "b": "x\ny\t\"q\""}}
CONVERSATIONS = {
    "one": {"messages": [user("Hello")]},
    "system": {"messages": [system("Be terse."), user("Hi"), assistant("Hello!"), user("Bye")]},
    "turns": {"messages": [user("1"), assistant("2"), user("3"), assistant("4"), user("5")]},
    "closed": {"messages": [user("a"), assistant("b")]},
    "unicode": {"messages": [system("Größe"), user("東京 🌍 ẞ ǅ İ \u2028 x"), assistant("naïve"), user("\u00a0nbsp\u00a0")]},
    "spaces": {"messages": [system("  lead and trail \n\n"), user("\n\n  x  \n"), assistant("  y \n"), user(" z ")]},
    "empty": {"messages": [system(""), user(""), assistant(""), user("")]},
    "none": {"messages": []},
    "markup": {"messages": [user("<b>&amp; \"quotes\" 'single' {{ x }} {% if %}</b>"), assistant("a<|im_end|>b"), user("]")]},
    "think": {"messages": [user("q"), assistant("<think>\nreason\n</think>\n\nanswer"), user("more"),
                           assistant("<think>again</think>final"), user("last")]},
    "reasoning": {"messages": [user("q"), assistant("answer", reasoning_content="reason\nlines"), user("more")]},
    "reasoning_last": {"messages": [user("q"), assistant("answer", reasoning_content="\nreason\n")]},
    "tools": {"messages": [system("S"), user("Weather?")], "tools": TOOLS},
    "tool_call": {"messages": [user("Weather?"), assistant("", tool_calls=[call(CALL_ARGUMENTS)]),
                               {"role": "tool", "name": "get_weather", "content": "{\"t\": 3}", "tool_call_id": "call_0001"},
                               assistant("3 degrees"), user("ok")], "tools": TOOLS},
    "tool_calls": {"messages": [user("W?"), {"role": "assistant", "tool_calls": [call({"city": "A"}, "abcdefghi"),
                                                                                 call({"city": "B"}, "abcdefghj")]},
                                {"role": "tool", "name": "get_weather", "content": "1", "tool_call_id": "abcdefghi"},
                                {"role": "tool", "name": "get_weather", "content": "2", "tool_call_id": "abcdefghj"}],
                   "tools": TOOLS},
    "tool_text": {"messages": [user("W?"), assistant(None, tool_calls=[call("{\"city\": \"A\"}", "abcdefghi")]),
                               {"role": "tool", "content": "1", "tool_call_id": "abcdefghi"}], "tools": TOOLS},
    "parts": {"messages": [user([{"type": "text", "text": "a"}, {"type": "text", "text": " b "}]), assistant("c"),
                           user([{"type": "image"}, {"type": "text", "text": "what?"}])]},
    "documents": {"messages": [user("read")], "documents": [{"title": "T", "text": "Body", "doc_id": 1, "contents": "C"}]},
    "thinking_off": {"messages": [user("q")], "enable_thinking": False},
    "thinking_on": {"messages": [system("s"), user("q")], "enable_thinking": True, "thinking": True,
                    "reasoning_effort": "low", "tools": TOOLS},
    "odd_roles": {"messages": [{"role": "developer", "content": "d"}, user("u"), {"role": "critic", "content": "c"}]},
    "order": {"messages": [assistant("first"), user("u"), user("v")]},
}


def contexts():
    for name, conversation in CONVERSATIONS.items():
        for prompt in (False, True):
            yield f"{name}{'+' if prompt else ''}", {
                "messages": conversation["messages"], "tools": None, "documents": None, "add_generation_prompt": prompt,
                **{k: v for k, v in conversation.items() if k != "messages"}}


def render(template, context):
    """("text", rendering) or ("error", message), by transformers' environment."""
    try:
        return "text", _compile_jinja_template(template).render(**{**SPECIALS, **json.loads(json.dumps(context))})
    except Exception as e:  # whatever it is, the template does not render
        return "error", f"{type(e).__name__}: {e}"


def quern(program, requests, **more):
    """Answers of chat_lines, in order."""
    lines = "".join(json.dumps({"template": t, "context": c, "specials": SPECIALS, **more}) + "\n" for t, c in requests)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr}")
    for line in done.stdout.split("\n")[:-1]:
        answer = json.loads(line)
        yield next((kind, answer[kind]) for kind in ("text", "error") if kind in answer)
