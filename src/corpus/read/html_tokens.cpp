#include "corpus/read/html_tokens.h"

#include <algorithm>

namespace plinth::corpus {
namespace {

constexpr size_t kNameMax = 32;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

// Where the '>' of the tag is that goes on at `at`: quoted values may hold others. npos when the
// page ends first.
size_t tag_end(std::string_view page, size_t at) {
  while (true) {
    at = page.find_first_of(">\"'", at);
    if (at == page.npos || page[at] == '>') return at;
    // A quote opens a value only after '='.
    size_t before = at;
    while (before > 0 && is_html_space(page[before - 1])) --before;
    if (before == 0 || page[before - 1] != '=') {
      ++at;
      continue;
    }
    const size_t close = page.find(page[at], at + 1);
    if (close == page.npos) return page.find('>', at);  // the quote was never closed
    at = close + 1;
  }
}

}  // namespace

// `at` is behind "<!" or "<?"; returns where the page goes on.
size_t HtmlTokens::skip_comment(size_t at) const {
  if (page_.substr(at).starts_with("--")) {
    if (page_.substr(at + 2).starts_with('>')) return at + 3;
    const size_t end = page_.find("-->", at + 2);
    return end == page_.npos ? page_.size() : end + 3;
  }
  const size_t end = page_.find('>', at);
  return end == page_.npos ? page_.size() : end + 1;
}

bool HtmlTokens::tag(size_t at, HtmlToken& token) {
  const bool end = page_[at] == '/';
  if (end) ++at;
  const size_t close = tag_end(page_, at);
  if (close == page_.npos) {  // a tag without an end ends the page
    at_ = page_.size();
    return false;
  }
  token.what = end ? HtmlToken::What::kEnd : HtmlToken::What::kStart;
  token.name.clear();
  for (; at < close && !is_html_space(page_[at]) && page_[at] != '/'; ++at)
    if (token.name.size() < kNameMax) token.name.push_back(lower(page_[at]));
  token.attributes = page_.substr(at, close - at);
  token.closes_itself = token.attributes.ends_with('/');
  at_ = close + 1;
  return true;
}

bool HtmlTokens::next(HtmlToken& token) {
  const size_t begin = at_;
  size_t at = at_;
  while (true) {
    at = page_.find('<', at);
    if (at == page_.npos || at + 1 >= page_.size()) {
      at = page_.size();
      break;
    }
    const char c = page_[at + 1];
    const bool tags =
        is_letter(c) || (c == '/' && at + 2 < page_.size() && is_letter(page_[at + 2]));
    if (tags || c == '!' || c == '?' || c == '/') break;
    ++at;
  }
  if (at > begin) {
    token.what = HtmlToken::What::kText;
    token.text = page_.substr(begin, at - begin);
    token.literal = false;
    at_ = at;
    return true;
  }
  if (at >= page_.size()) return false;
  const char c = page_[at + 1];
  if (c == '!' && page_.substr(at + 2).starts_with("[CDATA[")) {
    const size_t end = page_.find("]]>", at + 9);
    token.what = HtmlToken::What::kText;
    token.text = page_.substr(at + 9, end == page_.npos ? end : end - at - 9);
    token.literal = true;
    at_ = end == page_.npos ? page_.size() : end + 3;
    return true;
  }
  if (c == '!' || c == '?' ||
      (c == '/' && !is_letter(at + 2 < page_.size() ? page_[at + 2] : ' '))) {
    at_ = skip_comment(at + 2);
    token.what = HtmlToken::What::kText;
    token.text = {};
    token.literal = true;
    return true;
  }
  return tag(at + 1, token);
}

std::string_view HtmlTokens::raw_text(std::string_view name) {
  const size_t begin = at_;
  for (size_t at = begin; (at = page_.find("</", at)) != page_.npos; at += 2) {
    const auto found = page_.substr(at + 2, name.size());
    if (!std::equal(found.begin(), found.end(), name.begin(), name.end(),
                    [](char a, char b) { return lower(a) == b; }))
      continue;
    const size_t after = at + 2 + name.size();
    if (after < page_.size() && !is_html_space(page_[after]) && page_[after] != '>' &&
        page_[after] != '/')
      continue;
    const size_t end = page_.find('>', after);
    at_ = end == page_.npos ? page_.size() : end + 1;
    return page_.substr(begin, at - begin);
  }
  at_ = page_.size();
  return page_.substr(begin);
}

}  // namespace plinth::corpus
