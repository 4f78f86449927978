#!/usr/bin/env python3
"""Writes src/chat/case_data.inc: what Python's str methods make of characters (upper, lower, title, isdigit, isnumeric, isprintable).

usage: make_case_tables.py > src/chat/case_data.inc
"""
import sys
import unicodedata

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def simple(method):
    """Runs {first, last, stride, delta} of characters that become one other."""
    runs = []
    for code in CODES:
        mapped = method(chr(code))
        if len(mapped) != 1 or ord(mapped) == code:
            continue
        delta = ord(mapped) - code
        if runs and runs[-1][3] == delta:
            first, last, stride, _ = runs[-1]
            step = code - last
            if step <= 2 and (first == last or step == stride):
                runs[-1] = [first, code, step, delta]
                continue
        runs.append([code, code, 1, delta])
    return runs


def several(method):
    return [(code, method(chr(code))) for code in CODES if len(method(chr(code))) > 1]


def ranges(test):
    out = []
    for code in CODES:
        if not test(chr(code)):
            continue
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def rows(name, type_, items):
    print(f"constexpr {type_} {name}[] = {{")
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 118:
            print(line)
            line = "   "
        line += f" {item},"
    print(f"{line}\n}};")


def main():
    print(f"// Made by tests/reference/make_case_tables.py from Python {sys.version_info[0]}.{sys.version_info[1]}, "
          f"Unicode {unicodedata.unidata_version}.")
    for name, method in (("upper", str.upper), ("lower", str.lower)):
        rows(f"{name}_runs", "CaseRun", ["{%d, %d, %d, %d}" % tuple(r) for r in simple(method)])
    titles = [(c, chr(c).title()) for c in CODES if chr(c).title() != chr(c).upper()]
    for name, items in (("upper_long", several(str.upper)), ("lower_long", several(str.lower)), ("title_other", titles)):
        rows(name, "LongCase", ["{%d, {%s}}" % (c, ", ".join(str(ord(x)) for x in s)) for c, s in items])
    tests = {"digit": str.isdigit, "numeric": lambda c: c.isnumeric() and not c.isdigit(),
             "cased": lambda c: c.isupper() or c.islower() or c.istitle(),
             "unprintable": lambda c: not c.isprintable(), "alpha": str.isalpha}
    for name, test in tests.items():
        rows(f"{name}_ranges", "CodeRange", ["{%d, %d}" % tuple(r) for r in ranges(test)])


main()
