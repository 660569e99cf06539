#include "engine/fair_share.h"

#include <algorithm>
#include <limits>

namespace plinth::engine {
namespace {

constexpr double kAnswerWeight = 2;  // of a generated token beside one that was read

}  // namespace

double FairShare::served(const std::string& tenant) const {
  const auto it = served_.find(tenant);
  return it == served_.end() ? 0 : it->second;
}

void FairShare::set_active(const std::vector<const std::string*>& tenants) {
  std::vector<std::string> now;
  for (const std::string* tenant : tenants) now.push_back(*tenant);
  std::ranges::sort(now);
  now.erase(std::unique(now.begin(), now.end()), now.end());
  if (now == active_) return;
  double least = std::numeric_limits<double>::max();
  for (const std::string& tenant : now)
    if (std::ranges::binary_search(active_, tenant)) least = std::min(least, served(tenant));
  if (least < std::numeric_limits<double>::max()) {
    for (const std::string& tenant : now)
      if (!std::ranges::binary_search(active_, tenant))
        served_[tenant] = std::max(served(tenant), least - kCredit);
    std::erase_if(served_, [&](const auto& entry) {
      return entry.second <= least - kCredit && !std::ranges::binary_search(now, entry.first);
    });
  }
  active_ = std::move(now);
}

void FairShare::charge(const std::string& tenant, int64_t prompt_rows, int64_t answer_rows) {
  served_[tenant] +=
      static_cast<double>(prompt_rows) + kAnswerWeight * static_cast<double>(answer_rows);
}

bool FairShare::ahead_of(const std::string& tenant,
                         const std::vector<const std::string*>& others) const {
  double least = std::numeric_limits<double>::max();
  for (const std::string* other : others)
    if (*other != tenant) least = std::min(least, served(*other));
  return served(tenant) >= least + kCredit / 2;
}

std::vector<size_t> FairShare::order(std::span<const Waiting> queue, size_t count) const {
  struct Line {
    double served = 0;
    std::vector<size_t> entries = {};  // the next one last
  };

  std::map<std::string, Line> lines;
  for (size_t i = 0; i < queue.size(); ++i) lines[*queue[i].tenant].entries.push_back(i);
  for (auto& [tenant, line] : lines) {
    line.served = served(tenant);
    std::ranges::stable_sort(
        line.entries, [&](size_t a, size_t b) { return queue[a].priority < queue[b].priority; });
    std::ranges::reverse(line.entries);
  }
  std::vector<size_t> ordered;
  while (ordered.size() < std::min(count, queue.size())) {
    Line* next = nullptr;
    for (auto& [tenant, line] : lines) {
      if (line.entries.empty()) continue;
      const bool first =
          next == nullptr || line.served < next->served ||
          (line.served == next->served && line.entries.back() < next->entries.back());
      if (first) next = &line;
    }
    ordered.push_back(next->entries.back());
    next->served += static_cast<double>(queue[next->entries.back()].tokens);
    next->entries.pop_back();
  }
  return ordered;
}

}  // namespace plinth::engine
