#!/usr/bin/env python3
"""Renders each *.jinja of folders with transformers and with quern, and reports where they differ.

usage: compare_chat_templates.py CHAT_LINES FOLDER_OR_FILE... [-v]
Where both fail, that is the same. Folders are searched through; a *.json with "chat_template" counts too.
"""
import json
import pathlib
import sys

import chat_reference as reference


def templates(path):
    path = pathlib.Path(path)
    files = [path] if path.is_file() else sorted([*path.rglob("*.jinja"), *path.rglob("*.json")])
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix != ".json":
            yield str(file), text
            continue
        try:
            found = json.loads(text).get("chat_template")
        except (ValueError, AttributeError):
            continue
        for i, item in enumerate(found if isinstance(found, list) else [found]):
            source = item.get("template") if isinstance(item, dict) else item
            if isinstance(source, str):
                yield f"{file}#{i}", source


def main():
    verbose = "-v" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    program, folders = arguments[0], arguments[1:]
    n = n_rendered = n_different = 0
    for folder in folders:
        for name, source in templates(folder):
            cases = list(reference.contexts())
            for (case, context), got in zip(cases, reference.quern(program, [(source, c) for _, c in cases])):
                want = reference.render(source, context)
                n += 1
                n_rendered += want[0] == "text"
                if got[0] == want[0] == "error":
                    if verbose:
                        print(f"both fail: {name} {case}\n  {want[1][:200]}\n  {got[1][:200]}")
                    continue
                if got == want:
                    continue
                n_different += 1
                at = next((i for i, (a, b) in enumerate(zip(want[1], got[1])) if a != b), min(len(want[1]), len(got[1])))
                print(f"DIFFERENT: {name} {case}\n  want {want[0]}: {want[1][max(at - 60, 0):at + 140]!r}"
                      f"\n  got  {got[0]}: {got[1][max(at - 60, 0):at + 140]!r}")
    print(f"{n} renderings, {n_rendered} of them without an error, {n_different} different")
    return n_different > 0


sys.exit(main())
