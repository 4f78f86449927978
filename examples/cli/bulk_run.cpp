#include "bulk_run.h"

#include <zlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "os/files.h"

namespace cli {
namespace {

using nlohmann::json;

std::string why_not_journaled(const TextReader& source, RowSink& sink) {
  const Inputs& inputs = source.inputs();
  if (!sink.file().renamed()) return sink.file().name() + " is no file that could be gone on with";
  for (const Input& input : inputs.files)
    if (input.name == "-") return "stdin cannot be read again; write the texts to a file";
  if (inputs.bytes < 0) return "an input is no file that could be read again";
  return {};
}

json counts_json(const RunCounts& c) {
  const quern_embed_stats& s = c.stats;
  return {s.texts, s.tokens, s.truncated, s.repaired, s.chunked, c.repeated};
}

json file_json(const FileMark& m) {
  const ReadMark& b = m.before;
  if (!m.known) return nullptr;
  return {m.file, b.records, b.texts, b.bytes, b.crc, m.empty, m.limit, m.end_file};
}

FileMark file_of(const json& value) {
  if (value.is_null()) return {};
  return {value.at(0), {value.at(1), value.at(2), value.at(3), value.at(4)}, value.at(5), value.at(6), value.at(7),
          true};
}

RunCounts counts_of(const json& value) {
  RunCounts c;
  c.stats = {value.at(0), value.at(1), value.at(2), value.at(3), value.at(4)};
  c.repeated = value.at(5);
  return c;
}

}  // namespace

void add_resume_options(CLI::App& c, ResumeArguments& a) {
  CLI::Option* resume = c.add_flag("--resume", a.resume,
                                   "go on where an earlier run of the same command was stopped or killed, by the "
                                   "journal beside its output; begins where there is none");
  c.add_flag("--restart", a.restart, "drop what an earlier run has left, and begin anew")->excludes(resume);
  c.add_option("--journal-every", a.every, "seconds between two records of the journal (default: 2)")
      ->type_name("N")
      ->check(CLI::Range(0.0, 86400.0));
}

RunIdentity identity_of_model(const Model& model, const Adapter& adapter) {
  char* fingerprint = nullptr;
  check(adapter ? quern_adapter_fingerprint(adapter.get(), &fingerprint)
                : quern_model_fingerprint(model.get(), &fingerprint));
  const StringHandle owner(fingerprint);
  RunIdentity identity;
  identity["the model's fingerprint"] = fingerprint;
  identity["quern"] = quern_version();
  identity["--backend"] = quern_backend();  // the native one makes the same bits on every CPU
  return identity;
}

void add_identity(const TextArguments& a, const Inputs& inputs, RunIdentity& identity) {
  uint32_t crc = 0;
  for (const std::string& text : a.texts)
    crc = static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(text.c_str()), text.size() + 1));
  if (!a.texts.empty()) identity["-p"] = {{"texts", a.texts.size()}, {"crc", crc}};
  identity["number of inputs"] = inputs.files.size();
  const HubDataset* last = nullptr;
  for (const Input& input : inputs.files) {
    json& of_input = identity["input " + input.name] = {{"bytes", static_cast<int64_t>(input.bytes)}};
    if (!input.dataset) {
      of_input["changed"] = input.changed;
      continue;
    }
    of_input["hash"] = input.dataset->files()[input.of_dataset].hash;
    if (input.dataset.get() != last) identity["commit of " + input.dataset->name()].push_back(input.dataset->commit());
    last = input.dataset.get();
  }
  identity["--shard"] = {a.reading.shard.index, a.reading.shard.count};
  identity["--field"] = a.reading.fields.text;
  identity["--keep and --id"] = a.reading.fields.kept;
  identity["--input-format"] = a.reading.format;
  identity["--on-empty"] = static_cast<int>(a.reading.on_empty);
}

BulkRun::BulkRun(const ResumeArguments& arguments, bool quiet, RowSink& sink,
                 std::function<RunIdentity(const Inputs&)> identity)
    : arguments_(arguments),
      quiet_(quiet),
      sink_(sink),
      identity_of_(std::move(identity)),
      progress_(!quiet),
      journal_(sink.file().name()) {}

