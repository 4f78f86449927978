// Layers on two sides: the same bits wherever the states cross over.
#include <catch2/catch.hpp>

#include "dispatch.h"
#include "tiny_bert.h"

using namespace quern;
using namespace quern::test;

namespace {

const std::string kFolder = std::string(QUERN_TEST_DIR) + "/golden/models/";

}  // namespace

TEST_CASE("placement: the last layers on other Ops give the same bits") {
  for (const std::string name : {"bert", "mpnet", "modernbert", "t5", "gte", "gemma2", "phi3"}) {
    const auto model = load_model(kFolder + name);
    const std::vector<int32_t> ids = {5, 9, 2, 7, 11, 3, 8, 2, 4, 6, 10, 12}, types(ids.size(), 0);
    const Sequence texts[] = {{0, 5}, {5, 7}};
    const Batch batch{ids, types, texts};
    HostOps alone(default_kernels(), {});
    const std::vector<float> expected = values_of(alone, forward(*model->model, {alone}, batch));
    Pool pool(2);
    for (int first = 0; first <= model->model->layers(); ++first) {
      HostOps host(default_kernels(), {}), device(default_kernels(), {.pool = &pool});
      const Placement placement{host, &device, first};
      std::vector<const Ops*> seen;
      const Tensor states =
          forward(*model->model, placement, batch, [&](int, Ops& op, const Tensor&) { seen.push_back(&op); });
      INFO(name << ", from layer " << first << " on");
      CHECK(values_of(placement.last(), states) == expected);
      REQUIRE(seen.size() == static_cast<size_t>(model->model->layers()) + 1);
      for (int i = 0; i <= model->model->layers(); ++i)
        CHECK(seen[static_cast<size_t>(i)] == (i <= first ? static_cast<const Ops*>(&host) : &device));
    }
  }
}
