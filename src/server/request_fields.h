// The fields that requests have in common, read from JSON and checked. A value that we do not
// support is refused by name, never ignored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "engine/engine.h"

namespace plinth::server {

// Reads one object's fields and remembers in `param` which one was at fault.
class Fields {
 public:
  // Both outlive this.
  Fields(const Json& object, std::string& param) : object_(object), param_(param) {}

  // Null is as good as missing.
  const Json* find(const std::string& name) const;

  Result<double> number(const std::string& name, double fallback, double low, double high) const;
  Result<int64_t> integer(const std::string& name, int64_t fallback, double low, double high) const;
  Result<bool> flag(const std::string& name, bool fallback) const;
  // A text that must be there.
  Result<std::string> text(const std::string& name) const;

 private:
  const Json& object_;
  std::string& param_;
};

inline constexpr double kNumberMax = 1e9;

// A body that is an object.
Result<Json> parse_object(std::string_view body, std::string& param);

// Temperature, penalties, filters, seed, logit_bias; not the log-probabilities. Without a seed the
// request gets a random one.
Status parse_sampling(const Fields& fields, engine::Sampling& sampling);

Result<std::vector<std::string>> parse_stop(const Fields& fields);
Result<std::vector<int32_t>> parse_stop_tokens(const Fields& fields);

struct StreamChoice {
  bool stream = false;
  bool include_usage = false;
};

Result<StreamChoice> parse_stream(const Fields& fields, std::string& param);

// One text or list of token ids, or an array of such ("prompt", "input").
struct TextOrTokens {
  std::string text = {};
  std::vector<int32_t> tokens = {};
  bool is_text = true;
};

Result<std::vector<TextOrTokens>> parse_inputs(const Fields& fields, const std::string& name,
                                               size_t inputs_max);

}  // namespace plinth::server
