"""abi.py check|record COMPILER INCLUDE: what programs that were compiled with quern.h rely on, beside the list in interface.txt.

Functions and callbacks as they are declared, constants with their values, structures with the place of each member, as the C compiler
lays them out. A line that is gone or changed breaks programs; a new one is recorded with `record`."""
import difflib
import glob
import os
import re
import subprocess
import sys
import tempfile

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interface.txt")


def declarations(include):
    """The headers without comments and directives, each declaration in one line."""
    text = ""
    for path in sorted(glob.glob(os.path.join(include, "quern", "*.h"))):
        with open(path, encoding="utf-8") as f:
            text += re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S)
    text = re.sub(r'^#.*$|^extern "C" \{$|^\}$', "", text, flags=re.M)
    text = re.sub(r"\s*\*\s*(?=[\w*)])", "* ", text.replace("\n", " ")).replace("* * ", "** ")
    return [re.sub(r"\s+", " ", d).strip() for d in re.findall(r"(?:[^;{]|\{[^}]*\})+;", text)]


def members(struct, body):
    """Of a structure: (type, name) of each."""
    for line in filter(None, (part.strip() for part in body.split(";"))):
        function = re.fullmatch(r"(.*)\(\* (\w+)\)(\(.*\))", line)
        plain = re.fullmatch(r"(.*?[ *])((?:\w+, )*\w+)", line)
        if function:
            yield function[1].strip() + " (*)" + function[3], function[2]
        elif plain:
            for name in plain[2].split(", "):
                yield plain[1].strip(), name
        else:
            sys.exit(f"abi.py: {struct} has a member that is not understood: {line}")


def interface(include):
    """(lines that declarations say by themselves, lines of a C program that prints the others)."""
    said, asked = [], []
    for d in declarations(include):
        function = re.fullmatch(r"QUERN_API (.*);", d)
        made = re.fullmatch(r"typedef (enum|struct) (\w+) \{(.*)\} \2;", d)
        if function:
            said.append("function " + function[1])
        elif made and made[1] == "enum":
            asked += [f'printf("constant {name} %d\\n", (int){name});' for name in re.findall(r"QUERN_\w+", re.sub(r"=[^,]*", "", made[3]))]
        elif made:
            asked.append(f'printf("struct {made[2]}: %zu bytes\\n", sizeof({made[2]}));')
            asked += [f'printf("struct {made[2]} at %3zu: {kind} {name}\\n", offsetof({made[2]}, {name}));' for kind, name in members(made[2], made[3])]
        elif d.startswith("typedef "):
            said.append(d[:-1])
        else:
            sys.exit(f"abi.py: a declaration that is not understood: {d}")
    return said, asked


def lines(compiler, include):
    said, asked = interface(include)
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "abi.c"), os.path.join(folder, "abi")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <stdio.h>\n#include <stddef.h>\n#include <quern.h>\nint main(void) {\n" + "\n".join(asked) + "\n}\n")
        subprocess.run([compiler, "-I", include, source, "-o", program], check=True)
        printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return sorted(said) + printed.splitlines()


def main():
    what, compiler, include = sys.argv[1:] if len(sys.argv) == 4 else ("", "", "")
    if what not in ("check", "record"):
        sys.exit(__doc__)
    now = lines(compiler, include)
    if what == "record":
        with open(LIST, "w", encoding="utf-8") as f:
            f.write("\n".join(now) + "\n")
        return
    with open(LIST, encoding="utf-8") as f:
        before = f.read().splitlines()
    changes = [line for line in difflib.unified_diff(before, now, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]
    if changes:
        print(*changes, sep="\n")
        gone = any(line.startswith("-") for line in changes)
        sys.exit("abi: " + ("lines with - break programs that are compiled already: keep what they name, append members to the end; where it is "
                            "meant (a minor version before 1.0, with its line in CHANGELOG.md)" if gone else "these are new") +
                 ": record it: python3 tests/abi/abi.py record cc include")
    print(len(now), "functions, callbacks, constants and members as they were")


main()
