// plinth bench serve: what users of a running server see under load.
#include "cli/bench_serve.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "cli/load.h"
#include "cli/machine.h"
#include "cli/names.h"
#include "core/file.h"
#include "core/json.h"

namespace plinth::cli {
namespace {

struct Options {
  Load load;
  std::string models;  // separated by commas
  Path fields;
};

struct Row {
  std::string name;
  double value = 0;
  std::string unit;
};

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)];
}

std::vector<Row> rows_of(const std::vector<Seen>& seen) {
  std::vector<double> first_ms, token_ms, gap_ms;
  double end_s = 0;
  int64_t answered = 0, prompt = 0, answer = 0;
  for (const Seen& one : seen) {
    if (!one.error.empty()) continue;
    ++answered;
    prompt += one.prompt_tokens;
    answer += one.answer_tokens;
    end_s = std::max(end_s, one.ended_s);
    if (one.pieces_s.empty()) continue;
    first_ms.push_back(1e3 * one.first_s());
    for (size_t i = 1; i < one.pieces_s.size(); ++i)
      gap_ms.push_back(1e3 * (one.pieces_s[i] - one.pieces_s[i - 1]));
    if (one.answer_tokens > 1)
      token_ms.push_back(1e3 * (one.pieces_s.back() - one.pieces_s.front()) /
                         static_cast<double>(one.answer_tokens - 1));
  }
  const double seconds = end_s > 0 ? end_s : 1;
  const auto rate = [&](int64_t n) { return static_cast<double>(n) / seconds; };
  return {{"output", rate(answer), "tokens/s"},
          {"input", rate(prompt), "tokens/s"},
          {"requests", rate(answered), "1/s"},
          {"time to first token, p50", percentile(first_ms, 0.5), "ms"},
          {"time to first token, p95", percentile(first_ms, 0.95), "ms"},
          {"time to first token, worst", percentile(first_ms, 1), "ms"},
          {"time per output token, p50", percentile(token_ms, 0.5), "ms"},
          {"time per output token, p95", percentile(token_ms, 0.95), "ms"},
          {"gap between pieces, p50", percentile(gap_ms, 0.5), "ms"},
          {"gap between pieces, p95", percentile(gap_ms, 0.95), "ms"},
          {"gap between pieces, worst", percentile(gap_ms, 1), "ms"}};
}

void print_json(const Load& load, const std::vector<Row>& rows, const std::vector<Seen>& seen,
                int64_t failed) {
  Json list = Json::array();
  for (const Row& row : rows)
    list.push_back({{"name", row.name},
                    {"value", row.value},
                    {"unit", row.unit},
                    {"bound", nullptr},
                    {"of_bound", nullptr}});
  Json requests = Json::array();
  for (const Seen& one : seen)
    requests.push_back({{"sent_s", one.sent_s},
                        {"first_s", one.first_s()},
                        {"seconds", one.ended_s - one.sent_s},
                        {"prompt_tokens", one.prompt_tokens},
                        {"answer_tokens", one.answer_tokens},
                        {"error", one.error.empty() ? Json() : Json(one.error)}});
  fmt::print("{}\n", to_text({{"machine", to_json(describe_machine())},
                              {"rows", std::move(list)},
                              {"failed", failed},
                              {"load",
                               {{"url", load.url},
                                {"models", load.models},
                                {"users", load.rate > 0 ? Json() : Json(load.users)},
                                {"rate", load.rate > 0 ? Json(load.rate) : Json()},
                                {"prompt_tokens", load.prompt_tokens},
                                {"shared_tokens", load.shared_tokens},
                                {"answer_tokens", load.answer_tokens},
                                {"seed", load.seed},
                                {"arrivals", load.arrivals}}},
                              {"requests", std::move(requests)}}));
}

Result<std::vector<Json>> read_fields(const Path& path) {
  PLINTH_TRY(const std::string text, read_file(path, 16u << 20));
  PLINTH_TRY(const Json list, parse_json(text, path.string()));
  const auto is_object = [](const Json& entry) { return entry.is_object(); };
  if (!list.is_array() || list.empty() || !std::ranges::all_of(list, is_object))
    return invalid("{}: not a JSON array of objects", path.string());
  return list.get<std::vector<Json>>();
}

Status run(Options options, const Context& context) {
  Load& load = options.load;
  load.models = split_names(options.models);
  if (!options.fields.empty()) {
    PLINTH_TRY(load.fields, read_fields(options.fields));
  }
  while (load.url.ends_with('/')) load.url.pop_back();
  PLINTH_TRY(const auto seen, run_load(load));
  int64_t failed = 0;
  std::string reason;
  for (const Seen& one : seen) {
    if (one.error.empty()) continue;
    ++failed;
    if (reason.empty()) reason = one.error;
  }
  const auto rows = rows_of(seen);
  if (context.json) {
    print_json(load, rows, seen, failed);
  } else {
    fmt::print("{} requests to {}, {} tokens in, {} out, ", seen.size(), load.url,
               load.prompt_tokens, load.answer_tokens);
    fmt::print("{}\n", load.rate > 0 ? fmt::format("{} a second", load.rate)
                                     : fmt::format("{} users", load.users));
    for (const Row& row : rows) fmt::print("{:<36} {:>10.1f} {}\n", row.name, row.value, row.unit);
  }
  if (failed > 0)
    return make_error(Code::kUnavailable, "{} of {} requests failed; the first: {}", failed,
                      seen.size(), reason);
  return {};
}

}  // namespace

void add_bench_serve(Command& bench, const Context& context) {
  auto options = std::make_shared<Options>();
  if (const char* key = std::getenv("PLINTH_KEY")) options->load.key = key;
  Load& load = options->load;
  auto command = bench.add("serve", "load on a running OpenAI-compatible server, ours or another",
                           "plinth bench serve --models plinth-zh-base --users 16 --key KEY");
  command.option("--url", load.url, "the server, with /v1");
  command.option("--key", load.key, "API key (default $PLINTH_KEY)");
  command.option("--models", options->models, "names, separated by commas, asked in turn", true);
  command.option("--fields", options->fields,
                 "a JSON array of objects, merged into the requests' bodies in turn");
  command.flag("--chat", load.chat, "chat completions with random words, not completions");
  command.option("--requests", load.requests, "requests altogether", 1, 1'000'000);
  command.option("--users", load.users, "closed loop: so many at a time", 1, 100'000);
  command.option("--rate", load.rate, "open loop: requests a second (0: closed loop)", 0, 1e5);
  command.option("--prompt-tokens", load.prompt_tokens, "tokens of each prompt", 1, 1'000'000);
  command.option("--shared-tokens", load.shared_tokens, "of them, the same in all", 0, 1'000'000);
  command.option("--answer-tokens", load.answer_tokens, "tokens of each answer", 1, 1'000'000);
  command.option("--vocabulary", load.vocabulary, "prompts are random ids 300..N", 301, 10'000'000);
  command.option("--seed", load.seed,
                 "of the prompts: the server's cache knows those of an earlier load with it", 1,
                 1'000'000'000);
  command.option("--arrivals", load.arrivals, "open loop: seed of the moments of arrival", 1,
                 1'000'000'000);
  command.action([options, &context] { return run(*options, context); });
}

}  // namespace plinth::cli
