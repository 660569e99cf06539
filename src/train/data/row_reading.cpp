#include "train/data/row_reading.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/hash.h"
#include "core/interrupt.h"
#include "train/data/checks.h"
#include "train/data/data_files.h"
#include "train/data/line_stream.h"

namespace plinth::train {
namespace {

constexpr size_t kBadLinesNamed = 20;
constexpr size_t kTextBytesMax = size_t{1} << 30;

// Of tokens and masks.
uint64_t content_hash(std::span<const Sample> item) {
  std::string content;
  for (const auto& sample : item) {
    content.append(reinterpret_cast<const char*>(sample.tokens.data()),
                   sample.tokens.size() * sizeof(int32_t));
    for (const bool learned : sample.learned) content += learned ? '1' : '0';
  }
  return xxh3(content);
}

// One pass over all files.
class Reading {
 public:
  Reading(const DatasetOptions& options, const RowFormat& format, Dataset& dataset)
      : options_(options), format_(format), dataset_(dataset), report_(dataset.report) {}

  Status read(size_t file) {
    file_ = file;
    return is_plain_text(dataset_.files[file]) ? read_text() : read_lines();
  }

 private:
  Status read_lines() {
    PLINTH_TRY(auto lines, LineStream::open(path()));
    std::string line;
    while (true) {
      PLINTH_TRY(const bool more, lines.next(line));
      if (!more) return {};
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      PLINTH_TRY(check_interrupted());
      ++report_.rows;
      line_ = lines.line_number();
      auto row = format_.line(line);
      if (row)
        take(*std::move(row), xxh3(line));
      else
        refuse(row.error());
    }
  }

  // The whole file is one row, whose pieces are held out each on its own.
  Status read_text() {
    PLINTH_TRY(auto lines, LineStream::open(path()));
    std::string text;
    std::string line;
    while (true) {
      PLINTH_TRY(const bool more, lines.next(line));
      if (!more) break;
      if (text.size() + line.size() > kTextBytesMax)
        return invalid("{}: more than {} bytes of plain text; refine it into a corpus first",
                       path().string(), kTextBytesMax);
      text += line;
      text += '\n';
    }
    ++report_.rows;
    line_ = 0;
    auto row = format_.text(std::move(text));
    if (row)
      take(*std::move(row), std::nullopt);
    else
      refuse(row.error());
    return {};
  }

  void refuse(const Error& error) {
    ++report_.bad_rows;
    if (error.code == Code::kFailedPrecondition) ++report_.template_rows;
    if (report_.bad.size() < kBadLinesNamed) report_.bad.push_back({place(), error.message});
  }

  void take(Row row, std::optional<uint64_t> row_hash) {
    if (options_.in_suite && options_.in_suite(row.text)) {
      ++report_.suite_rows;
      note(report_, "suite", place(), "shares text with a suite, not used");
      return;
    }
    uint64_t row_content = 0;
    const std::span<Sample> samples(row.samples);
    for (size_t i = 0; i < samples.size(); i += format_.per_item) {
      const auto item = samples.subspan(i, format_.per_item);
      const uint64_t content = content_hash(item);
      row_content = row_content * 31 + content;
      if (!fit(item)) continue;
      for (auto& sample : item) {
        sample.content_hash = content;
        sample.row_hash = row_hash.value_or(content);
        keep(std::move(sample));
      }
    }
    if (!seen_.insert(row_content).second) {
      ++report_.duplicate_rows;
      note(report_, "repeated", place(), "the same tokens as an earlier row");
    }
  }

  void keep(Sample sample) {
    sample.file = static_cast<int32_t>(file_);
    sample.line = line_;
    ++report_.samples;
    report_.tokens += static_cast<int64_t>(sample.tokens.size());
    report_.loss_tokens += sample.loss_tokens();
    dataset_.samples.push_back(std::move(sample));
  }

  // Cuts the samples of an item to the longest length and counts what that costs; false: one of
  // them has nothing left to learn, or the answers of a pair have become the same.
  bool fit(std::span<Sample> item) {
    for (auto& sample : item) cut(sample);
    const bool empty =
        std::ranges::any_of(item, [](const Sample& sample) { return sample.loss_tokens() == 0; });
    const bool alike = item.size() == 2 && item[0].tokens == item[1].tokens;
    if (!empty && !alike) return true;
    report_.lost_samples += static_cast<int64_t>(item.size());
    note(report_, "empty", place(),
         empty ? "nothing to learn is left" : "no difference between the answers is left");
    return false;
  }

  void cut(Sample& sample) {
    const auto limit = static_cast<size_t>(options_.sequence);
    const size_t length = sample.tokens.size();
    if (length <= limit) return;
    ++report_.truncated_samples;
    report_.truncated_tokens += static_cast<int64_t>(length - limit);
    sample.tokens.resize(limit);
    sample.learned.resize(limit);
    note(report_, "cut", place(), fmt::format("{} tokens, {} fit", length, limit));
  }

  const Path& path() const { return dataset_.files[file_]; }

  std::string place() const {
    Sample here;
    here.file = static_cast<int32_t>(file_);
    here.line = line_;
    return place_of(here, dataset_.files);
  }

  const DatasetOptions& options_;
  const RowFormat& format_;
  Dataset& dataset_;
  DatasetReport& report_;
  std::unordered_set<uint64_t> seen_;  // rows by their content
  size_t file_ = 0;
  int64_t line_ = 0;
};

}  // namespace

std::string place_of(const Sample& sample, std::span<const Path> files) {
  const std::string file = files[static_cast<size_t>(sample.file)].string();
  return sample.line > 0 ? fmt::format("{}:{}", file, sample.line) : file;
}

Result<Dataset> read_rows(std::span<const Path> paths, const DatasetOptions& options,
                          const RowFormat& format) {
  Dataset dataset;
  PLINTH_TRY(dataset.files, data_files(paths));
  Reading reading(options, format, dataset);
  for (size_t i = 0; i < dataset.files.size(); ++i) PLINTH_TRY(reading.read(i));
  // Anything goes but this: a run over what is left would learn something else than was asked.
  PLINTH_TRY(check_limits(dataset.report, {options.bad_rows_max, 1, 1, 1, 1}));
  if (dataset.samples.empty())
    return invalid("{} rows, none of them with anything to learn{}", dataset.report.rows,
                   dataset.report.noted.empty() ? "" : ": " + dataset.report.noted[0].reason);
  return dataset;
}

}  // namespace plinth::train
