// Character references of HTML: &amp; &#8220; &#x4e00;
#pragma once

#include <string>
#include <string_view>

namespace plinth::corpus {

// Appends the text with its references replaced; what is none stays as it is.
void append_unescaped(std::string_view text, std::string& out);

}  // namespace plinth::corpus
