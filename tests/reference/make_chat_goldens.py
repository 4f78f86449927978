#!/usr/bin/env python3
"""Writes tests/golden/chat/NAME.jsonl from tests/golden/chat/NAME.jinja: each conversation's rendering by transformers, a line.

usage: make_chat_goldens.py
The templates are quern's own, of the constructs that the families' templates use.
"""
import json
import pathlib

import chat_reference as reference

FOLDER = pathlib.Path(__file__).parent.parent / "golden" / "chat"

for file in sorted(FOLDER.glob("*.jinja")):
    source = file.read_text(encoding="utf-8")
    lines = []
    for name, context in reference.contexts():
        kind, text = reference.render(source, context)
        line = {"name": name, "context": context}
        line.update({"text": text} if kind == "text" else {"error": True})
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    file.with_suffix(".jsonl").write_text("".join(lines), encoding="utf-8")
    print(file.stem, sum('"text":' in line for line in lines), "of", len(lines), "render")
