// What the tags and the class names of a page say about its parts.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace plinth::corpus {

inline bool one_of(std::string_view tag, std::initializer_list<std::string_view> tags) {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

// Is the word in a label (HtmlNode::label)? Whole words only: "ad" is not in "head".
bool has_word(std::string_view label, std::string_view word);

// Elements that are never content, whatever they hold.
bool is_machinery(std::string_view tag);
// Labels that say "not the article", "the article", "about the article" (comments, authors).
bool says_boilerplate(std::string_view label);
bool says_content(std::string_view label);
bool says_chatter(std::string_view label);

}  // namespace plinth::corpus
