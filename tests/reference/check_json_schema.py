#!/usr/bin/env python3
"""Checks that texts generated under a schema's grammar are valid for Python's jsonschema.

    check_json_schema.py build/bin/grammar_walks [N]

Run by hand, with jsonschema installed; no test runs it. Each schema gives N (200) random texts, which must be JSON, valid
for the schema (formats too). The patterns avoid \\W, \\D and \\S: Python's count all of Unicode, JSON Schema's only ASCII.
"""
import json
import subprocess
import sys

import jsonschema

SCHEMAS = [
    {},
    {"type": "object"},
    {"type": "string"},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "pattern": "^[A-Z]{2,3}-\\d+(\\.[a-z]*)?$"},
    {"type": "string", "pattern": "[a-zA-Z]\\d?[^a-f]"},
    {"type": "string", "pattern": "^(a|[^0-9B-Zb-z_ -,]|\\.)+$"},
    {"type": "integer"},
    {"type": "integer", "minimum": -37, "maximum": 1204},
    {"type": "integer", "exclusiveMinimum": 99, "exclusiveMaximum": 1001},
    {"type": "integer", "maximum": -5},
    {"type": "number"},
    {"type": "number", "minimum": 0.25, "maximum": 17.5},
    {"type": "number", "exclusiveMinimum": -1.125, "exclusiveMaximum": 0},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "number", "minimum": 3.14, "maximum": 3.15},
    {"type": "number", "maximum": -0.5},
    {"type": ["boolean", "null", "array"]},
    {"enum": ["a", 1, 1.5, None, {"x": [1, "é\n"]}]},
    {"const": {"a": "\"quoted\" \\ / \t"}},
    {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 2, "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "string", "maxLength": 2}, {"type": "boolean"}], "minItems": 1},
    {"type": "array", "prefixItems": [{"const": 1}], "items": {"type": "null"}, "minItems": 2, "maxItems": 5},
    {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"},
                                      "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}}},
     "required": ["age"], "additionalProperties": False},
    {"type": "object", "properties": {"ab": {"type": "null"}, "abc": {"type": "boolean"}, "é": {"const": 1}},
     "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {"a": {}, "b": {"const": 2}}, "required": ["b", "z"], "additionalProperties": True},
    {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1, "maxProperties": 1},
    {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
        "value": {"type": "integer", "minimum": 0, "maximum": 99},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}}, "required": ["value"],
        "additionalProperties": False}}},
    {"anyOf": [{"type": "string", "format": "date"}, {"type": "object", "properties": {"kind": {"const": "x"}},
                                                      "required": ["kind"]}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
               {"properties": {"a": {"minimum": 2}, "b": {"type": "string", "maxLength": 2}}, "required": ["b"]}]},
    {"allOf": [{"properties": {"a": {}}, "additionalProperties": False},
               {"properties": {"b": {}, "a": {"type": "null"}}, "type": "object"}]},
    {"type": "object", "properties": {"q": {"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}},
     "required": ["q"]},
    {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$", "minLength": 3, "maxLength": 12},
    {"type": "string", "pattern": "b", "minLength": 2, "maxLength": 5},
    {"type": "string", "format": "email", "maxLength": 24},
    {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
    {"type": "string", "format": "uri", "pattern": "^https://"},
    {"type": "string", "format": "uri", "maxLength": 40},
    {"type": "string", "format": "date", "pattern": "-02-29$"},
    {"type": "integer", "multipleOf": 7, "minimum": -100, "maximum": 1000},
    {"type": "integer", "multipleOf": 86400},
    {"type": "number", "multipleOf": 0.25},
    {"type": "number", "multipleOf": 2.5, "exclusiveMinimum": 0, "maximum": 100},
    {"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807},
    {"type": "integer", "minimum": 9223372036854775800},
    {"type": "array", "items": {"enum": ["a", "b", 1, None]}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 20}, "uniqueItems": True, "maxItems": 3},
    {"type": "object", "propertyNames": {"pattern": "^[a-z]{1,4}$"}, "additionalProperties": {"type": "integer"}},
    {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "minProperties": 1},
    {"type": "object", "patternProperties": {"^n_": {"type": "integer"}, "_s$": {"type": "null"}},
     "additionalProperties": {"type": "boolean"}},
    {"type": "object", "properties": {"n_x": {"minimum": 0}, "y": {"const": 1}},
     "patternProperties": {"^n_": {"type": "integer"}}, "required": ["n_x"]},
    {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 1, "maxProperties": 2},
    {"type": "object", "properties": {"a": {"not": {}}, "b": {"type": "null"}}, "additionalProperties": True},
    {"type": "string", "maxLength": 2, "not": {"enum": ["", "a", "b"]}},
    {"type": "integer", "minimum": 0, "maximum": 9, "not": {"enum": [3, 4]}},
    {"not": {"type": ["string", "object", "array"]}},
    {"type": "object", "properties": {"k": {"enum": ["x", "y"]}, "v": {"maximum": 3}}, "required": ["k", "v"],
     "if": {"properties": {"k": {"const": "x"}}}, "then": {"properties": {"v": {"type": "integer"}}},
     "else": {"properties": {"v": {"type": "null"}}}},
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "dependentRequired": {"a": ["b"]}},
    {"enum": ["a", "ab", "abc", 7], "minLength": 2, "maximum": 5},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "time"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "duration"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "ipv4"},
    {"type": "string", "format": "ipv6"},
    {"type": "string", "format": "hostname"},
    {"type": "string", "format": "email"},
]


def main():
    n = sys.argv[2] if len(sys.argv) > 2 else "200"
    given = "".join(json.dumps(s) + "\n" for s in SCHEMAS)
    run = subprocess.run([sys.argv[1], n], input=given, capture_output=True, text=True, check=True)
    groups = run.stdout.removesuffix("\n\n").split("\n\n")
    assert len(groups) == len(SCHEMAS)
    failures = 0
    for schema, group in zip(SCHEMAS, groups):
        checker = jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        texts = set()
        for line in group.split("\n"):
            try:
                text = json.loads(line)
                texts.add(text)
                checker.validate(json.loads(text))
            except (ValueError, jsonschema.ValidationError) as e:
                failures += 1
                print(f"FAILED {json.dumps(schema)}\n  {line[:200]}\n  {str(e)[:200]}")
        print(f"{len(texts):4} texts  {json.dumps(schema)[:100]}")
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
