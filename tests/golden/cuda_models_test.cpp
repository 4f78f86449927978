// Whole encoders on the emulated CUDA device, with all layers there and with the last ones: the host's vectors.
#include "device_plugin.h"
#include "same_bits.h"

namespace quern::test {
namespace {

const std::vector<std::string> kTexts = {"the quick fox", "not", "", "the fox jumps the quick user not"};

Rows vectors(const std::string& path, const DeviceChoice& choice, int threads = 1) {
  std::shared_ptr<const LoadedModel> model = load_model(path, nullptr, choice);
  CHECK((choice.device == "cpu") == (model->offload.device == nullptr));
  return Embedder(std::move(model), threads)(kTexts);
}

class OnEmulated : public SetEnv {
 public:
  OnEmulated() : SetEnv("QUERN_CUDA_LIBRARY", QUERN_EMULATED_CUDA_LIBRARY) {}
};

Error refusal(const std::string& path, const DeviceChoice& choice) {
  return error_of([&] { load_model(path, nullptr, choice); });
}

// What is loaded in place of a device that cannot be had.
std::string reason(const std::string& path) {
  const auto model = load_model(path, nullptr, {.device = "auto"});
  CHECK(model->offload.device == nullptr);
  return model->offload.why;
}

}  // namespace

TEST_CASE("cuda: every encoder's vectors are the host's, wherever its layers are") {
  const OnEmulated plugin;
  for (const char* name :
       {"bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "nomic_bert", "gte", "t5", "modernbert"}) {
    for (const char* type : {"q8", "f16"}) {
      ScratchFolder scratch;
      const std::string file = convert_to(scratch, type, decoder_folder(name));
      const Rows expected = vectors(file, {});
      for (const char* layers : {"all", "1"}) {
        INFO(name << ", " << type << ", layers " << layers);
        CHECK(vectors(file, {.device = "cuda", .layers = layers}) == expected);
      }
    }
  }
}

TEST_CASE("cuda: texts of many packs and threads give the host's vectors") {
  const OnEmulated plugin;
  ScratchFolder scratch;
  const std::string file = convert_to(scratch, "q8");
  const Rows expected = vectors(file, {});
  CHECK(vectors(file, {.device = "cuda"}, 3) == expected);
  CHECK(vectors(file, {.device = "auto"}, 2) == expected);
  CHECK(vectors(file, {.device = "cuda:0", .layers = "2"}, 2) == expected);
}

TEST_CASE("cuda: devices that cannot be had are refused by name, and auto takes the CPU") {
  const std::string model = tiny_bert();
  const auto unsupported = [&](const std::string& part) {
    const Error e = refusal(model, {.device = "cuda"});
    CHECK(e.status == Status::unsupported);
    CHECK_THAT(e.message, Catch::Contains(part) && Catch::Contains("--device cpu"));
    CHECK_THAT(reason(model), Catch::Contains(part));
  };
  {
    const SetEnv library("QUERN_CUDA_LIBRARY", "/nowhere/libquern-cuda.so");
    unsupported("/nowhere/libquern-cuda.so, which QUERN_CUDA_LIBRARY names, is not there");
  }
  {
    ScratchFolder scratch;
    scratch.write("text.so", "no library");
    const SetEnv library("QUERN_CUDA_LIBRARY", scratch.file("text.so"));
    unsupported("cannot be opened");
  }
  {
    const SetEnv library("QUERN_CUDA_LIBRARY", "/lib/x86_64-linux-gnu/libz.so.1");
    if (std::filesystem::exists("/lib/x86_64-linux-gnu/libz.so.1")) unsupported("is no plug-in of quern");
  }
  const OnEmulated plugin;
  const auto on = [&](const char* machine, const std::string& part) {
    const SetEnv words("QUERN_EMULATED_CUDA", machine);
    unsupported(part);
  };
  on("build_id",
     "belongs to another build of quern: expected " + std::string(cuda_build_id()) + ", found 0123456789abcdef");
  on("no_driver", "no NVIDIA driver");
  on("old_driver", "offers CUDA 12.2, and the plug-in needs 13.0");
  on("old_gpu", "compute capability 7.5");
}

TEST_CASE("cuda: wrong indices, names and numbers of layers are wrong use") {
  const OnEmulated plugin;
  const SetEnv words("QUERN_EMULATED_CUDA", "devices=2");
  for (const auto& [choice, part] : std::initializer_list<std::pair<DeviceChoice, const char*>>{
           {{.device = "cuda:2"}, "there is no CUDA device 2: expected 0 to 1"},
           {{.device = "cuda:x"}, "expected cpu, auto, cuda or cuda:<index>, found \"cuda:x\""},
           {{.device = "gpu"}, "found \"gpu\""},
           {{.device = "cuda", .layers = "-1"}, "expected a number, all or auto, found \"-1\""},
           {{.device = "cuda", .layers = ""}, "found \"\""}}) {
    const Error e = refusal(tiny_bert(), choice);
    CHECK(e.status == Status::bad_argument);
    CHECK_THAT(e.message, Catch::Contains(part));
  }
  CHECK(load_model(tiny_bert(), nullptr, {.device = "cuda:1", .layers = "99"})->offload.layers == 3);
  CHECK(load_model(tiny_bert(), nullptr, {.device = "cuda", .layers = "0"})->offload.device == nullptr);
}

TEST_CASE("cuda: what does not fit is refused with what would, and auto takes fewer layers") {
  const OnEmulated plugin;
  ScratchFolder scratch;
  const std::string file = convert_to(scratch, "q8");
  const auto all = load_model(file, nullptr, {.device = "cuda"});
  CHECK(all->offload.layers == 3);
  CHECK(all->offload.first_layer == -1);
  CHECK(all->offload.bytes > 0);
  {
    const SetEnv words("QUERN_EMULATED_CUDA", "memory=100000");
    const Error e = refusal(file, {.device = "cuda", .layers = "2"});
    CHECK(e.status == Status::out_of_memory);
    CHECK_THAT(e.message, Catch::Contains("not one layer fits into the 1 MiB"));
    CHECK_THAT(reason(file), Catch::Contains("not one layer fits"));
  }
  const auto layers_in = [&](int64_t memory) {
    const SetEnv words("QUERN_EMULATED_CUDA", "memory=" + std::to_string(memory));
    return load_model(file, nullptr, {.device = "auto"})->offload.layers;
  };
  int64_t too_few = 1 << 20, enough = int64_t{1} << 30;
  while (enough - too_few > 4096) {
    const int64_t middle = (too_few + enough) / 2;
    (layers_in(middle) == 3 ? enough : too_few) = middle;
  }
  CHECK(layers_in(too_few) == 2);
  const SetEnv words("QUERN_EMULATED_CUDA", "memory=" + std::to_string(too_few));
  CHECK(vectors(file, {.device = "auto"}) == vectors(file, {}));
  const Error e = refusal(file, {.device = "cuda", .layers = "all"});
  CHECK(e.status == Status::out_of_memory);
  CHECK_THAT(e.message, Catch::Contains("3 of 3 layers need") && Catch::Contains("2 layers fit (--gpu-layers 2"));
}

TEST_CASE("cuda: what has no kernels there yet is refused in one sentence") {
  const OnEmulated plugin;
  const std::string decoder = decoder_folder("llama");
  const Error e = refusal(decoder, {.device = "cuda"});
  CHECK(e.status == Status::unsupported);
  CHECK_THAT(e.message, Catch::Contains("decoders run on the CPU alone yet"));
  CHECK_THAT(reason(decoder), Catch::Contains("CPU alone"));
  ScratchFolder scratch;
  const std::string q4 = convert_to(scratch, "q4");
  CHECK_THAT(refusal(q4, {.device = "cuda"}).message, Catch::Contains("no kernels for q4 weights"));
  CHECK_THAT(reason(q4), Catch::Contains("q4"));
}

TEST_CASE("cuda: a device that is lost fails the call, and the process lives") {
  const OnEmulated plugin;
  std::shared_ptr<const LoadedModel> model;
  {
    const SetEnv words("QUERN_EMULATED_CUDA", "launches=60");
    ScratchFolder scratch;
    model = load_model(convert_to(scratch, "f16"), nullptr, {.device = "cuda"});
    Embedder embed(model, 2);
    for (int i = 0; i < 3; ++i) {
      const Error e = error_of([&] {
        for (int n = 0; n < 20; ++n) embed(kTexts);
      });
      CHECK(e.status == Status::internal);
      CHECK_THAT(e.message, Catch::Contains("the CUDA device failed: the emulated device is lost"));
    }
  }
  CHECK(Embedder(tiny_bert(), 1)(kTexts).size() == kTexts.size());
}

}  // namespace quern::test
