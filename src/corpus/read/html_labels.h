// What the tags and the class names of a page say about its parts.
#pragma once

#include <algorithm>
#include <cstdint>
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

// What a label says, as bits.
enum LabelKind : uint8_t {
  kBoilerplateLabel = 1,  // not the article: menus, footers, advertisements
  kContentLabel = 2,      // the article
  kChatterLabel = 4,      // about the article: comments, authors
  kAsideLabel = 8,        // inside articles, but not of their text: captions, bylines, teasers
  kCommentsLabel = 16,    // what readers wrote below it
};

// Looks each word up once, whatever the number of words that are known.
uint8_t label_kinds(std::string_view label);

}  // namespace plinth::corpus
