#!/usr/bin/env python3
"""Conversations as clients send them: what transformers' apply_chat_template makes of them once they are what templates expect.

usage: chat_requests.py                              writes tests/golden/chat/requests.jsonl, from tests/golden/chat/*.jinja
       chat_requests.py CHAT_LINES FOLDER_OR_FILE…   compares quern with transformers on other templates
What a template expects is written down here once more, apart from quern's own rules: arguments of calls are objects, empty
tool_calls are none, the role developer is system unless the template names it, parts of text stay parts where the template
goes through them and are else lines of one text, and content beside calls is null only where that is not printed.
"""
import copy
import json
import pathlib
import sys

import chat_reference as reference
from chat_reference import TOOLS, assistant, system, user

FOLDER = pathlib.Path(__file__).parent.parent / "golden" / "chat"
PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": " b "}]


def call(arguments, number="abcdefghi"):
    return {"id": number, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


def result(text, number="abcdefghi"):
    return {"role": "tool", "tool_call_id": number, "content": text}


REQUESTS = {
    "text arguments": {"messages": [user("W?"), assistant("", tool_calls=[call('{"city": "Zürich", "days": 2}')]), result("3")], "tools": TOOLS},
    "null content": {"messages": [user("W?"), assistant(None, tool_calls=[call('{"city": "A"}')]), result("3"), assistant("3 degrees"),
                                  user("ok")], "tools": TOOLS},
    "no content": {"messages": [user("W?"), {"role": "assistant", "tool_calls": [call('{"city": "A"}')]}, result("3")], "tools": TOOLS},
    "empty arguments": {"messages": [user("W?"), assistant(None, tool_calls=[call("")]), result("3")], "tools": TOOLS},
    "null calls": {"messages": [user("a"), assistant("b", tool_calls=None), user("c")]},
    "no calls": {"messages": [user("a"), assistant("b", tool_calls=[]), user("c")], "tools": TOOLS},
    "no tools": {"messages": [user("a")], "tools": []},
    "developer": {"messages": [{"role": "developer", "content": "d"}, user("u")]},
    "parts": {"messages": [user(PARTS), assistant("c"), user("d")]},
    "parts of system": {"messages": [system(PARTS), user("u")]},
    "one part": {"messages": [user(PARTS[:1])]},
}


def loops_over_parts(template):
    kind, text = reference.render(template, context([user([{"type": "text", "text": "pRobe"}])]))
    return kind == "text" and "pRobe" in text and "'text'" not in text and '"text"' not in text


def context(messages, tools=None):
    return {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": True}


def expected(template, request):
    messages = copy.deepcopy(request["messages"])
    parts = loops_over_parts(template)
    for m in messages:
        if m["role"] == "developer" and "developer" not in template:
            m["role"] = "system"
        if not m.get("tool_calls", True):
            del m["tool_calls"]
        for c in m.get("tool_calls", ()):
            c["function"]["arguments"] = json.loads(c["function"]["arguments"] or "{}")
        if isinstance(m.get("content"), list) and not parts:
            m["content"] = "\n".join(p["text"] for p in m["content"])
    tools = request.get("tools") or None
    nulls = [m for m in messages if m.get("content") is None]
    for m in nulls:
        m["content"] = None
    if nulls:
        kind, text = reference.render(template, context(messages, tools))
        if kind == "text" and "None" not in text:
            return kind, text
        for m in nulls:
            m["content"] = ""
    return reference.render(template, context(messages, tools))


def knows_calls(template):
    """And tools. Others get them as text, which transformers has nothing to say about."""
    kind, text = reference.render(template, context([user("q"), assistant("", tool_calls=[call({"a": "pRobe2"})])], TOOLS))
    told, tools = reference.render(template, context([user("q")], TOOLS))
    return kind == told == "text" and "pRobe2" in text and "get_weather" in tools


def cases(template):
    calls = knows_calls(template)
    for name, request in REQUESTS.items():
        if calls or not request.get("tools"):
            yield name, request, expected(template, request)


def write():
    lines = []
    for file in sorted(FOLDER.glob("*.jinja")):
        template = file.read_text(encoding="utf-8")
        for name, request, (kind, text) in cases(template):
            line = {"template": file.name, "name": name, "context": context(request["messages"], request.get("tools"))}
            lines.append(json.dumps({**line, **({"text": text} if kind == "text" else {"error": True})}, ensure_ascii=False) + "\n")
    (FOLDER / "requests.jsonl").write_text("".join(lines), encoding="utf-8")
    print(len(lines), "requests,", sum('"text":' in line[line.index('"name"'):] and '"error": true' not in line for line in lines), "render")


def compare(program, folders):
    n = different = 0
    for folder in map(pathlib.Path, folders):
        for file in [folder] if folder.is_file() else sorted(folder.rglob("*.jinja")):
            template = file.read_text(encoding="utf-8")
            wanted = list(cases(template))
            contexts = [(template, context(r["messages"], r.get("tools"))) for _, r, _ in wanted]
            for (name, _, want), got in zip(wanted, reference.quern(program, contexts, prepare=True)):
                n += 1
                if got == want or got[0] == want[0] == "error":
                    continue
                different += 1
                at = next((i for i, (a, b) in enumerate(zip(want[1], got[1])) if a != b), min(len(want[1]), len(got[1])))
                print(f"DIFFERENT: {file.name} {name}\n  want {want[0]}: {want[1][max(at - 60, 0):at + 140]!r}"
                      f"\n  got  {got[0]}: {got[1][max(at - 60, 0):at + 140]!r}")
    print(n, "renderings,", different, "different")
    return different > 0


if __name__ == "__main__":
    sys.exit(compare(sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else write())
