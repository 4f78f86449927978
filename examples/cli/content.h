// What an input is: by its name, and by its first bytes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace cli {

enum class TextFormat { lines, jsonl, json, csv, tsv };

constexpr size_t kHeadBytes = 4096;  // that tell what an input is

// Names of --input-format.
std::vector<std::string> text_formats();

// wanted: a name of text_formats(), or empty: by the file's name, without .gz or .zst; lines for any other one.
TextFormat text_format(const std::string& path, const std::string& wanted);

// Whether the name says which texts are in it: .txt, .jsonl, .csv and the like, also with .gz or .zst.
bool is_text_name(const std::string& path);

// Whether these are the first bytes of Parquet or Arrow.
bool is_columnar(std::string_view head);

// Throws Failure, which says what it is and what to do, for binary formats and UTF-16. head: the first bytes,
// decompressed.
void require_known(std::string_view head, const std::string& name);

// Takes the mark off that some editors put before UTF-8. Throws Failure where it says UTF-16; name: of the file.
void drop_byte_order_mark(std::string& text, const std::string& name);

// Of bytes that are not compressed: throws Failure where the name says that they are.
void require_as_named(const std::string& name);

}  // namespace cli
