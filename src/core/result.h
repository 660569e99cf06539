// Result<T>: a value, or an Error with a code and a message.
//
// What the world can cause (files, network, requests, full pools, bad weights) travels as a value;
// what only a bug can cause is a PLINTH_CHECK (check.h). Member names follow std::expected, so that
// it can take this type's place later.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace plinth {

enum class Code {
  kInvalidArgument,  // the input is wrong and will stay wrong
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kUnauthenticated,
  kResourceExhausted,   // a pool, a quota or the disk is full; later may work
  kFailedPrecondition,  // right request, wrong state (a failed gate, another recipe's checkpoint)
  kCancelled,
  kDeadlineExceeded,
  kUnavailable,  // the other side is away; try again
  kDataLoss,     // bytes are not what they should be
  kUnimplemented,
  kInternal,
};

// "invalid argument", "not found", ...
std::string_view code_name(Code code);

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;  // names the thing and the numbers: "adapter a: rank 0 is outside 1..256"
};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Values and errors convert, as in std::expected.
  Result(T value)  // NOLINT(google-explicit-constructor): see above
      : state_(std::in_place_index<0>, std::move(value)) {}

  Result(Error error)  // NOLINT(google-explicit-constructor): see above
      : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  T& value() & { return std::get<0>(state_); }

  const T& value() const& { return std::get<0>(state_); }

  T&& value() && { return std::get<0>(std::move(state_)); }

  T& operator*() & { return value(); }

  const T& operator*() const& { return value(); }

  T&& operator*() && { return std::move(*this).value(); }

  T* operator->() { return &value(); }

  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }

  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;

  Result(Error error)  // NOLINT(google-explicit-constructor): see Result<T>
      : state_(std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  const Error& error() const& { return std::get<1>(state_); }

  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

using Status = Result<void>;

template <typename... Args>
Error make_error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...)};
}

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kInvalidArgument, format, std::forward<Args>(args)...);
}

template <typename... Args>
Error not_found(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kNotFound, format, std::forward<Args>(args)...);
}

template <typename... Args>
Error data_loss(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kDataLoss, format, std::forward<Args>(args)...);
}

template <typename... Args>
Error exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kResourceExhausted, format, std::forward<Args>(args)...);
}

template <typename... Args>
Error internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kInternal, format, std::forward<Args>(args)...);
}

// PLINTH_TRY(auto x, f());   declares x from f()'s value, or returns f()'s error
// PLINTH_TRY(f());           the same where there is no value to keep
#define PLINTH_TRY(...) \
  PLINTH_TRY_PICK_(__VA_ARGS__, PLINTH_TRY_REST_, PLINTH_TRY_ONE_)(__VA_ARGS__)
#define PLINTH_TRY_PICK_(a, b, macro, ...) PLINTH_TRY_CHOOSE_##macro
#define PLINTH_TRY_CHOOSE_PLINTH_TRY_REST_(decl, expr) \
  PLINTH_TRY_DECL_(PLINTH_CONCAT_(plinth_try_, __COUNTER__), decl, expr)
#define PLINTH_TRY_CHOOSE_PLINTH_TRY_ONE_(expr)                                      \
  do {                                                                               \
    if (auto plinth_try = (expr); !plinth_try) return std::move(plinth_try).error(); \
  } while (false)
#define PLINTH_TRY_DECL_(temp, decl, expr)   \
  auto temp = (expr);                        \
  if (!temp) return std::move(temp).error(); \
  decl = *std::move(temp)
#define PLINTH_CONCAT_(a, b) PLINTH_CONCAT_2_(a, b)
#define PLINTH_CONCAT_2_(a, b) a##b

}  // namespace plinth
