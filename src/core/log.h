// Structured log lines on stderr: time, level, message. PLINTH_LOG sets the lowest level that is
// written (debug, info, warn, error, off; default info). Any thread.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace plinth {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

void log_line(LogLevel level, std::string_view message);
bool log_enabled(LogLevel level);

#define PLINTH_LOG_FUNCTION_(name, level)                                                      \
  template <typename... Args>                                                                  \
  void name(fmt::format_string<Args...> format, Args&&... args) {                              \
    if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...)); \
  }
PLINTH_LOG_FUNCTION_(log_debug, LogLevel::kDebug)
PLINTH_LOG_FUNCTION_(log_info, LogLevel::kInfo)
PLINTH_LOG_FUNCTION_(log_warn, LogLevel::kWarn)
PLINTH_LOG_FUNCTION_(log_error, LogLevel::kError)
#undef PLINTH_LOG_FUNCTION_

}  // namespace plinth
