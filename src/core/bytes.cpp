#include "core/bytes.h"

#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace plinth {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 14> kUnits = {{
    {"", 1},
    {"b", 1},
    {"k", 1e3},
    {"kb", 1e3},
    {"kib", 0x1p10},
    {"m", 1e6},
    {"mb", 1e6},
    {"mib", 0x1p20},
    {"g", 1e9},
    {"gb", 1e9},
    {"gib", 0x1p30},
    {"t", 1e12},
    {"tb", 1e12},
    {"tib", 0x1p40},
}};

}  // namespace

Result<int64_t> parse_bytes(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit;
  for (const char* p = end; p != text.data() + text.size(); ++p)
    if (*p != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*p)));
  for (const auto& [name, factor] : kUnits) {
    if (unit != name || error != std::errc()) continue;
    const double bytes = number * factor;
    if (!(bytes >= 0 && bytes < 0x1p62)) break;
    return static_cast<int64_t>(bytes);
  }
  return invalid("\"{}\" is not an amount of memory such as 4GB or 512MiB", text);
}

std::string format_bytes(int64_t bytes) {
  const auto amount = static_cast<double>(bytes);
  if (bytes < 1'000'000) return fmt::format("{:.0f} kB", amount * 1e-3);
  if (bytes < 1'000'000'000) return fmt::format("{:.0f} MB", amount * 1e-6);
  return fmt::format("{:.2f} GB", amount * 1e-9);
}

}  // namespace plinth