void BulkRun::prepare(TextReader& source) {
  inputs_ = source.inputs();
  const std::string why = why_not_journaled(source, sink_);
  if (!why.empty()) {
    if (arguments_.resume) throw Failure{2, "--resume: " + why};
    return;
  }
  interrupts_ = std::make_unique<Interrupts>();
  if (arguments_.restart) journal_.remove_all();
  if (!arguments_.resume) return journal_.require_none();
  Checkpoint last;
  if (journal_.read(identity_of_(inputs_), last)) return go_on(source, last);
  if (!quiet_)
    std::fprintf(stderr, "note: there is no %s to go on from; beginning at the first text\n", journal_.path().c_str());
}

void BulkRun::go_on(TextReader& source, const Checkpoint& last) {
  const std::string& output = sink_.file().name();
  os::FileInfo info;
  if (!os::info_of(journal_.unfinished(), info)) {
    // Killed between giving the output its name and removing the journal.
    whole_ = last.whole && os::info_of(output, info) && (sink_.staged() || info.size == last.chunk.end);
    if (!whole_) throw Failure{1, journal_.unfinished() + ": the unfinished output is gone (--restart begins anew)"};
  } else if (info.size < last.chunk.end || !has_chunk(journal_.unfinished(), last.chunk)) {
    throw Failure{
        1, journal_.unfinished() + ": is not as " + journal_.path() + " says that it was left (--restart begins anew)"};
  }
  const json state = json::parse(last.state);
  counts_ = counts_of(state.at("counts"));
  counts_.earlier = counts_.stats.texts;
  const FileMark file = file_of(state.at("file"));
  written_ = {last.read, file, counts_};
  if (whole_) return;
  sink_.file().go_on(journal_.unfinished(), last.chunk.end);
  sink_.restore(state.at("sink").get<std::string>());
  if (last.whole) {
    sink_.finish();
    whole_ = true;
    return;
  }
  source.begin_at(file);
  if (!(source.skip(last.read) == last.read))
    throw Failure{1, "--resume: the first " + std::to_string(last.read.records) +
                         " texts of the inputs are not those that " + journal_.path() +
                         " tells of (--restart begins anew)"};
  progress_.begin_at(counts_.stats.texts, counts_.stats.tokens, source.fraction());
}

// On the thread that writes, behind each batch.
void BulkRun::wrote(const Written& now) {
  written_ = now;
  if (journaled() && Clock::now() >= next_record_) record(false);
}

void BulkRun::record(bool whole) {
  const std::string state = sink_.state();
  if (state.empty()) return;
  OutputFile& file = sink_.file();
  file.sync();
  if (!journal_.begun()) journal_.begin(identity_of_(inputs_));
  file.keep(journal_.unfinished());
  journal_.append(
      {written_.read, file.take_chunk(), whole,
       json({{"counts", counts_json(written_.counts)}, {"file", file_json(written_.file)}, {"sink", state}}).dump()});
  next_record_ = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(arguments_.every * 1000));
}

void BulkRun::finish() {
  finishing_ = true;
  sink_.complete();
  if (journal_.begun()) record(true);
  sink_.finish();
}

void BulkRun::stopped(const Failure& why) {
  const bool interrupted = Interrupts::pressed();
  if (interrupted && !finishing_ && written_.read.records > 0) record(false);  // all that was begun is written
  if (!journal_.begun()) throw why;
  throw Failure{why.code, why.message + ": " + std::to_string(written_.read.texts) +
                              " texts are done and kept; the same command with --resume goes on"};
}

RunCounts BulkRun::run(std::shared_ptr<TextReader> source, const Work& work) {
  next_record_ = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(arguments_.every * 1000));
  prepare(*source);
  if (!whole_) {
    try {
      for_each_overlapped(source, [&](const TextBatch& batch) -> Write {
        if (journaled()) Interrupts::check();
        Write write = work(batch, counts_);
        progress_.update(counts_.stats.texts, counts_.stats.tokens, batch.fraction);
        return [this, write, now = Written{batch.read, batch.file, counts_}] {
          write();
          wrote(now);
        };
      });
      finish();
    } catch (const Failure& e) {
      if (journaled()) stopped(e);
      throw;
    }
  }
  if (journaled()) {
    if (journal_.begun()) sync_folder_of(sink_.file().name());
    journal_.remove();
  }
  seconds_ = progress_.seconds();
  progress_.end();
  return counts_;
}

}  // namespace cli
