// Chat templates against transformers' renderings, and what each filter, test and method makes of values.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "chat_render.h"
#include "io/mapped_file.h"

using namespace quern;
using namespace quern::test;
using Json = nlohmann::ordered_json;

namespace {

struct Case {
  const char *expression, *text;
};

const std::string context = R"({"s":"Hello, wörld","xs":[3,1,2],"d":{"b":1,"a":"x","items":7},"none_":null,"t":true,
  "rows":[{"r":"user","n":2,"t":"x"},{"r":"bot","n":1},{"r":"User","n":3}]})";

template <size_t n>
void check(const Case (&cases)[n]) {
  for (const Case& c : cases) {
    CAPTURE(c.expression);
    CHECK(value(c.expression, context) == c.text);
  }
}

}  // namespace

TEST_CASE("chat: renderings of transformers") {
  const TrustedStrings specials = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
  size_t n_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DIR "/golden/chat")) {
    if (entry.path().extension() != ".jinja") continue;
    ++n_files;
    const ChatTemplate chat(read_text_file(entry.path().string(), 1 << 20), entry.path().filename().string());
    std::ifstream lines(std::filesystem::path(entry.path()).replace_extension(".jsonl"));
    size_t n_lines = 0;
    for (std::string line; std::getline(lines, line); ++n_lines) {
      const Json want = Json::parse(line);
      CAPTURE(entry.path().filename().string(), want["name"].get<std::string>());
      if (want.contains("error")) {
        CHECK_THROWS_AS(chat.render(want["context"], specials), Error);
      } else {
        CHECK(join_parts(chat.render(want["context"], specials)) == want["text"].get<std::string>());
      }
    }
    CHECK(n_lines == 44);
  }
  CHECK(n_files == 9);
}

TEST_CASE("chat: white space of tags") {
  CHECK(render("a\n  {% if true %}\nb\n  {% endif %}\nc\n") == "a\nb\nc");
  CHECK(render("a \n {%- if true -%} \n b {%+ endif +%}\nc") == "ab \nc");
  CHECK(render("  {{ 1 }}\n\n") == "  1\n");
  CHECK(render("x  {#- c -#}  y{# d #}\nz") == "xyz");
  CHECK(render("{% raw %}{{ x }}{% endraw %}|{%- raw -%} a {%- endraw -%} |") == "{{ x }}|a|");
  CHECK(render("a\r\nb\rc") == "a\nb\nc");
}

TEST_CASE("chat: operators and literals") {
  check({{"1 + 2 * 3 ** 2", "19"},
         {"7 // 2, -7 // 2, -7 % 3, 7 / 2", "(3, -4, 2, 3.5)"},
         {"2 ** -1", "0.5"},
         {"1 < 2 < 3, 1 < 2 > 3", "(True, False)"},
         {"'a' ~ 1 ~ none", "a1None"},
         {"not 1 == 2", "True"},
         {"1 in xs, 5 not in xs, 'ell' in s", "(True, True, True)"},
         {"'x' if false", ""},
         {"'x' if false else 'y'", "y"},
         {"xs[-1], xs[1:], xs[::-1]", "(2, [1, 2], [2, 1, 3])"},
         {"s[7:9], s[-1]", "('wö', 'd')"},
         {"[1, 'a', none, 1.0]", "[1, 'a', None, 1.0]"},
         {"{'a': 1, 2: (1,)}", "{'a': 1, 2: (1,)}"},
         {"'\\n\\t\\x41\\u00e4\\\\'", "\n\tAä\\"},
         {"1e3, 0x1f, 1_000", "(1000.0, 31, 1000)"},
         {"'a' 'b'", "ab"},
         {"-3|abs", "3"},
         {"1.5e290 * 1e9, 1e22, 1e-7", "(1.5e+299, 1e+22, 1e-07)"},
         {"missing or 'd'", "d"}});
}

