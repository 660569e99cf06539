// A part of a JSON text as it was written: parsing sorts an object's members, but the order in
// which a client lists the properties of a schema means something.
#pragma once

#include <string_view>

namespace plinth::server {

// The text of a member's value within the text of an object; of several with this key the last, as
// parsing has it. Both are valid JSON. Empty when there is none.
std::string_view raw_member(std::string_view object, std::string_view key);

}  // namespace plinth::server
