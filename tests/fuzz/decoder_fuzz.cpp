// Any bytes as a decoder's model file: loading it and going on with a prompt may throw Error, or end the sequence with
// one, and do nothing else.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "error.h"
#include "generation/generator.h"

using namespace quern;

namespace {

void generate(const std::string& path) {
  const std::shared_ptr<const LoadedModel> model = load_model(path);
  const int64_t vocabulary = model->model->vocabulary();
  Generator generator(
      model,
      {.threads = 1, .context = std::min<int64_t>(48, model->model->positions()), .kv_memory = uint64_t{64} << 20});
  Request request;
  for (int64_t i = 0; i < 40; ++i) request.prompt.push_back(static_cast<int32_t>(i % vocabulary));
  request.max_tokens = 3;
  request.sampling.temperature = 0;
  generator.add(std::move(request));
  std::vector<Generated> out;
  while (generator.running() > 0) generator.step(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    generate("/proc/self/fd/" + std::to_string(fd));
  } catch (const Error& e) {
    if (e.message.empty() || e.status == Status::internal) std::abort();
  }
  close(fd);
  return 0;
}
