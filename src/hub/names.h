// What a name from outside may look like before it becomes part of a path or an address.
#pragma once

#include <string_view>

#include "core/result.h"

namespace plinth::hub {

// ORG/NAME: two segments of letters, digits, '.', '_' and '-'.
Status check_repository(std::string_view name);

// A branch, tag or commit.
Status check_revision(std::string_view revision);

// A file's path inside its repository: relative, without empty, "." or ".." segments, at most 512
// bytes of letters, digits and "._-+=@ ()/".
Status check_path(std::string_view path);

bool is_hex(std::string_view text, size_t digits);

// `text` shortened, with everything but printable ASCII replaced: foreign text for a message.
std::string printable(std::string_view text);

}  // namespace plinth::hub