TEST_CASE("chat: filters") {
  check({{"-2 | abs", "2"},
         {"d | attr('get') is callable", "True"},
         {"xs | batch(2) | list", "[[3, 1], [2]]"},
         {"'aBC' | capitalize", "Abc"},
         {"'a' | center(4)", " a  "},
         {"xs | count", "3"},
         {"missing | d(1)", "1"},
         {"'' | default('x', true)", "x"},
         {"d | dictsort", "[('a', 'x'), ('b', 1), ('items', 7)]"},
         {"'<&>' | e", "&lt;&amp;&gt;"},
         {"'<' | escape | forceescape", "&amp;lt;"},
         {"xs | first", "3"},
         {"'3.5' | float", "3.5"},
         {"'%s-%02d' | format('a', 3)", "a-03"},
         {"rows | groupby('r') | map('first') | list", "['bot', 'user']"},
         {"'a\nb' | indent(2)", "a\n  b"},
         {"'42.9' | int, 'x' | int(7), '0x1f' | int(0, 16)", "(42, 7, 31)"},
         {"{'a': 1} | items | list", "[('a', 1)]"},
         {"xs | join('-')", "3-1-2"},
         {"xs | last", "2"},
         {"s | length", "12"},
         {"'ab' | list", "['a', 'b']"},
         {"'ÄÖ' | lower", "äö"},
         {"rows | map(attribute='n') | list", "[2, 1, 3]"},
         {"xs | map('string') | join", "312"},
         {"xs | max, xs | min", "(3, 1)"},
         {"xs | reject('odd') | list", "[2]"},
         {"rows | rejectattr('t', 'defined') | map(attribute='n') | list", "[1, 3]"},
         {"'aa' | replace('a', 'b', 1)", "ba"},
         {"xs | reverse | list", "[2, 1, 3]"},
         {"2.5 | round, 2.45 | round(1, 'ceil')", "(2.0, 2.5)"},
         {"'<' | safe + '<'", "<&lt;"},
         {"xs | select('gt', 1) | list", "[3, 2]"},
         {"rows | selectattr('r', 'eq', 'bot') | list | length", "1"},
         {"xs | slice(2) | list", "[[3, 1], [2]]"},
         {"rows | sort(attribute='r,n') | map(attribute='n') | list", "[1, 2, 3]"},
         {"1 | string is string", "True"},
         {"xs | sum", "6"},
         {"'it is-so' | title", "It Is-So"},
         {"' a ' | trim", "a"},
         {"'foo bar baz' | truncate(9, leeway=0)", "foo..."},
         {"['b', 'B', 'a'] | unique | list", "['b', 'a']"},
         {"'ß' | upper", "SS"},
         {"'a b' | urlencode", "a%20b"},
         {"'a b c' | wordcount", "3"},
         {"d | tojson", "{\"b\": 1, \"a\": \"x\", \"items\": 7}"},
         {"'ö\n<' | tojson", "\"ö\\n<\""},
         {"'ö' | tojson(ensure_ascii=true)", "\"\\u00f6\""},
         {"[1, {}] | tojson(indent=1)", "[\n 1,\n {}\n]"},
         {"{'b': 1.0, 'a': none} | tojson(separators=(',', ':'), sort_keys=true)", "{\"a\":null,\"b\":1.0}"}});
}

TEST_CASE("chat: tests") {
  for (const char* expression : {"t is boolean",
                                 "range is callable",
                                 "s is defined",
                                 "4 is divisibleby 2",
                                 "2 is even",
                                 "3 is odd",
                                 "false is false",
                                 "'upper' is filter",
                                 "1.0 is float",
                                 "1 is integer",
                                 "s is iterable",
                                 "'a' is lower",
                                 "d is mapping",
                                 "none_ is none",
                                 "t is number",
                                 "none is sameas none",
                                 "xs is sequence",
                                 "s is string",
                                 "'odd' is test",
                                 "t is true",
                                 "missing is undefined",
                                 "'A' is upper",
                                 "1 is eq 1",
                                 "1 is ne(2)",
                                 "1 is lt 2",
                                 "2 is le 2",
                                 "2 is gt 1",
                                 "2 is ge 2",
                                 "1 is in xs",
                                 "1 is not none",
                                 "('<' | e) is escaped",
                                 "none is not iterable",
                                 "(xs | select) is not sequence",
                                 "missing is iterable",
                                 "d is sequence"}) {
    CAPTURE(expression);
    CHECK(value(expression, context) == "True");
  }
}

TEST_CASE("chat: methods") {
  check({{"'a b  c'.split()", "['a', 'b', 'c']"},
         {"'a,b,c'.split(',', 1)", "['a', 'b,c']"},
         {"'a b c'.rsplit(' ', 1)", "['a b', 'c']"},
         {"' x '.strip() ~ '|' ~ 'xax'.strip('x') ~ ' y '.lstrip() ~ ' z '.rstrip()", "x|ay  z"},
         {"s.startswith('He'), s.endswith(('x', 'd'))", "(True, True)"},
         {"'aab'.replace('a', 'c', 1)", "cab"},
         {"s.find('w'), s.rfind('l'), s.count('l'), s.index('ö')", "(7, 10, 3, 8)"},
         {"'ab'.upper() ~ 'AB'.lower()", "ABab"},
         {"'a b'.title() ~ 'aB'.swapcase() ~ 'aB'.capitalize()", "A BAbAb"},
         {"'a\r\nb\n'.splitlines()", "['a', 'b']"},
         {"'-'.join(['a', 'b'])", "a-b"},
         {"'a=b'.partition('=')", "('a', '=', 'b')"},
         {"'7'.zfill(3) ~ '7'.rjust(2, '.')", "007.7"},
         {"'{}-{x:>3}-{0}'.format", "<built-in method format>"},
         {"'{1}{0}'.format('a', 'b')", "ba"},
         {"'12'.isdigit(), 'a1'.isalnum(), 'A'.isupper(), ' '.isspace()", "(True, True, True, True)"},
         {"'prefix'.removeprefix('pre') ~ 'prefix'.removesuffix('fix')", "fixpre"},
         {"d.get('b'), d.get('q'), d.get('q', 2), d.items", "(1, None, 2, <built-in method items>)"},
         {"d['items']", "7"},
         {"d.keys() | list, d.values() | list", "(['b', 'a', 'items'], [1, 'x', 7])"},
         {"xs.index(1), xs.count(3)", "(1, 1)"}});
}

