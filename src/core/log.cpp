#include "core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace plinth {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  // Never destroyed: threads may still log while statics go away.
  static spdlog::logger* instance = [] {
    auto* made =
        new spdlog::logger("plinth", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    const char* text = std::getenv("PLINTH_LOG");
    made->set_level(text == nullptr ? spdlog::level::info : spdlog::level::from_str(text));
    return made;
  }();
  return *instance;
}

}  // namespace

void log_line(LogLevel level, std::string_view message) {
  logger().log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
}

bool log_enabled(LogLevel level) {
  return logger().should_log(to_spdlog(level));
}

}  // namespace plinth
