// A run over many texts into one output: progress, counts, and, where inputs and output are files, a journal, so that a
// run that was stopped or killed can be gone on with (--resume) and gives the same bytes.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bulk_progress.h"
#include "interrupts.h"
#include "journal.h"
#include "texts.h"

namespace cli {

struct ResumeArguments {
  bool resume = false, restart = false;
  double every = 2;  // seconds between two records of the journal
};

// --resume, --restart, --journal-every.
void add_resume_options(CLI::App& command, ResumeArguments& a);

// Of what a model makes: its fingerprint, and the library.
RunIdentity identity_of_model(const Model& model, const Adapter& adapter);  // adapter: may be null

// What of the texts an output depends on, for a RunIdentity.
void add_identity(const TextArguments& a, const Inputs& inputs, RunIdentity& identity);

struct RunCounts {
  quern_embed_stats stats{};
  uint64_t repeated = 0;  // of stats.texts
  uint64_t earlier = 0;   // of stats.texts, done by an earlier run
};

class BulkRun {
 public:
  // One batch's work on the calling thread; what it counts it adds to `counts`, and what it returns is written later.
  using Work = std::function<Write(const TextBatch&, RunCounts& counts)>;

  // identity: what the output depends on; called once it is needed, on any thread.
  BulkRun(const ResumeArguments& resume, bool quiet, RowSink& sink, std::function<RunIdentity(const Inputs&)> identity);

  // All of it, from where an earlier run was stopped. Throws Failure.
  RunCounts run(std::shared_ptr<TextReader> source, const Work& work);
  double seconds() const { return seconds_; }

 private:
  bool journaled() const { return static_cast<bool>(interrupts_); }
  void prepare(TextReader& source);
  void go_on(TextReader& source, const Checkpoint& last);
  struct Written {
    ReadMark read;
    FileMark file;
    RunCounts counts;
  };
  void wrote(const Written& now);
  void record(bool whole);
  void finish();
  [[noreturn]] void stopped(const Failure& why);

  using Clock = std::chrono::steady_clock;
  const ResumeArguments& arguments_;
  const bool quiet_;
  RowSink& sink_;
  const std::function<RunIdentity(const Inputs&)> identity_of_;
  Inputs inputs_;
  BulkProgress progress_;
  Journal journal_;
  std::unique_ptr<Interrupts> interrupts_;  // where there is a journal to keep
  RunCounts counts_;                        // of all that was begun
  Written written_;                         // of all that is in the output; the writer's
  Clock::time_point next_record_ = Clock::now();
  bool whole_ = false, finishing_ = false;
  double seconds_ = 0;
};

}  // namespace cli
