// The text path stage by stage over generated Chinese text. Bytes per second are of UTF-8, one
// core.
#include <benchmark/benchmark.h>

#include "core/rng.h"
#include "corpus/clean/filters.h"
#include "corpus/clean/personal_data.h"
#include "corpus/dedup/minhash.h"
#include "corpus/exam_index.h"
#include "corpus/text_path.h"
#include "text/unicode.h"

namespace plinth::corpus {
namespace {

// 256 KiB in lines of some forty characters; common characters more often than rare ones.
const std::string& sample() {
  static const std::string text = [] {
    Rng rng(1);
    std::string out;
    while (out.size() < (size_t{256} << 10)) {
      for (uint64_t i = 0, n = 20 + rng.below(40); i < n; ++i)
        text::append_utf8(static_cast<int32_t>(0x4E00 + rng.below(1 + rng.below(6000))), out);
      out += "，共12台。\n";
    }
    return out;
  }();
  return text;
}

template <typename Stage>
void run(benchmark::State& state, Stage&& stage) {
  for (auto _ : state) benchmark::DoNotOptimize(stage(sample()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * sample().size()));
}

void decode(benchmark::State& state) {
  run(state, [](const std::string& t) { return decode_text(t)->text.size(); });
}

void clean(benchmark::State& state) {
  run(state, [](const std::string& t) { return clean_text(t).text.size(); });
}

void statistics(benchmark::State& state) {
  run(state, [](const std::string& t) { return measure(t).chars; });
}

void spam(benchmark::State& state) {
  run(state, [](const std::string& t) { return spam_score(t).score; });
}

void personal_data(benchmark::State& state) {
  run(state, [](const std::string& t) { return find_personal_data(t).size(); });
}

void minhash(benchmark::State& state) {
  run(state, [](const std::string& t) { return band_keys(t)[0]; });
}

void exam_lines(benchmark::State& state) {
  ExamIndex index(13);
  index.add("请问这台电梯的额定载重量应当是多少公斤才算合格");
  run(state, [&](const std::string& t) { return cut_exam_lines(t, index).share; });
}

BENCHMARK(decode);
BENCHMARK(clean);
BENCHMARK(statistics);
BENCHMARK(spam);
BENCHMARK(personal_data);
BENCHMARK(minhash);
BENCHMARK(exam_lines);

}  // namespace
}  // namespace plinth::corpus
