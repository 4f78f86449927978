#!/usr/bin/env python3
"""Many small random templates, rendered with transformers and with quern. Reports where they differ.

usage: fuzz_chat_templates.py CHAT_LINES [N [SEED]]
Where both fail, that is the same; where only quern fails for a bound of its own (64-bit numbers), that is counted apart.
Known differences: urlencode of pairs; slices of constants that can't be sliced, which jinja2 folds to undefined; and a variable of
the context that a scope sets later on is undefined in inner scopes before that for jinja2, which looks names up beforehand.
"""
import random
import sys
import warnings

import chat_reference as reference

warnings.simplefilter("ignore")
CONTEXT = {
    "s": "Hello, wörld  x", "t": " <b>a&b</b>\n\tc ", "e": "", "n": 7, "m": -3, "z": 0, "f": 2.5, "b": True, "c": False, "x": None,
    "xs": [3, 1, 2], "ws": ["b", "A", "c", "a", "B"], "mixed": [1, "a", None, 2.0, True, [1]], "empty": [],
    "d": {"k": "v", "a": 1, "items": [1, 2], "nested": {"y": [1, {"z": "deep"}]}}, "u": "ẞtraße ǅ İ Σίσυφος ΑΣ",
    "rows": [{"r": "user", "n": 2, "t": "x"}, {"r": "bot", "n": 1}, {"r": "User", "n": 3, "t": ""}],
    "line": "a\nb\r\n\nc\x0bd\u2028e", "digits": "42", "real": "3.75", "csv": "a,b,,c,", "messages": [],
}
NAMES = list(CONTEXT) + ["missing"]
STRINGS = ["''", "'a'", "', '", "' '", "'ö'", "'\\n'", "'<b>'", "'%s'", "'{}'", "'x,y'", "'42'", "'Hello'", "'aAb'"]
NUMBERS = ["0", "1", "2", "-1", "3", "10", "2.5", "-0.5", "1e3", "0.1", "100", "1e16", "1e-5"]
ATTRIBUTES = ["k", "a", "items", "nested", "nested.y", "nested['y'][1].z", "r", "n", "missing", "keys()", "get('a')", "get('q', 5)",
              "items()", "values()", "0", "1", "nope"]
METHODS = ["upper()", "lower()", "strip()", "lstrip()", "rstrip()", "strip('Hx ')", "split()", "split(',')", "split(' ', 1)",
           "rsplit(' ', 1)", "rsplit()", "rsplit(None, 1)", "split(None, 1)", "startswith('H')", "endswith(('x', 'c'))",
           "replace('l', 'L')", "replace('', '-')", "replace('a', 'b', 1)", "title()", "capitalize()", "swapcase()", "find('l')",
           "rfind('l')", "count('l')", "splitlines()", "splitlines(true)", "join(ws)", "zfill(8)", "center(9, '*')", "ljust(6)",
           "rjust(6, '.')", "isdigit()", "isalpha()", "isupper()", "islower()", "isspace()", "istitle()", "isalnum()",
           "partition('l')", "rpartition('l')", "removeprefix('He')", "removesuffix('x')", "index('l')", "format(1, 'b')", "find('l', 3)", "startswith('l', 2)", "count('l', 1, -3)", "isnumeric()"]