TEST_CASE("chat: statements") {
  CHECK(render("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}") == "a1");
  CHECK(render("{% for i in [1, 2, 3] if i != 2 %}{{ loop.index }}{{ i }}{{ loop.last }};{% else %}no{% endfor %}") ==
        "11False;23True;");
  CHECK(render("{% for i in [] %}{% else %}no{% endfor %}") == "no");
  CHECK(render("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ "
               "i }}{% endfor %}") == "02");
  CHECK(render("{% for i in 'abc' %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }}{{ loop.revindex }} {{ "
               "loop.cycle('x', 'y') }}{{ loop.changed(1) }}{% endfor %}") == "<a>b3 xTruea<b>c2 yFalseb<c>1 xFalse");
  CHECK(render("{% set x = 0 %}{% for i in [1] %}{% set x = i %}{% endfor %}{{ x }}") == "0");
  CHECK(render("{% set ns = namespace(x=0) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}") ==
        "3");
  CHECK(render("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }} {{ m(1, 3, 4, "
               "c=5) }}") == "12(){} 13(4,){'c': 5}");
  CHECK(render("{% macro m() %}[{{ caller(1) }}]{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}") == "[1]");
  CHECK(render("{% set x %}a{{ 1 }}{% endset %}{% set y | upper %}b{% endset %}{{ x }}{{ y }}{% filter upper | "
               "replace('C', 'd') %}c{% endfilter %}") == "a1Bd");
  CHECK(render("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}{% generation %}g{% endgeneration %}") == "3g");
  CHECK(
      render("{% set a, (b, c) = 1, (2, 3) %}{{ a }}{{ b }}{{ c }}{% if false %}{% elif 1 %}x{% else %}y{% endif %}") ==
      "123x");
  CHECK(render("{{ strftime_now('%%') }}{{ dict(a=1) }}{% set j = joiner() %}{{ j() }}{{ j() }}") == "%{'a': 1}, ");
}

TEST_CASE("chat: what is no template or does not render says where") {
  for (const char* bad : {"{{ 1", "{% if %}", "{% for x %}", "{% endif %}", "{{ 'a }}", "{{ a b }}", "{% nope %}",
                          "{{ x | nope }}", "{{ (1 }}", "{# x", "{% raw %}", "{% break %}", "{{ x is nope }}",
                          "{% set 1 = 2 %}", "{{ 99999999999999999999 }}"}) {
    CAPTURE(bad);
    try {
      ChatTemplate(std::string("\n") + bad, "t");
      FAIL();
    } catch (const Error& e) {
      CHECK(e.status == Status::bad_file);
      CHECK(e.message.starts_with("t:2: "));
    }
  }
  CHECK_THROWS_AS(ChatTemplate("\xff", "t"), Error);
  CHECK(failure("a\n{{ raise_exception('no ' ~ 'way') }}") == "t:2: the template refuses this input: no way");
  CHECK(failure("{{ x.y }}") == "t:1: 'x' is undefined");
  CHECK(failure("\n{{ d.q.r }}", R"({"d":{}})") == "t:2: 'dict object' has no attribute 'q'");
  for (const char* bad :
       {"{{ 1 + 'a' }}", "{{ [].append(1) }}", "{{ {}.update({}) }}", "{{ 1 < 'a' }}", "{{ {[]: 1} }}", "{{ 1() }}",
        "{{ 1 / 0 }}", "{% include 'x' %}", "{{ missing | tojson }}", "{{ 9223372036854775807 + 1 }}", "{{ (1).x.y }}",
        "{% if true %}{{ 1 | nope }}{% endif %}", "{{ ''.__class__.__mro__ }}", "{{ namespace(_x=1) }}"}) {
    CAPTURE(bad);
    CHECK(failure(bad) != "");
  }
}

TEST_CASE("chat: any thread may render") {
  const ChatTemplate chat("{% for m in messages %}{{ m.content | upper ~ 'x' }}{% endfor %}", "t");
  const Json json = Json::parse(R"({"messages":[{"role":"user","content":"aß"},{"role":"user","content":"b"}]})");
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (std::string& text : texts)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) text = join_parts(chat.render(json, {}));
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) CHECK(text == "ASSxBx");
}
