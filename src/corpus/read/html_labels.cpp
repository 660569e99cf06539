#include "corpus/read/html_labels.h"

#include <array>

namespace plinth::corpus {

bool is_machinery(std::string_view tag) {
  return one_of(
      tag, {"script", "style",  "noscript", "template", "iframe", "object",   "embed",  "svg",
            "canvas", "button", "select",   "option",   "input",  "textarea", "link",   "meta",
            "head",   "title",  "video",    "audio",    "map",    "datalist", "applet", "frame"});
}

bool has_word(std::string_view label, std::string_view word) {
  for (size_t at = 0; (at = label.find(word, at)) != label.npos; at += word.size()) {
    const bool starts = at == 0 || label[at - 1] == ' ';
    const size_t end = at + word.size();
    if (starts && (end == label.size() || label[end] == ' ')) return true;
  }
  return false;
}

bool says_boilerplate(std::string_view label) {
  // clang-format off
  static constexpr std::array<std::string_view, 78> kWords = {
      "nav", "navi", "navbar", "navigation", "topnav", "subnav", "menu", "menus", "breadcrumb",
      "breadcrumbs", "crumb", "crumbs", "footer", "foot", "bottombar", "sidebar", "sidebars",
      "aside", "side", "rightbar", "leftbar", "ad", "ads", "adv", "advert", "adverts",
      "advertisement", "advertising", "adbox", "gg", "guanggao", "banner", "banners", "sponsor",
      "sponsored", "promo", "promotion", "popup", "modal", "dialog", "share", "sharing", "shares",
      "social", "bdsharebuttonbox", "related", "relate", "recommend", "recommended",
      "recommendation", "recommends", "hot", "hotnews", "ranking", "rank", "tags", "tagcloud",
      "pagination", "pager", "pages", "page nav", "login", "register", "signin", "copyright",
      "toolbar", "qrcode", "erweima", "subscribe", "newsletter", "cookie", "cookies",
      "contentinfo", "complementary", "search", "searchbox", "feedback", "friendlink"};
  // clang-format on
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](auto word) { return has_word(label, word); });
}

bool says_content(std::string_view label) {
  return std::any_of(label.begin(), label.end(), [](char c) { return c != ' '; }) &&
         (label.find("article") != label.npos || label.find("content") != label.npos ||
          has_word(label, "main") || has_word(label, "post") || label.find("entry") != label.npos ||
          has_word(label, "text") || has_word(label, "body") ||
          label.find("detail") != label.npos || has_word(label, "story") ||
          has_word(label, "news") || has_word(label, "message"));
}

bool says_chatter(std::string_view label) {
  return has_word(label, "comment") || has_word(label, "comments") || has_word(label, "reply") ||
         has_word(label, "meta") || has_word(label, "author") || has_word(label, "avatar");
}

}  // namespace plinth::corpus