FILTERS = ["upper", "lower", "trim", "length", "string", "list", "first", "last", "join", "join(', ')", "join('-', attribute='r')",
           "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))",
           "default('D')", "default('D', true)", "d", "int", "float", "int(5)", "abs", "round", "round(1)", "round(1, 'floor')",
           "round(0, 'ceil')", "sort", "sort(reverse=true)", "sort(attribute='n')", "sort(case_sensitive=true)", "unique|list",
           "reverse", "reverse|list", "map('upper')|list", "map(attribute='n')|list", "map(attribute='t', default='?')|list",
           "select('string')|list", "select|list", "reject('none')|list", "reject|list", "selectattr('t')|list",
           "selectattr('r', 'equalto', 'user')|list", "rejectattr('t', 'defined')|list", "min", "max", "sum", "sum(attribute='n')",
           "dictsort", "dictsort(by='value')", "dictsort(reverse=true)", "items|list", "batch(2)|list", "batch(2, 'f')|list", "slice(2)|list",
           "slice(2, 'f')|list", "indent", "indent(2, true)", "indent('> ', blank=true)", "replace('a', 'X')", "title", "capitalize",
           "center(12)", "truncate(5)", "truncate(9, true)", "truncate(6, false, '!', 0)", "wordcount", "escape", "e", "safe",
           "forceescape", "format(1)", "groupby('r')|list", "groupby('n')|map('first')|list", "attr('k')", "count", "urlencode",
           "map('length')|list", "map('int')|sum", "selectattr('n', 'gt', 1)|map(attribute='r')|join('+')", "max(attribute='n')",
           "map('tojson')|join", "trim('x H')", "select('in', [1, 'a'])|list", "map('default', 'q')|list"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "sequence",
         "iterable", "callable", "odd", "even", "upper", "lower", "divisibleby 2", "divisibleby(3)", "eq 1", "equalto('a')", "ne 2",
         "gt 1", "lt(3)", "ge 2", "le 2", "in xs", "in [1, 'a']", "sameas none", "escaped", "filter", "test", "not none",
         "not defined", "not string"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
SLICES = ["[0]", "[-1]", "[1:]", "[:-1]", "[::-1]", "[::2]", "[1:3]", "[-2:]", "[5:2:-1]", "['k']", "[n]", "[:n]", "[x:]", "[7]", "['items']"]


class Maker:
    def __init__(self, rng):
        self.r = rng

    def atom(self):
        r = self.r
        return r.choice([r.choice(NAMES), r.choice(NAMES), r.choice(NAMES), r.choice(STRINGS), r.choice(NUMBERS),
                         r.choice(["true", "false", "none"])])

    def expression(self, depth):
        r = self.r
        if depth == 0:
            return self.atom()
        e = lambda: self.expression(depth - 1)
        return r.choice([
            lambda: self.atom(),
            lambda: f"{e()}|{r.choice(FILTERS)}", lambda: f"{self.atom()}|{r.choice(FILTERS)}",
            lambda: f"({e()}).{r.choice(METHODS)}", lambda: f"{r.choice(['s', 't', 'u', 'line', 'csv', 'e'])}.{r.choice(METHODS)}",
            lambda: f"({e()}).{r.choice(ATTRIBUTES)}", lambda: f"d.{r.choice(ATTRIBUTES)}",
            lambda: f"({e()}) is {r.choice(TESTS)}", lambda: f"{r.choice(NAMES)} is {r.choice(TESTS)}",
            lambda: f"{e()} {r.choice(OPERATORS)} {e()}", lambda: f"({e()} {r.choice(OPERATORS)} {e()})",
            lambda: f"{r.choice(['s', 'xs', 'ws', 'd', 'rows', 'u'])}{r.choice(SLICES)}",
            lambda: f"not {e()}", lambda: f"-{self.atom()}", lambda: f"({e()} if {e()} else {e()})", lambda: f"({e()} if {e()})",
            lambda: f"[{e()}, {e()}]", lambda: f"({e()},)", lambda: f"{{'a': {e()}, {r.choice(STRINGS)}: {e()}}}",
            lambda: f"dict(a={e()})", lambda: f"range({r.choice(['3', 'n', '1, 5', '5, 1, -2', 'xs|length'])})|list",
            lambda: f"{e()} < {e()} <= {e()}", lambda: f"'%s-%s' % ({e()}, {e()})", lambda: f"'%5.1f|%-4d|%x' % (f, n, n)",
            lambda: f"'{{}} {{0!r}}'.format({e()})" if r.random() < .2 else f"'{{:>5}}|{{:.2f}}'.format({e()}, f)",
        ])()

    def body(self, depth):
        return "".join(self.part(depth) for _ in range(self.r.randint(1, 3)))

    def tag(self, text):
        r = self.r
        return f"{{%{r.choice(['', '-', '', '+'])} {text} {r.choice(['', '-', '', '+'])}%}}"

    def part(self, depth):
        r, e = self.r, lambda: self.expression(r.randint(0, 2))
        space = lambda: r.choice(["", " ", "\n", "  \n ", "\n\n", "text"])
        if depth == 0:
            return r.choice([lambda: f"{{{{ {e()} }}}}", lambda: f"{{{{- {e()} -}}}}", space, lambda: f"{space()}{{# c #}}{space()}",
                             lambda: f"{space()}{{%- raw %}}{{{{ x }}}}{{% endraw -%}}{space()}"])()
        b = lambda: self.body(depth - 1)
        t = self.tag
        return space() + r.choice([
            lambda: self.part(0), lambda: self.part(0), lambda: t(f"set {r.choice(['q', 'p'])} = {e()}"),
            lambda: f"{t('if ' + e())}{b()}{t('elif ' + e())}{b()}{t('else')}{b()}{t('endif')}",
            lambda: f"{t(f'for i in {e()}')}{b()}{{{{ i }}}}{t('endfor')}",
            lambda: f"{t(f'for i in {e()} if i')}{{{{ loop.index }}}}{{{{ loop.last }}}}{b()}{t('else')}{b()}{t('endfor')}",
            lambda: f"{t('for k, v in d.items()')}{{{{ k }}}}={{{{ v }}}}{b()}{t('endfor')}",
            lambda: f"{t('for i in xs')}{t('if i == 1')}{t(r.choice(['break', 'continue']))}{t('endif')}{{{{ i }}}}"
                    f"{{{{ loop.length }}}}{{{{ loop.revindex0 }}}}{{{{ loop.previtem }}}}{{{{ loop.nextitem }}}}{b()}{t('endfor')}",
            lambda: f"{t('set ns = namespace(a=1, b=s)')}{t('for i in xs')}{t('set ns.a = ns.a + i')}{b()}{t('endfor')}{{{{ ns.a }}}}",
            lambda: f"{t(f'macro m(a, b={r.choice(NUMBERS)})')}{b()}{{{{ a }}}}|{{{{ b }}}}{t('endmacro')}{{{{ m({e()}) }}}}{{{{ m(1, b={e()}) }}}}",
            lambda: f"{t('set q')}{b()}{t('endset')}[{{{{ q }}}}]", lambda: f"{t('filter ' + r.choice(['upper', 'trim', 'indent(2)']))}{b()}{t('endfilter')}",
            lambda: f"{t('with q = ' + e())}{b()}{{{{ q }}}}{t('endwith')}", lambda: f"{t('generation')}{b()}{t('endgeneration')}",
            lambda: f"{t('macro w()')}[{{{{ caller() }}}}]{t('endmacro')}{t('call w()')}{b()}{t('endcall')}",
        ])() + space()


def main():
    program = sys.argv[1]
    n, seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    maker = Maker(random.Random(seed))
    sources = [f"{{{{ {maker.expression(maker.r.randint(1, 3))} }}}}" if i % 3 else maker.body(2) for i in range(n)]
    counts = {"both text": 0, "both error": 0, "64 bits": 0, "different": 0}
    for source, got in zip(sources, reference.quern(program, [(source, CONTEXT) for source in sources])):
        want = reference.render(source, CONTEXT)
        if " at 0x" in want[1] or "built-in method" in want[1]:
            continue  # an address
        if got == want or got[0] == want[0] == "error":
            counts["both " + got[0]] += 1
        elif got[0] == "error" and "64 bits" in got[1]:
            counts["64 bits"] += 1
        else:
            counts["different"] += 1
            if counts["different"] <= 40:
                print(f"DIFFERENT: {source!r}\n  want {want[0]}: {want[1][:300]!r}\n  got  {got[0]}: {got[1][:300]!r}")
    print(counts)
    return counts["different"] > 0


sys.exit(main())
