// Two legs: a domain model is fit for release when its suite shows a gain over the base and the
// general suite shows no loss beyond the tolerance. Both with intervals, both as data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "eval/bootstrap.h"
#include "eval/eval.h"
#include "model/model.h"

namespace plinth::eval {

struct Gate {
  double gain_min = 0.0;        // the lower end of the domain gain's interval must exceed it
  double tolerance_bpc = 0.05;  // the upper end of the general loss's interval may reach it
  int resamples = 2000;
  uint64_t seed = 1;
};

// One condition of the gate and how it came out.
struct Reason {
  std::string check;  // "domain_gain", "general_retention"
  bool passed = false;
  double value = 0;
  double limit = 0;
  std::string text;  // a sentence with the numbers
};

struct Verdict {
  struct Domain {
    std::string suite;
    std::string metric;
    double base = 0;
    double tuned = 0;
    Interval gain;  // tuned over base, higher is better (bits per character: base minus tuned)
    int64_t items = 0;
  };

  struct General {
    std::string suite;
    double base_bpc = 0;
    double tuned_bpc = 0;
    Interval delta;  // tuned minus base: positive is a loss
    double tolerance = 0;
    int64_t items = 0;
  };

  // Whose verdict it is: the base's digest, and its adapter's identity.
  std::string base;
  std::string adapter;

  Domain domain;
  General general;
  bool passed = false;
  std::vector<Reason> reasons;
};

// What judge() compares: each pair is one suite, run on the base and on the domain model.
struct Evidence {
  const SuiteResult& domain_base;
  const SuiteResult& domain_tuned;
  const SuiteResult& general_base;  // text suites
  const SuiteResult& general_tuned;
};

// kInvalidArgument when a pair is not the same suite with the same items, or the general one is no
// text.
Result<Verdict> judge(const Evidence& evidence, const Gate& gate);

// SHA-256 of an adapter's weights and scales: one of another strength is another adapter. Empty for
// null, the plain base.
std::string identity_of(const model::Adapter* adapter);

// Is a verdict.json of this base with this adapter? kFailedPrecondition when it is another's or
// does not say whose it is; what it found is not looked at.
Status check_proves(std::string_view verdict_json, const model::Model& base,
                    const model::Adapter* adapter);

// DIR/verdict.json: model{base, adapter}, domain{base, tuned, gain, lo, hi, items},
// general{base_bpc, tuned_bpc, delta, lo, hi, tolerance}, passed, reasons.
Status write_verdict(const Path& folder, const Verdict& verdict);

// The same as a JSON text, for --json and the API.
std::string to_json_text(const Verdict& verdict);

// A small table for the terminal.
std::string render(const Verdict& verdict);

}  // namespace plinth::eval
