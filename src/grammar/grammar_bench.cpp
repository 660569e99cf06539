// What a grammar costs: compiling, the trie of a vocabulary, and the mask and the step of each
// token, when a grammar is new ("first") and when an earlier request has used it ("kept").
//
//   grammar_bench --benchmark_counters_tabular=true
//
// The vocabulary has 150,000 tokens: all bytes, and random words of letters, Chinese characters,
// digits, spaces and JSON punctuation in about the shares of a real one.
#include <algorithm>
#include <cstdlib>
#include <set>

#include <benchmark/benchmark.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/rng.h"
#include "grammar/grammar.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace plinth::grammar {
namespace {

constexpr size_t kTokens = 150'000;

constexpr std::string_view kSchema = R"({"type":"object","properties":{
  "title":{"type":"string"},"price":{"type":"number"},"sold":{"type":"boolean"},
  "kind":{"enum":["lift","escalator","walkway"]},
  "owner":{"type":"object","properties":{"name":{"type":"string","maxLength":100},
    "phone":{"type":"string","pattern":"^[0-9+ -]{6,20}$"}},"required":["name"]},
  "visits":{"type":"array","items":{"type":"object","properties":{
    "day":{"type":"string","format":"date"},"minutes":{"type":"integer","minimum":0,"maximum":600},
    "notes":{"type":"array","items":{"type":"string"},"maxItems":20}},"required":["day","notes"]}}},
  "required":["title","price","sold","kind","owner","visits"],"additionalProperties":false})";

// An answer to it, tokenised greedily by the longest token.
constexpr std::string_view kAnswer =
    R"({"title": "电梯维护合同 maintenance of the lifts in building seven", "price": 1250.75, "sold": true, )"
    R"("kind": "escalator", "owner": {"name": "张伟 from the property management of the east side", )"
    R"("phone": "+86 10 5555 0100"}, "visits": [{"day": "2024-02-29", "minutes": 45, "notes": )"
    R"(["门机润滑 and belts tightened", "nothing else was found"]}, {"day": "2024-03-31", "notes": []}]})";

text::TokenizerSpec bench_spec() {
  Rng rng(1);
  std::set<std::string> words;
  for (int byte = 0; byte < 256; ++byte) words.insert(std::string(1, static_cast<char>(byte)));
  const auto letters = [&](int most) {
    std::string word;
    for (auto n = static_cast<int>(2 + rng.below(static_cast<uint64_t>(most))); n > 0; --n)
      word += "etaoinshrdlucmfwypvbgkqjxz"[std::min(rng.below(26), rng.below(26))];
    return word;
  };
  while (words.size() < kTokens) {
    std::string word;
    switch (rng.below(10)) {
      case 0:
      case 1:
        for (auto n = 1 + rng.below(3); n > 0; --n)
          text::append_utf8(
              static_cast<int32_t>(0x4E00 + std::min(rng.below(0x5000), rng.below(0x5000))), word);
        break;
      case 2:
        for (auto n = 1 + rng.below(5); n > 0; --n) word += "{}[]\":,.-_()=;/\\ \n'"[rng.below(19)];
        break;
      case 3:
        word = letters(6);
        rng.below(2) == 0 ? word.insert(0, 1, '"') : word.append(1, '"');
        break;
      default:
        word = letters(9);
        if (rng.below(2) == 0) word.insert(0, 1, ' ');
    }
    words.insert(word);
  }
  text::TokenizerSpec spec;
  spec.pre = "qwen2";
  for (const std::string& word : words) spec.tokens.push_back(text::to_byte_alphabet(word));
  return spec;
}

std::shared_ptr<const Vocabulary> make_vocabulary() {
  static const auto tokenizer = *text::Tokenizer::from_spec(bench_spec());
  return Vocabulary::create(*tokenizer);
}

const std::shared_ptr<const Vocabulary>& vocabulary() {
  static const auto made = make_vocabulary();
  return made;
}

// The answer as tokens, the longest that fit the text each time.
const std::vector<int32_t>& answer() {
  static const auto tokens = [] {
    std::vector<int32_t> out;
    std::string_view rest = kAnswer;
    while (!rest.empty()) {
      int32_t best = -1;
      for (int32_t id = 0; id < vocabulary()->size(); ++id)
        if (const auto bytes = vocabulary()->bytes(id);
            rest.starts_with(bytes) &&
            (best < 0 || bytes.size() > vocabulary()->bytes(best).size()))
          best = id;
      out.push_back(best);
      rest.remove_prefix(vocabulary()->bytes(best).size());
    }
    return out;
  }();
  return tokens;
}

// Reads the answer with a mask before each token; seconds of the slowest token.
double follow(const std::shared_ptr<const Grammar>& grammar) {
  auto matcher = Matcher::create(grammar, vocabulary());
  PLINTH_CHECK(matcher.has_value(), "matcher");
  double slowest = 0;
  for (const int32_t token : answer()) {
    const Stopwatch watch;
    const auto mask = matcher->mask();
    PLINTH_CHECK(mask && ((*mask)[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0,
                 "the mask has token {}", token);
    PLINTH_CHECK(matcher->accept(token).has_value(), "token {}", token);
    slowest = std::max(slowest, watch.seconds());
  }
  PLINTH_CHECK(matcher->complete(), "the answer is whole");
  return slowest;
}

void count_tokens(benchmark::State& state, double slowest) {
  const double tokens = static_cast<double>(state.iterations() * std::ssize(answer()));
  state.counters["us/token"] =
      benchmark::Counter(tokens / 1e6, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["slowest_us"] = slowest * 1e6;
  state.counters["tokens"] = static_cast<double>(answer().size());
}

void compile(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Grammar::from_schema(kSchema));
}

BENCHMARK(compile)->Unit(benchmark::kMillisecond);

void trie(benchmark::State& state) {
  vocabulary();
  for (auto _ : state) benchmark::DoNotOptimize(make_vocabulary());
}

BENCHMARK(trie)->Unit(benchmark::kMillisecond);

void first(benchmark::State& state) {
  answer();
  double slowest = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const auto grammar = *Grammar::from_schema(kSchema);
    state.ResumeTiming();
    slowest = std::max(slowest, follow(grammar));
  }
  count_tokens(state, slowest);
}

BENCHMARK(first)->Unit(benchmark::kMillisecond);

void kept(benchmark::State& state) {
  const auto grammar = *Grammar::from_schema(kSchema);
  follow(grammar);
  double slowest = 0;
  for (auto _ : state) slowest = std::max(slowest, follow(grammar));
  count_tokens(state, slowest);
}

BENCHMARK(kept)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plinth::grammar
