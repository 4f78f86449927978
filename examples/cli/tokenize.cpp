// quern tokenize: texts → token ids.
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
  bool no_truncate = false, no_special = false, jsonl = false;
  int64_t max_length = 0;
};

void tokenize(const TokenizeArguments& a) {
  if (a.file.empty() && a.texts.empty()) throw Failure{2, "nothing to tokenize: give -f FILE (- for stdin) or -p TEXT"};
  const Model model = load(a.model);
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
      if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size())
        throw Failure{1, std::string("stdout: cannot write: ") + std::strerror(errno)};
    }
  }
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
  c->callback([a] { tokenize(*a); });
}

}  // namespace cli
