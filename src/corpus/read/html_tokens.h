// The tags of a page one after another, with what is between them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plinth::corpus {

struct HtmlToken {
  enum class What { kText, kStart, kEnd };

  What what = What::kText;
  std::string_view text;       // of kText: with its character references; views point into the page
  bool literal = false;        // of kText: from a CDATA section, references are none
  std::string name;            // of tags: lower case, at most 32 bytes
  bool closes_itself = false;  // <x/>
  std::string_view attributes;  // between name and '>'
};

// A tokenizer after HTML, section 13.2.5, without its scripting: comments, doctypes and processing
// instructions are left out; a '<' that begins no tag is text.
class HtmlTokens {
 public:
  explicit HtmlTokens(std::string_view page) : page_(page) {}

  // False at the end.
  bool next(HtmlToken& token);

  // After the start tag of a raw element: the text up to its end tag, which is taken too.
  std::string_view raw_text(std::string_view name);

 private:
  size_t skip_comment(size_t at) const;
  bool tag(size_t at, HtmlToken& token);

  std::string_view page_;
  size_t at_ = 0;
};

// Calls body(name, value) for each attribute; names in lower case, values with their references.
template <typename Body>
void each_attribute(std::string_view attributes, Body&& body);

}  // namespace plinth::corpus

#include "corpus/read/html_tokens-inl.h"
