#include "corpus/measure/measure.h"

#include <algorithm>

#include "core/clock.h"
#include "core/json.h"
#include "corpus/unpack/unpack.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Calls body(path, bytes) for each leaf of a container file.
Status each_leaf(const Path& file,
                 const std::function<Status(const std::string&, std::string&&)>& body) {
  PLINTH_TRY(const auto map, MappedFile::open(file));
  const std::string name = file.filename().string();
  return unpack({name, map.text()}, kind_of(name, map.text()), {}, [&](Leaf&& leaf) -> Status {
    if (!leaf.error.empty()) return data_loss("{}: {}", leaf.path, leaf.error);
    return body(leaf.path, std::move(leaf.bytes));
  });
}

bool is_rows(std::string_view name) {
  return name.find(".jsonl") != name.npos;
}

}  // namespace

Result<std::vector<std::string>> Measurement::rows(const std::string& name) {
  std::vector<std::string> found;
  const Path file = data_ / name;
  if (!std::filesystem::exists(file)) {
    out.missing.push_back(name);
    return found;
  }
  PLINTH_TRY(each_leaf(file, [&](const std::string&, std::string&& bytes) -> Status {
    each_line(bytes, [&](std::string_view line) {
      if (!line.empty()) found.emplace_back(line);
    });
    return {};
  }));
  return found;
}

Result<std::vector<std::pair<std::string, std::string>>> Measurement::documents(
    const std::string& name) {
  std::vector<std::pair<std::string, std::string>> found;
  if (is_rows(name)) {
    PLINTH_TRY(const auto lines, rows(name));
    for (const std::string& line : lines) {
      PLINTH_TRY(const Json json, parse_json(line, name));
      found.emplace_back(name, string_or(json, "text", ""));
    }
    return found;
  }
  const Path file = data_ / name;
  if (!std::filesystem::exists(file)) {
    out.missing.push_back(name);
    return found;
  }
  PLINTH_TRY(each_leaf(file, [&](const std::string& path, std::string&& bytes) -> Status {
    found.emplace_back(path.substr(path.rfind("!/") + 2), std::move(bytes));
    return {};
  }));
  return found;
}

double Measurement::rate(uint64_t bytes, const std::function<void()>& work) const {
  std::vector<double> rates;
  for (int i = 0; i < repeats_; ++i) {
    const Stopwatch watch;
    work();
    rates.push_back(static_cast<double>(bytes) * 1e-6 / watch.seconds());
  }
  std::nth_element(rates.begin(), rates.begin() + std::ssize(rates) / 2, rates.end());
  return rates[rates.size() / 2];
}

Result<Figures> measure_refinery(const Path& data, int repeats) {
  Measurement m(data, repeats);
  for (const auto part :
       {&measure_speed, &measure_html, &measure_charsets, &measure_near_duplicates,
        &measure_false_positives, &measure_personal_data})
    PLINTH_TRY(part(m));
  return std::move(m.out);
}

}  // namespace plinth::corpus
