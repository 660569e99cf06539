// The parts of measure_refinery(), one file each.
#pragma once

#include <functional>

#include "corpus/corpus.h"

namespace plinth::corpus {

class Measurement {
 public:
  Measurement(Path data, int repeats) : data_(std::move(data)), repeats_(repeats) {}

  // The documents in a file of the data folder: its leaves, or the rows' texts where it is JSONL.
  // Empty, and noted as missing, when it is not there.
  Result<std::vector<std::pair<std::string, std::string>>> documents(const std::string& name);
  // The same for JSONL whose rows are wanted whole.
  Result<std::vector<std::string>> rows(const std::string& name);

  Path path(const std::string& name) const { return data_ / name; }

  void add(Figure figure) { out.rows.push_back(std::move(figure)); }

  // The median rate in MB/s of `work`, which takes `bytes` bytes.
  double rate(uint64_t bytes, const std::function<void()>& work) const;

  Figures out;

 private:
  Path data_;
  int repeats_;
};

Status measure_speed(Measurement& m);
Status measure_html(Measurement& m);
Status measure_charsets(Measurement& m);
Status measure_near_duplicates(Measurement& m);
Status measure_false_positives(Measurement& m);
Status measure_personal_data(Measurement& m);

}  // namespace plinth::corpus
