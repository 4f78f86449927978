// Load on a server, from one thread, and what came of it as one JSON object.
//
// load embed  --port P [--host H] --file TEXTS [--concurrency N] [--texts K] [--encoding float|base64] [--seconds S]
//   N clients at /v1/embeddings, each with K texts a request, one after the other for S seconds. With --requests R: R
//   in all.
// load chat   --port P --file PROMPTS [--concurrency N] [--max-tokens M] [--requests R]
//   R answers as event streams, N at once: tokens per second, and milliseconds to the first token.
// load beside --port P --long-file PROMPT --file PROMPTS [--requests R]
//   Short prompts' time to the first token, R of them by themselves and then as many as fit beside the reading of a
//   long prompt.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "client.h"

namespace {

struct Options {
  std::string mode, host = "127.0.0.1", encoding = "float", model;
  std::vector<std::string> texts, long_texts;
  int port = 0, concurrency = 1, per_request = 1, max_tokens = 128;
  double seconds = 10;
  long requests = 0;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(2);
}

std::vector<std::string> lines_of(const char* path) {
  std::ifstream in(path);
  if (!in) fail(std::string("cannot read ") + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(line);
  if (lines.empty()) fail(std::string(path) + " has no lines");
  return lines;
}

Options read(int argc, char** argv) {
  if (argc < 2) fail("embed, chat or beside?");
  Options o;
  o.mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--port")
      o.port = std::atoi(value);
    else if (name == "--host")
      o.host = value;
    else if (name == "--model")
      o.model = value;
    else if (name == "--file")
      o.texts = lines_of(value);
    else if (name == "--long-file")
      o.long_texts = lines_of(value);
    else if (name == "--concurrency")
      o.concurrency = std::atoi(value);
    else if (name == "--texts")
      o.per_request = std::atoi(value);
    else if (name == "--encoding")
      o.encoding = value;
    else if (name == "--seconds")
      o.seconds = std::atof(value);
    else if (name == "--requests")
      o.requests = std::atol(value);
    else if (name == "--max-tokens")
      o.max_tokens = std::atoi(value);
    else
      fail("unknown option " + name);
  }
  if (o.port <= 0 || o.texts.empty() || o.concurrency < 1 || o.per_request < 1) fail("--port and --file are needed");
  return o;
}

std::string request(const Options& o, const char* path, const std::string& body) {
  return std::string("POST ") + path + " HTTP/1.1\r\nHost: " + o.host +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string embed_request(const Options& o, size_t n) {
  std::string body = "{\"model\":" + load::quoted(o.model) + ",\"encoding_format\":\"" + o.encoding + "\",\"input\":[";
  for (int i = 0; i < o.per_request; ++i) {
    if (i) body += ',';
    body += load::quoted(o.texts[(n * static_cast<size_t>(o.per_request) + static_cast<size_t>(i)) % o.texts.size()]);
  }
  return request(o, "/v1/embeddings", body + "]}");
}

std::string chat_request(const Options& o, const std::string& prompt, int max_tokens, size_t seed) {
  return request(o, "/v1/chat/completions",
                 "{\"model\":" + load::quoted(o.model) +
                     ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":" +
                     std::to_string(max_tokens) + ",\"ignore_eos\":true,\"seed\":" + std::to_string(seed) +
                     ",\"messages\":[{\"role\":\"user\",\"content\":" + load::quoted(prompt) + "}]}");
}

double percentile(std::vector<double> all, double share) {
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return all[std::min(all.size() - 1, static_cast<size_t>(share * static_cast<double>(all.size())))];
}

void print_times(const char* name, const std::vector<double>& ms) {
  std::printf(", \"%s_p50_ms\": %.3f, \"%s_p90_ms\": %.3f, \"%s_p99_ms\": %.3f", name, percentile(ms, .5), name,
              percentile(ms, .9), name, percentile(ms, .99));
}

struct Run {
  std::vector<double> total, first;  // ms
  long errors = 0;
  double tokens = 0, begin = load::now(), end = begin;
  void take(const load::Answer& a) {
    end = a.done;
    if (a.status != 200 || !a.whole) {
      if (++errors <= 3) std::fprintf(stderr, "load: status %d: %.300s\n", a.status, a.body.c_str());
      return;
    }
    total.push_back((a.done - a.sent) * 1e3);
    first.push_back((a.first - a.sent) * 1e3);
    tokens += a.tokens;
  }
};

void embed(const Options& o) {
  load::Loop loop(o.host, o.port);
  Run run;
  size_t sent = 0;
  const auto more = [&] {
    return o.requests ? sent < static_cast<size_t>(o.requests) : load::now() - run.begin < o.seconds;
  };
  for (int i = 0; i < o.concurrency && more(); ++i) loop.send(loop.open(), embed_request(o, sent++));
  loop.run([&](int connection, const load::Answer& a) {
    run.take(a);
    if (more()) loop.send(a.closed ? loop.open() : connection, embed_request(o, sent++));
  });
  const double seconds = run.end - run.begin;
  std::printf("{\"requests\": %zu, \"errors\": %ld, \"seconds\": %.3f, \"requests_per_s\": %.2f, \"texts_per_s\": %.2f",
              run.total.size(), run.errors, seconds, static_cast<double>(run.total.size()) / seconds,
              static_cast<double>(run.total.size() * static_cast<size_t>(o.per_request)) / seconds);
  print_times("latency", run.total);
}

void chat(const Options& o) {
  load::Loop loop(o.host, o.port);
  Run run;
  size_t sent = 0;
  const size_t all = static_cast<size_t>(o.requests ? o.requests : o.concurrency);
  const auto next = [&] { return chat_request(o, o.texts[sent % o.texts.size()], o.max_tokens, sent); };
  for (; sent < all && sent < static_cast<size_t>(o.concurrency); ++sent) loop.send(loop.open(), next());
  loop.run([&](int connection, const load::Answer& a) {
    run.take(a);
    if (sent < all) {
      loop.send(a.closed ? loop.open() : connection, next());
      ++sent;
    }
  });
  const double seconds = run.end - run.begin;
  std::printf("{\"requests\": %zu, \"errors\": %ld, \"seconds\": %.3f, \"tokens\": %.0f, \"tokens_per_s\": %.2f",
              run.total.size(), run.errors, seconds, run.tokens, run.tokens / seconds);
  print_times("first_token", run.first);
}

void beside(const Options& o) {
  if (o.long_texts.empty()) fail("beside needs --long-file");
  const long wanted = o.requests ? o.requests : 20;
  size_t sent = 0;
  const auto next = [&] {
    return ++sent, chat_request(o, o.texts[sent % o.texts.size()] + " " + std::to_string(sent), 1, sent);
  };
  Run alone, together, reading;
  {
    load::Loop loop(o.host, o.port);
    loop.send(loop.open(), next());
    loop.run([&](int connection, const load::Answer& a) {
      alone.take(a);
      if (static_cast<long>(alone.total.size()) < wanted && !a.closed) loop.send(connection, next());
    });
  }
  load::Loop loop(o.host, o.port);
  const int big = loop.open();
  loop.send(big, chat_request(o, o.long_texts[0], 1, 0));
  loop.send(loop.open(), next());
  loop.run([&](int connection, const load::Answer& a) {
    if (connection == big) return reading.take(a);
    if (reading.total.empty()) together.take(a);  // what ended while the long prompt was read
    if (reading.total.empty() && reading.errors == 0 && !a.closed) loop.send(connection, next());
  });
  std::printf("{\"requests\": %zu, \"errors\": %ld, \"beside\": %zu", alone.total.size(),
              alone.errors + together.errors + reading.errors, together.total.size());
  print_times("alone", alone.first);
  print_times("beside", together.first);
  std::printf(", \"long_first_token_ms\": %.3f", percentile(reading.first, .5));
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = read(argc, argv);
  try {
    if (o.mode == "embed")
      embed(o);
    else if (o.mode == "chat")
      chat(o);
    else if (o.mode == "beside")
      beside(o);
    else
      fail("unknown mode " + o.mode);
  } catch (const std::exception& e) {
    fail(e.what());
  }
  std::printf(", \"client_cpu_s\": %.3f}\n", load::cpu_seconds());
  return 0;
}
