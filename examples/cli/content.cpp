#include "content.h"

#include <algorithm>
#include <cctype>

#include "common.h"

namespace cli {
namespace {

struct Ending {
  const char* ending;
  TextFormat format;
};

constexpr Ending kEndings[] = {{".txt", TextFormat::lines},    {".text", TextFormat::lines},
                               {".jsonl", TextFormat::jsonl},  {".json", TextFormat::json},
                               {".ndjson", TextFormat::jsonl}, {".csv", TextFormat::csv},
                               {".tsv", TextFormat::tsv},      {".tab", TextFormat::tsv}};

struct Name {
  const char* name;
  TextFormat format;
};

constexpr Name kNames[] = {{"text", TextFormat::lines},
                           {"jsonl", TextFormat::jsonl},
                           {"json", TextFormat::json},
                           {"csv", TextFormat::csv},
                           {"tsv", TextFormat::tsv}};

struct Compression {
  const char *ending, *what;
};

constexpr Compression kCompressions[] = {{".gz", "gzip"}, {".zst", "zstd"}};

constexpr const char* kTable = "save the column of texts as CSV or JSON lines";
constexpr const char* kColumnar = "it is read from a file that is not compressed, without --input-format";
constexpr const char* kUnpack = "unpack it first";
constexpr const char* kDocument = "save its text as plain text, one text per line";
constexpr const char* kNumbers = "quern reads texts here, not numbers or weights";
constexpr const char* kAgain = "compress it as gzip or zstd, or not at all";

struct Magic {
  size_t at;
  std::string_view bytes;
  const char *what, *then;
};

using namespace std::string_view_literals;
constexpr Magic kMagic[] = {
    {0, "PAR1"sv, "Parquet", kColumnar},
    {0, "PARE"sv, "encrypted Parquet", kTable},
    {0, "ARROW1"sv, "an Arrow file", kColumnar},
    {0, "FEA1"sv, "Feather", kTable},
    {0, "\xFF\xFF\xFF\xFF"sv, "an Arrow stream", kColumnar},
    {0, "ORC"sv, "ORC", kTable},
    {0, "Obj\x01"sv, "Avro", kTable},
    {0, "SQLite format 3\0"sv, "an SQLite database", kTable},
    {8, "DUCK"sv, "a DuckDB database", kTable},
    {0, "\x89HDF"sv, "HDF5", kTable},
    {0, "PK\x03\x04"sv, "a zip archive (.xlsx, .docx, .npz and .pt are such)", kUnpack},
    {0, "PK\x05\x06"sv, "an empty zip archive", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive", kUnpack},
    {0, "Rar!\x1A"sv, "a rar archive", kUnpack},
    {0, "\x1F\x8B"sv, "gzip within what was compressed", kAgain},
    {0, "\x28\xB5\x2F\xFD"sv, "zstd within what was compressed", kAgain},
    {0, "BZh"sv, "bzip2", kAgain},
    {0,
     "\xFD"
     "7zXZ"sv,
     "xz", kAgain},
    {0, "\x04\x22\x4D\x18"sv, "lz4", kAgain},
    {0, "\x93NUMPY"sv, "a numpy array", kNumbers},
    {0, "GGUF"sv, "a GGUF model", kNumbers},
    {8, "{\""sv, "safetensors", kNumbers},
    {0, "\x80\x02"sv, "a Python pickle", kTable},
    {0, "\x80\x03"sv, "a Python pickle", kTable},
    {0, "\x80\x04"sv, "a Python pickle", kTable},
    {0, "\x80\x05"sv, "a Python pickle", kTable},
    {0, "%PDF-"sv, "PDF", kDocument},
    {0, "{\\rtf"sv, "RTF", kDocument},
    {0, "\xD0\xCF\x11\xE0"sv, "an Office document", kDocument},
    {0, "\x89PNG"sv, "a PNG image", kNumbers},
    {0, "\xFF\xD8\xFF"sv, "a JPEG image", kNumbers},
    {0,
     "\x7F"
     "ELF"sv,
     "a program", kNumbers},
};

bool printable(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// What text has none of: control characters but white space, backspace and escape.
bool has_controls(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x08 || (byte > 0x0D && byte < 0x20 && byte != 0x1B);
  });
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Without .gz or .zst.
std::string plain_name(const std::string& path) {
  std::string name = lower(path);
  for (const Compression& c : kCompressions)
    if (name.ends_with(c.ending)) return name.substr(0, name.size() - std::string_view(c.ending).size());
  return name;
}

void require_utf8(std::string_view head, const std::string& name) {
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))
    throw Failure{
        1, name + ": expected UTF-8, found UTF-16 (by its byte order mark); iconv -f UTF-16 -t UTF-8 makes it so"};
}

}  // namespace

std::vector<std::string> text_formats() {
  std::vector<std::string> names;
  for (const Name& n : kNames) names.emplace_back(n.name);
  return names;
}

TextFormat text_format(const std::string& path, const std::string& wanted) {
  for (const Name& n : kNames)
    if (wanted == n.name) return n.format;
  const std::string name = plain_name(path);
  for (const Ending& e : kEndings)
    if (name.ends_with(e.ending)) return e.format;
  return TextFormat::lines;
}

bool is_text_name(const std::string& path) {
  const std::string name = plain_name(path);
  for (const char* ending : {".parquet", ".arrow", ".feather"})
    if (name.ends_with(ending)) return true;
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](const Ending& e) { return name.ends_with(e.ending); });
}

bool is_columnar(std::string_view head) {
  return has_controls(head) && std::any_of(std::begin(kMagic), std::end(kMagic), [&](const Magic& m) {
           return m.then == kColumnar && head.starts_with(m.bytes);
         });
}

void drop_byte_order_mark(std::string& text, const std::string& name) {
  require_utf8(text, name);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
}

void require_known(std::string_view head, const std::string& name) {
  require_utf8(head, name);
  const bool binary = has_controls(head);
  for (const Magic& m : kMagic) {
    if (head.size() < m.at || !head.substr(m.at).starts_with(m.bytes)) continue;
    // A text may begin so; what is in this format has other bytes soon. PDF and RTF begin as no text does.
    if (printable(m.bytes) && !binary && m.then != kDocument) continue;
    throw Failure{1, name + ": expected texts, found " + m.what + ": " + m.then};
  }
}

void require_as_named(const std::string& name) {
  for (const Compression& c : kCompressions)
    if (lower(name).ends_with(c.ending))
      throw Failure{1, name + ": expected " + c.what + " data, by the name; found something else"};
}

}  // namespace cli
