// Templates that try to use up time, memory or the stack: an Error each.
#include <catch2/catch.hpp>

#include "chat_render.h"

using namespace quern;
using namespace quern::test;

namespace {

std::string repeat(const std::string& text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("chat limits: steps, memory and output", "[hostile][slow]") {
  for (const char* source :
       {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "{{ 'x' * 10**9 }}",
        "{{ [0] * 10**9 }}", "{{ range(10**9) | list }}", "{{ 'ab'.center(10**9) }}", "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}", "{{ ('x' * 10000).replace('x', 'y' * 10000) }}",
        "{{ [1] | tojson(indent=10**9) }}", "{{ 'a' | indent(10**9, true) }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = ns.x + ['x' * 10000 ~ i] %}{% endfor "
        "%}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% for i in range(100000) %}{% set x = namespace(y='x' * 100000) %}{% endfor %}",
        "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}", "{{ ''.join(['x' * 1000000] * 1000) }}"}) {
    CAPTURE(source);
    CHECK(failure(source).starts_with("t:1: "));
  }
  CHECK(failure("{{ 'abc' }}", "{}", {.output_bytes = 2}) != "");
  CHECK(failure("{{ 1 }}{{ 2 }}{{ 3 }}", "{}", {.steps = 5}) != "");
  CHECK_THROWS_AS(ChatTemplate(std::string(2000, 'x'), "t", {.template_bytes = 1000}), Error);
}

TEST_CASE("chat limits: equal towers of lists cost what they are") {
  const std::string tower = "namespace(x=[1]) %}{% for i in range(100) %}{% set NS.x = [NS.x, NS.x] %}{% endfor %}";
  std::string a = "{% set a = " + tower, b = "{% set b = " + tower;
  for (std::string* s : {&a, &b})
    for (size_t at; (at = s->find("NS")) != std::string::npos;) s->replace(at, 2, s == &a ? "a" : "b");
  CHECK(failure(a + b + "{{ a.x == b.x }}") != "");
}

TEST_CASE("chat limits: depth") {
  for (const std::string& source :
       {"{{ " + repeat("(", 5000) + "1" + repeat(")", 5000) + " }}", "{{ " + repeat("[", 5000),
        "{{ " + repeat("-", 5000) + "1 }}", "{{ " + repeat("not ", 5000) + "1 }}", repeat("{% if 1 %}", 5000),
        "{{ x" + repeat(".a", 5000) + " }}", "{{ x" + repeat("|upper", 5000) + " }}",
        "{{ " + repeat("1 if ", 5000) + "1 }}", "{{ {1:" + repeat("{1:", 5000), "{% set " + repeat("(", 5000)}) {
    CHECK(failure(source) != "");
  }
  CHECK(failure("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}") != "");
  CHECK(
      failure(
          "{% macro m(x) %}{% for i in [1] %}{% if 1 %}{{ m([x]) }}{% endif %}{% endfor %}{% endmacro %}{{ m(1) }}") !=
      "");
  CHECK(failure("{% set ns = namespace(x=1) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}") != "");
  CHECK(failure("{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = ns.x | map('string') %}{% "
                "endfor %}") != "");
  CHECK(failure("{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}") != "");
  CHECK(failure("{{ x }}", "{\"x\":" + repeat("[", 3000) + repeat("]", 3000) + "}") != "");
  // Long, but not deep.
  CHECK(render("{{ 0" + repeat(" + 1", 5000) + " }}") == "5000");
  CHECK(render("{{ ''" + repeat(" ~ 'a'", 5000) + " }}") == repeat("a", 5000));
}

TEST_CASE("chat limits: what holds itself is freed") {
  CHECK(render("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.list = [ns] %}x") == "x");
  CHECK(render("{% macro m() %}{% endmacro %}{% set n = m %}{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}") ==
        "True");
  CHECK(render("{% set ns = namespace(p=none) %}{% for i in range(20000) %}{% set n = namespace(p=ns.p) %}{% set ns.p "
               "= n %}{% endfor %}x") == "x");
}
