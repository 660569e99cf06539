#include "eval/verdict.h"

#include <utility>

#include "core/hash.h"
#include "core/json.h"

namespace plinth::eval {
namespace {

Status check_pair(const SuiteResult& base, const SuiteResult& tuned) {
  if (base.suite != tuned.suite || base.kind != tuned.kind)
    return invalid("suite {} ({}) cannot be compared with {} ({})", base.suite,
                   kind_name(base.kind), tuned.suite, kind_name(tuned.kind));
  if (base.items.size() != tuned.items.size())
    return invalid("suite {}: {} items of the base, {} of the domain model", base.suite,
                   base.items.size(), tuned.items.size());
  for (size_t i = 0; i < base.items.size(); ++i)
    if (base.items[i].id != tuned.items[i].id)
      return invalid("suite {}: item {} is '{}' for the base and '{}' for the domain model",
                     base.suite, i + 1, base.items[i].id, tuned.items[i].id);
  return {};
}

// Bits per character of tuned minus base; documents are drawn whole, as a pair.
Result<Interval> bits_delta(const SuiteResult& base, const SuiteResult& tuned, const Gate& gate) {
  std::vector<double> bits;
  std::vector<double> characters;
  for (size_t i = 0; i < base.items.size(); ++i) {
    bits.push_back(tuned.items[i].bits - base.items[i].bits);
    characters.push_back(static_cast<double>(base.items[i].characters));
  }
  return bootstrap_ratio(bits, characters, gate.resamples, gate.seed);
}

Result<Interval> domain_gain(const SuiteResult& base, const SuiteResult& tuned, const Gate& gate) {
  if (base.kind == SuiteKind::kText) {
    PLINTH_TRY(const Interval delta, bits_delta(base, tuned, gate));
    return Interval{-delta.mean, -delta.hi, -delta.lo};
  }
  std::vector<double> a;
  std::vector<double> b;
  for (const auto& item : base.items) a.push_back(item.score);
  for (const auto& item : tuned.items) b.push_back(item.score);
  return paired_bootstrap(a, b, gate.resamples, gate.seed);
}

Json to_json(const Verdict& verdict) {
  const auto& d = verdict.domain;
  const auto& g = verdict.general;
  Json reasons = Json::array();
  for (const Reason& reason : verdict.reasons)
    reasons.push_back({{"check", reason.check},
                       {"passed", reason.passed},
                       {"value", reason.value},
                       {"limit", reason.limit},
                       {"text", reason.text}});
  return {{"model", {{"base", verdict.base}, {"adapter", verdict.adapter}}},
          {"domain",
           {{"suite", d.suite},
            {"metric", d.metric},
            {"base", d.base},
            {"tuned", d.tuned},
            {"gain", d.gain.mean},
            {"lo", d.gain.lo},
            {"hi", d.gain.hi},
            {"items", d.items}}},
          {"general",
           {{"suite", g.suite},
            {"base_bpc", g.base_bpc},
            {"tuned_bpc", g.tuned_bpc},
            {"delta", g.delta.mean},
            {"lo", g.delta.lo},
            {"hi", g.delta.hi},
            {"tolerance", g.tolerance},
            {"items", g.items}}},
          {"passed", verdict.passed},
          {"reasons", std::move(reasons)}};
}

}  // namespace

Result<Verdict> judge(const Evidence& evidence, const Gate& gate) {
  PLINTH_TRY(check_pair(evidence.domain_base, evidence.domain_tuned));
  PLINTH_TRY(check_pair(evidence.general_base, evidence.general_tuned));
  if (evidence.general_base.kind != SuiteKind::kText)
    return invalid("the general suite {} is a {} suite: retention is measured on text",
                   evidence.general_base.suite, kind_name(evidence.general_base.kind));

  Verdict verdict;
  auto& domain = verdict.domain;
  domain.suite = evidence.domain_base.suite;
  domain.metric = evidence.domain_base.metric;
  domain.base = evidence.domain_base.interval.mean;
  domain.tuned = evidence.domain_tuned.interval.mean;
  domain.items = std::ssize(evidence.domain_base.items);
  PLINTH_TRY(domain.gain, domain_gain(evidence.domain_base, evidence.domain_tuned, gate));

  auto& general = verdict.general;
  general.suite = evidence.general_base.suite;
  general.base_bpc = evidence.general_base.interval.mean;
  general.tuned_bpc = evidence.general_tuned.interval.mean;
  general.tolerance = gate.tolerance_bpc;
  general.items = std::ssize(evidence.general_base.items);
  PLINTH_TRY(general.delta, bits_delta(evidence.general_base, evidence.general_tuned, gate));

  const bool gained = domain.gain.lo > gate.gain_min;
  verdict.reasons.push_back(
      {"domain_gain", gained, domain.gain.lo, gate.gain_min,
       fmt::format("the gain on {} is {:.4f}, and its interval begins at {:.4f}: {} {:.4f}",
                   domain.suite, domain.gain.mean, domain.gain.lo, gained ? "above" : "not above",
                   gate.gain_min)});
  const bool kept = general.delta.hi <= gate.tolerance_bpc;
  verdict.reasons.push_back(
      {"general_retention", kept, general.delta.hi, gate.tolerance_bpc,
       fmt::format("the loss on {} is {:.4f} bits per character, and its interval ends at {:.4f}: "
                   "{} the tolerance of {:.4f}",
                   general.suite, general.delta.mean, general.delta.hi, kept ? "within" : "beyond",
                   gate.tolerance_bpc)});
  verdict.passed = gained && kept;
  return verdict;
}

std::string identity_of(const model::Adapter* adapter) {
  if (adapter == nullptr) return "";
  std::string all = adapter->digest;
  for (const model::LowRank* delta : model::delta_places(*adapter))
    all += fmt::format("\n{} {}", delta->rank, delta->scale);
  return sha256_hex(all);
}

Status check_proves(std::string_view verdict_json, const model::Model& base,
                    const model::Adapter* adapter) {
  PLINTH_TRY(const Json verdict, parse_json(verdict_json, "verdict.json"));
  const auto model = verdict.find("model");
  if (!verdict.is_object() || model == verdict.end() || !model->is_object())
    return make_error(Code::kFailedPrecondition,
                      "the proof does not say which model it is of: prove the model again");
  const auto differs = [&](const char* part, const std::string& wanted) -> Status {
    const std::string named = string_or(*model, part, "");
    if (named == wanted) return {};
    const auto brief = [](const std::string& digest) {
      return digest.empty() ? "none" : digest.substr(0, 12);
    };
    return make_error(Code::kFailedPrecondition,
                      "the proof is another model's: its {} is {}, this one's {}", part,
                      brief(named), brief(wanted));
  };
  PLINTH_TRY(differs("base", base.digest()));
  return differs("adapter", identity_of(adapter));
}

std::string to_json_text(const Verdict& verdict) {
  return to_text(to_json(verdict));
}

Status write_verdict(const Path& folder, const Verdict& verdict) {
  PLINTH_TRY(make_directories(folder));
  return write_file_atomic(folder / "verdict.json", to_json_text(verdict) + '\n');
}

std::string render(const Verdict& verdict) {
  const auto& d = verdict.domain;
  const auto& g = verdict.general;
  std::string table = fmt::format("{:<9} {:<20} {:>8} {:>8} {:>9}  {:<20} {:>6}\n", "", "metric",
                                  "base", "tuned", "change", "95% interval", "items");
  const auto row = [&](std::string_view leg, std::string_view metric, double base, double tuned,
                       const Interval& change, int64_t items) {
    table += fmt::format("{:<9} {:<20} {:>8.4f} {:>8.4f} {:>+9.4f}  {:<20} {:>6}\n", leg, metric,
                         base, tuned, change.mean,
                         fmt::format("[{:+.4f}, {:+.4f}]", change.lo, change.hi), items);
  };
  row("domain", d.metric, d.base, d.tuned, d.gain, d.items);
  row("general", "bits_per_character", g.base_bpc, g.tuned_bpc, g.delta, g.items);
  for (const Reason& reason : verdict.reasons)
    table += fmt::format("{}  {}\n", reason.passed ? "pass" : "FAIL", reason.text);
  table += verdict.passed ? "verdict: passed\n" : "verdict: not passed\n";
  return table;
}

}  // namespace plinth::eval
