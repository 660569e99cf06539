// How recipes are read: keys of a TOML file straight into the fields of a struct, whose values so
// far are the defaults. The first error is kept; unknown keys are errors.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/config.h"

namespace plinth::train {

inline constexpr int64_t kMany = std::numeric_limits<int32_t>::max();

template <typename T>
struct Named {
  std::string_view name;
  T value;
};

template <typename T, size_t N>
std::string_view name_of(const std::array<Named<T>, N>& names, T value) {
  for (const auto& named : names)
    if (named.value == value) return named.name;
  return "?";
}

template <typename T, size_t N>
Result<T> named(const Config& config, std::string_view key, const std::array<Named<T>, N>& names,
                T fallback) {
  PLINTH_TRY(const auto text, config.text(key, name_of(names, fallback)));
  std::string all;
  for (const auto& candidate : names) {
    if (candidate.name == text) return candidate.value;
    all += fmt::format("{}{}", all.empty() ? "" : ", ", candidate.name);
  }
  return config.refusal(key, fmt::format("= \"{}\" is none of: {}", text, all));
}

// Reads straight into fields, remembering the first error.
class Reader {
 public:
  explicit Reader(const Config& config) : config_(&config) {}

  void integer(std::string_view key, int64_t& field, int64_t low, int64_t high = kMany) {
    take(config_->integer(key, field, low, high), field);
  }

  void number(std::string_view key, double& field, double low, double high) {
    take(config_->number(key, field, low, high), field);
  }

  void seed(std::string_view key, uint64_t& field) {
    take(config_->integer(key, static_cast<int64_t>(field), 0, std::numeric_limits<int64_t>::max()),
         field);
  }

  void texts(std::string_view key, std::vector<std::string>& field) {
    take(config_->texts(key, field), field);
  }

  void text(std::string_view key, std::string& field) { take(config_->text(key, field), field); }

  // An amount of memory, "4GB".
  void bytes(std::string_view key, int64_t& field) {
    std::string text = fmt::format("{}", field);
    take(config_->text(key, text), text);
    auto amount = parse_bytes(text);
    if (!amount) amount = config_->refusal(key, amount.error().message);
    take(std::move(amount), field);
  }

  template <typename T, size_t N>
  void one_of(std::string_view key, const std::array<Named<T>, N>& names, T& field) {
    take(named(*config_, key, names, field), field);
  }

  // For what only the caller can judge.
  void refuse(std::string_view key, std::string_view what) {
    if (status_) status_ = config_->refusal(key, what);
  }

  template <typename T, typename U>
  void take(Result<T> result, U& field) {
    if (result)
      field = static_cast<U>(*std::move(result));
    else if (status_)
      status_ = std::move(result).error();
  }

  Status finish() {
    PLINTH_TRY(std::move(status_));
    return config_->finish();
  }

 private:
  const Config* config_;  // outlives the reader: both are locals of one read()
  Status status_;
};

}  // namespace plinth::train
