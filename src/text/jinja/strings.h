// Python's string operations on UTF-8: positions count characters, not bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::text::jinja {

// Broken bytes count one each.
int64_t character_count(std::string_view text);
std::vector<std::string_view> characters(std::string_view text);

// str.strip and its sides: white space (Unicode's, as Python has it) or the given characters.
struct StripSides {
  bool left = true;
  bool right = true;
};

std::string_view strip(std::string_view text, std::optional<std::string_view> characters,
                       StripSides sides);

// str.split: at white space without a separator, else at each separator (not empty).
// At most `splits_max` cuts when it is not negative; from the right end with `from_right`.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               int64_t splits_max, bool from_right);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);  // first letter up, the rest down
std::string title(std::string_view text);       // the same for each word

}  // namespace plinth::text::jinja
