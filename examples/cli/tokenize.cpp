// quern tokenize: texts → token ids, and back.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "common.h"
#include "text_reader.h"

namespace cli {
namespace {

struct TokenizeArguments {
  std::string model, file, field = "text";
  std::vector<std::string> texts;
  bool no_truncate = false, no_special = false, jsonl = false, decode = false;
  int64_t max_length = 0;
};

void put(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size())
    throw Failure{1, std::string("stdout: cannot write: ") + std::strerror(errno)};
}

// The ids of a line: numbers between anything that is no part of one, as in [101, 7592].
std::vector<int32_t> parse_ids(const std::string& line) {
  std::vector<int32_t> ids;
  const char *at = line.data(), *const end = at + line.size();
  while (at != end) {
    if (std::strchr(" ,[]\t\r", *at) && *at != '\0') {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [after, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0)
      throw Failure{2, "--decode: expected token ids, such as [101, 7592, 102], but a line has \"" +
                           line.substr(static_cast<size_t>(at - line.data()), 20) + "\""};
    ids.push_back(id);
    at = after;
  }
  return ids;
}

// One text a line; line breaks within a text are printed as they are.
void detokenize(const TokenizeArguments& a, const Model& model) {
  quern_detokenize_options options = quern_detokenize_options_default();
  options.skip_special = a.no_special;
  TextReader reader(a.texts, a.file, a.field, a.jsonl);
  for (;;) {
    const std::vector<std::string>& batch = reader.next(1024, size_t{1} << 20);
    if (batch.empty()) break;
    for (const std::string& line : batch) {
      const std::vector<int32_t> ids = parse_ids(line);
      char* text = nullptr;
      size_t length = 0;
      check(quern_detokenize(model.get(), ids.data(), ids.size(), &options, &text, &length));
      const std::unique_ptr<char, void (*)(char*)> owner(text, quern_string_free);
      put(std::string(text, length) + "\n");
    }
  }
}

void tokenize(const TokenizeArguments& a, const Model& model) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.add_special = !a.no_special;
  options.max_length = a.no_truncate ? -1 : a.max_length;
  TextReader reader(a.texts, a.file, a.field, a.jsonl);
  std::vector<int32_t> ids;
  std::string line;
  for (;;) {
    const std::vector<std::string>& batch = reader.next(1024, size_t{1} << 20);
    if (batch.empty()) break;
    for (const std::string& text : batch) {
      size_t n = 0;
      ids.resize(text.size() * 4 + 64);  // a byte makes at most a few tokens: enough for every tokenizer
      check(quern_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &n));
      line = "[";
      for (size_t i = 0; i < n; ++i) {
        char number[16];
        if (i) line += ", ";
        line.append(number, std::to_chars(number, number + sizeof number, ids[i]).ptr);
      }
      line += "]\n";
      put(line);
    }
  }
}

void run(const TokenizeArguments& a) {
  if (a.file.empty() && a.texts.empty()) throw Failure{2, "nothing to tokenize: give -f FILE (- for stdin) or -p TEXT"};
  const Model model = load(a.model);
  a.decode ? detokenize(a, model) : tokenize(a, model);
  if (std::fflush(stdout) != 0) throw Failure{1, std::string("stdout: cannot write: ") + std::strerror(errno)};
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto a = std::make_shared<TokenizeArguments>();
  CLI::App* c = app.add_subcommand("tokenize", "print each text's token ids, one JSON array a line");
  add_model_option(*c, a->model);
  c->add_option("-f,--file", a->file, "file of texts, one a line; - is stdin; .jsonl: one object a line")
      ->type_name("FILE");
  c->add_option("-p,--text", a->texts, "a text; may be repeated")
      ->type_name("TEXT")
      ->take_all()
      ->allow_extra_args(false);
  c->add_option("--field", a->field, "the field of a JSON-lines file that holds the text (default: text)")
      ->type_name("NAME");
  c->add_flag("--jsonl", a->jsonl, "read -f as JSON lines whatever its name");
  CLI::Option* max =
      c->add_option("--max-length", a->max_length, "cut to N tokens, special ones included (default: the model's)")
          ->type_name("N")
          ->check(CLI::PositiveNumber);
  c->add_flag("--no-truncate", a->no_truncate, "never cut")->excludes(max);
  c->add_flag("--no-special", a->no_special, "leave out the special tokens ([CLS], [SEP] …)");
  c->add_flag("--decode", a->decode, "the other way: each line or -p is token ids, print their text")->excludes(max);
  c->callback([a] { run(*a); });
}

}  // namespace cli
