// PLINTH_CHECK: what only a bug can break. On in every build; prints the place and aborts.
// PLINTH_DCHECK: the same for inner loops, compiled out of release builds.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace plinth {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view detail);

#define PLINTH_CHECK(condition, ...)                                                               \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::plinth::check_failed(__FILE__, __LINE__, #condition, ::plinth::check_detail(__VA_ARGS__)); \
  } while (false)

#ifdef NDEBUG
#define PLINTH_DCHECK(condition, ...) \
  do {                                \
  } while (false)
#else
#define PLINTH_DCHECK(...) PLINTH_CHECK(__VA_ARGS__)
#endif

inline std::string check_detail() {
  return {};
}

template <typename... Args>
std::string check_detail(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

}  // namespace plinth
