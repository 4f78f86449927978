// Ward's clusters by chains of nearest neighbours (Murtagh, 1983, The Computer Journal 26), as scipy's linkage has
// them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "error.h"
#include "heads/late_interaction.h"

namespace quern {
namespace {

constexpr size_t kMostRows = 16384;

double dot(const float* x, const float* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

// Distances of all pairs of n, each kept once.
class Distances {
 public:
  Distances(const float* rows, size_t n, size_t width) : n_(n), all_(n * (n - 1) / 2) {
    for (size_t i = 0; i < n; ++i)
      for (size_t j = i + 1; j < n; ++j)
        at(i, j) = static_cast<float>(std::clamp(1 - dot(rows + i * width, rows + j * width, width), 0.0, 2.0));
  }
  float& at(size_t i, size_t j) {
    if (i > j) std::swap(i, j);
    return all_[n_ * i - i * (i + 1) / 2 + j - i - 1];
  }

 private:
  const size_t n_;
  std::vector<float> all_;
};

struct Merge {
  size_t x, y;  // a row of each cluster
  double height;
};

// The n - 1 merges, unsorted.
std::vector<Merge> ward(Distances& d, size_t n) {
  std::vector<size_t> size(n, 1), chain;
  std::vector<Merge> merges;
  while (merges.size() + 1 < n) {
    if (chain.empty())
      chain.push_back(
          static_cast<size_t>(std::find_if(size.begin(), size.end(), [](size_t s) { return s > 0; }) - size.begin()));
    size_t x = 0, y = 0;
    double nearest = 0;
    for (;;) {
      x = chain.back();
      nearest = std::numeric_limits<double>::infinity();
      if (chain.size() > 1) y = chain[chain.size() - 2], nearest = static_cast<double>(d.at(x, y));
      for (size_t i = 0; i < n; ++i) {
        if (size[i] == 0 || i == x) continue;
        const double found = static_cast<double>(d.at(x, i));
        if (found < nearest) nearest = found, y = i;
      }
      if (chain.size() > 1 && y == chain[chain.size() - 2]) break;
      chain.push_back(y);
    }
    chain.resize(chain.size() - 2);
    if (x > y) std::swap(x, y);
    const double nx = static_cast<double>(size[x]), ny = static_cast<double>(size[y]);
    merges.push_back({x, y, nearest});
    size[x] = 0;
    for (size_t i = 0; i < n; ++i) {
      if (size[i] == 0 || i == y) continue;
      const double ni = static_cast<double>(size[i]), t = 1 / (nx + ny + ni);
      const double dx = static_cast<double>(d.at(i, x)), dy = static_cast<double>(d.at(i, y));
      const double squared = (ni + nx) * t * dx * dx + (ni + ny) * t * dy * dy - ni * t * nearest * nearest;
      d.at(i, y) = static_cast<float>(std::sqrt(std::max(squared, 0.0)));
    }
    size[y] = static_cast<size_t>(nx + ny);
  }
  return merges;
}

// The cluster of each row, numbered by their first rows; at most `most` of them: equal heights merge together.
std::vector<size_t> clusters_of(std::vector<Merge> merges, size_t n, size_t most) {
  std::vector<size_t> parent(n);
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) { return a.height < b.height; });
  size_t left = n;
  for (size_t i = 0; i < merges.size(); ++i) {
    if (left <= most && (i == 0 || merges[i].height > merges[i - 1].height)) break;
    parent[root(merges[i].x)] = root(merges[i].y);
    --left;
  }
  std::vector<size_t> number(n, SIZE_MAX), cluster(n);
  size_t next = 0;
  for (size_t i = 0; i < n; ++i) {
    size_t& of_root = number[root(i)];
    if (of_root == SIZE_MAX) of_root = next++;
    cluster[i] = of_root;
  }
  return cluster;
}

void normalize(std::vector<float>& rows, size_t width) {
  for (size_t at = 0; at < rows.size(); at += width) {
    const double length = std::max(std::sqrt(dot(&rows[at], &rows[at], width)), 1e-12);
    for (size_t k = 0; k < width; ++k) rows[at + k] = static_cast<float>(static_cast<double>(rows[at + k]) / length);
  }
}

// The means of clusters, behind the rows that are kept.
void put_means(std::vector<float>& rows, size_t kept, size_t width, const std::vector<size_t>& cluster) {
  const size_t n = *std::max_element(cluster.begin(), cluster.end()) + 1;
  std::vector<double> sums(n * width, 0.0), counts(n, 0.0);
  for (size_t i = 0; i < cluster.size(); ++i) {
    ++counts[cluster[i]];
    for (size_t k = 0; k < width; ++k)
      sums[cluster[i] * width + k] += static_cast<double>(rows[(kept + i) * width + k]);
  }
  rows.resize((kept + n) * width);
  for (size_t c = 0; c < n; ++c)
    for (size_t k = 0; k < width; ++k)
      rows[(kept + c) * width + k] = static_cast<float>(sums[c * width + k] / counts[c]);
}

}  // namespace

void pool_tokens(std::vector<float>& rows, size_t width, const TokenPooling& pooling) {
  if (pooling.factor <= 1 || rows.empty()) return;
  const size_t all = rows.size() / width, kept = std::min(static_cast<size_t>(pooling.kept), all), n = all - kept;
  if (n > kMostRows)
    throw Error(Status::bad_argument, "token pooling: expected at most " + std::to_string(kMostRows) +
                                          " tokens of a text, found " + std::to_string(n));
  const size_t most = std::max(static_cast<size_t>(static_cast<double>(n) / pooling.factor), size_t{1});
  if (most < n) {
    Distances distances(rows.data() + kept * width, n, width);
    put_means(rows, kept, width, clusters_of(ward(distances, n), n, most));
  }
  if (pooling.normalize) normalize(rows, width);
}

}  // namespace quern
