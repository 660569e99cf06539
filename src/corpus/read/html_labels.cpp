#include "corpus/read/html_labels.h"

#include <unordered_map>

namespace plinth::corpus {
namespace {

using Kinds = std::unordered_map<std::string_view, uint8_t>;

Kinds make_kinds() {
  Kinds out;
  const auto mark = [&](uint8_t kind, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) out[word] |= kind;
  };
  mark(kBoilerplateLabel,
       {"nav",        "navi",        "navbar",     "navigation",    "topnav",
        "subnav",     "menu",        "menus",      "breadcrumb",    "breadcrumbs",
        "crumb",      "crumbs",      "footer",     "foot",          "bottombar",
        "sidebar",    "sidebars",    "aside",      "side",          "rightbar",
        "leftbar",    "ad",          "ads",        "adv",           "advert",
        "adverts",    "adbox",       "gg",         "advertisement", "advertising",
        "guanggao",   "banner",      "banners",    "sponsor",       "sponsored",
        "promo",      "promotion",   "popup",      "modal",         "dialog",
        "share",      "sharing",     "shares",     "social",        "bdsharebuttonbox",
        "related",    "relate",      "recommend",  "recommended",   "recommendation",
        "recommends", "hot",         "hotnews",    "ranking",       "rank",
        "tags",       "tagcloud",    "pagination", "pager",         "pages",
        "login",      "register",    "signin",     "copyright",     "toolbar",
        "qrcode",     "erweima",     "subscribe",  "newsletter",    "cookie",
        "cookies",    "contentinfo", "search",     "complementary", "searchbox",
        "feedback",   "friendlink"});
  mark(kContentLabel, {"main", "post", "text", "body", "story", "news", "message", "embed"});
  mark(kChatterLabel, {"comment", "comments", "reply", "meta", "author", "avatar"});
  mark(kAsideLabel,
       {"caption",     "captions",   "credit",        "credits",   "byline",        "bylines",
        "timestamp",   "related",    "relatedposts",  "recirc",    "recirculation", "promo",
        "promotion",   "newsletter", "signup",        "subscribe", "sharedaddy",    "share",
        "sharing",     "advert",     "advertisement", "sponsored", "recommended",   "trending",
        "popular",     "bio",        "tooltip",       "popover",   "rollover",      "breadcrumb",
        "breadcrumbs", "crumb",      "outbrain",      "taboola",   "paywall",       "disclaimer",
        "attribution"});
  mark(kCommentsLabel, {"comment", "comments", "commentlist", "disqus", "respond", "livefyre"});
  return out;
}

}  // namespace

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

uint8_t label_kinds(std::string_view label) {
  static const Kinds kKinds = make_kinds();
  uint8_t kinds = 0;
  for (size_t at = 0; at < label.size();) {
    const size_t end = std::min(label.find(' ', at), label.size());
    const std::string_view word = label.substr(at, end - at);
    if (const auto it = kKinds.find(word); it != kKinds.end()) kinds |= it->second;
    // Also as a part: "articlecontent", "newsdetail".
    for (const std::string_view part : {"article", "content", "entry", "detail"})
      if (word.size() >= part.size() && word.find(part) != word.npos) kinds |= kContentLabel;
    at = end + 1;
  }
  return kinds;
}

}  // namespace plinth::corpus
