// The fields that requests have in common, read from JSON and checked. A value that we do not
// support is refused by name, never ignored.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "engine/engine.h"

namespace plinth::server {

// Reads one object's fields and remembers in `param` which one was at fault.
class Fields {
 public:
  // Both outlive this. `place` goes before the names of a nested object: "stream_options.".
  Fields(const Json& object, std::string& param, std::string place = {})
      : object_(object), param_(param), place_(std::move(place)) {}

  // Null is as good as missing.
  const Json* find(const std::string& name) const;

  Result<double> number(const std::string& name, double fallback, double low, double high) const;
  Result<int64_t> integer(const std::string& name, int64_t fallback, double low, double high) const;
  Result<bool> flag(const std::string& name, bool fallback) const;
  // A text that must be there.
  Result<std::string> text(const std::string& name) const;
  // One that may be missing.
  Result<std::string> text_or(const std::string& name, std::string_view fallback) const;

  // After all fields were read: whatever nobody has looked for is refused by its name. A misspelt
  // field must not be an answer that means something else. Null asks for nothing.
  Status nothing_else() const;

 private:
  std::string named(const std::string& name) const { return place_ + name; }

  const Json& object_;
  std::string& param_;
  std::string place_;
  mutable std::set<std::string, std::less<>> known_;
};

// The same for an object that is read by other means: it has these fields and no others.
Status only_fields(const Json& object, std::initializer_list<std::string_view> names,
                   const std::string& place, std::string& param);

inline constexpr double kNumberMax = 1e9;

// A body that is an object.
Result<Json> parse_object(std::string_view body, std::string& param);

// Temperature, penalties, filters, seed, logit_bias; not the log-probabilities. Without a seed the
// request gets a random one.
Status parse_sampling(const Fields& fields, engine::Sampling& sampling);

Result<std::vector<std::string>> parse_stop(const Fields& fields);
Result<std::vector<int32_t>> parse_stop_tokens(const Fields& fields);

// When an answer is wanted: "priority" among the tenant's own requests, the smaller first;
// "deadline_ms" after which it is an error.
struct Urgency {
  int32_t priority = 0;
  int64_t deadline_ms = 0;  // 0: none

  void set(engine::Request& request) const {
    request.priority = priority;
    request.deadline_ms = deadline_ms;
  }
};

Result<Urgency> parse_urgency(const Fields& fields);

// metadata: an object of texts, or nothing.
Status check_metadata(const Fields& fields);

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
