#include "corpus/read/html_tree.h"

#include <algorithm>
#include <array>

#include "corpus/read/html_entities.h"
#include "corpus/read/html_tags.h"
#include "corpus/read/html_tokens.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kDepthMax = 250;
constexpr size_t kNodesMax = 4'000'000;
// How far up an end tag looks for its element: what is nested deeper is no page.
constexpr size_t kSearchMax = 600;

// "siteNav top_bar" -> "site nav top bar": words at separators and at a capital after a small
// letter.
void add_words(std::string_view text, std::string& out) {
  char last = ' ';
  for (const char c : text.substr(0, 400)) {
    const bool upper = c >= 'A' && c <= 'Z', small = c >= 'a' && c <= 'z';
    if (upper && last >= 'a' && last <= 'z') out.push_back(' ');
    out.push_back(upper ? static_cast<char>(c + 32) : small || (c >= '0' && c <= '9') ? c : ' ');
    last = c;
  }
  out.push_back(' ');
}

int16_t span_of(std::string_view text) {
  int value = 0;
  for (const char c : text.substr(0, 3)) {
    if (c < '0' || c > '9') break;
    value = value * 10 + (c - '0');
  }
  return static_cast<int16_t>(std::clamp(value, 1, 60));
}

// visibility:hidden is left alone: pages hide their whole article that way until a script has run.
bool hides(std::string_view style) {
  std::string bare;
  for (const char c : style.substr(0, 300))
    if (!is_html_space(c)) bare.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  return bare.find("display:none") != bare.npos;
}

void read_attributes(std::string_view attributes, HtmlNode& node) {
  each_attribute(attributes, [&](std::string_view name, std::string_view value) {
    if (name == "class" || name == "id" || name == "role" || name == "itemprop")
      add_words(value, node.label);
    else if (name == "hidden" || (name == "aria-hidden" && value == "true"))
      node.hidden = true;
    else if (name == "style")
      node.hidden |= hides(value);
    else if (name == "colspan")
      node.colspan = span_of(value);
    else if (name == "rowspan")
      node.rowspan = span_of(value);
  });
}

class Builder {
 public:
  explicit Builder(std::string_view page) : tokens_(page), xml_(page.starts_with("<?xml")) {}

  Result<std::vector<HtmlNode>> run() {
    push("html", html_tag("html"));
    HtmlToken token;
    while (tokens_.next(token)) {
      if (nodes_.size() >= kNodesMax) return exhausted("HTML has more than {} nodes", kNodesMax);
      if (token.what == HtmlToken::What::kText)
        text(token);
      else if (token.what == HtmlToken::What::kStart)
        start(token);
      else
        end(token.name);
    }
    while (!open_.empty()) pop();
    return std::move(nodes_);
  }

 private:
  struct Open {
    uint8_t id;
    bool block;
    bool own;  // has a node; not so below the depth bound
    int32_t node;
  };

  HtmlNode& push(const std::string& name, const HtmlTag& tag) {
    const bool own = depth_ < kDepthMax;
    if (own) {
      HtmlNode node;
      node.tag = name;
      node.block = tag.block;
      node.parent = open_.empty() ? -1 : open_.back().node;
      nodes_.push_back(std::move(node));
      ++depth_;
    }
    const int32_t index = own ? static_cast<int32_t>(nodes_.size()) - 1 : open_.back().node;
    open_.push_back({tag.id, tag.block, own, index});
    ++count_[tag.id];
    return nodes_[static_cast<size_t>(index)];
  }

  void pop() {
    const Open& last = open_.back();
    --count_[last.id];
    if (last.own) {
      nodes_[static_cast<size_t>(last.node)].end = static_cast<int32_t>(nodes_.size());
      --depth_;
    }
    open_.pop_back();
  }

  bool is_open(uint8_t id) const { return count_[id] > 0; }

  // Pops up to and with the innermost element of that kind, unless one of `stops` comes first.
  void close(uint8_t id, std::initializer_list<uint8_t> stops) {
    if (!is_open(id)) return;
    const size_t lowest = open_.size() - std::min(open_.size(), kSearchMax);
    for (size_t i = open_.size(); i-- > lowest;) {
      if (open_[i].id == id) {
        while (open_.size() > i) pop();
        return;
      }
      if (std::find(stops.begin(), stops.end(), open_[i].id) != stops.end()) return;
    }
  }

  // Text or an element of the body: the head is over, the body has begun.
  void in_body() {
    if (is_open(kHead)) close(kHead, {});
    if (!has_body_ && open_.size() == 1) {
      push("body", html_tag("body"));
      has_body_ = true;
    }
  }

  void text(const HtmlToken& token) {
    if (token.text.empty()) return;
    const bool blank = std::all_of(token.text.begin(), token.text.end(), is_html_space);
    if (blank && (open_.size() == 1 || open_.back().id == kHead)) return;
    if (!blank) in_body();
    add_text(blank ? " " : token.text, token.literal);
  }

  void add_text(std::string_view raw, bool literal) {
    const int32_t parent = open_.back().node;
    // Comments and folded elements don't cut a text in two.
    const bool same = nodes_.back().is_text() && nodes_.back().parent == parent;
    if (!same) {
      HtmlNode node;
      node.parent = parent;
      node.end = static_cast<int32_t>(nodes_.size()) + 1;
      nodes_.push_back(std::move(node));
    }
    if (literal)
      nodes_.back().text += raw;
    else
      append_unescaped(raw, nodes_.back().text);
  }

  void start(const HtmlToken& token) {
    const HtmlTag& tag = html_tag(token.name);
    if (tag.id == kHtml || tag.id == kBody || tag.id == kHead) return structure(token, tag);
    if (!tag.head) in_body();
    close_implied(tag);
    HtmlNode& node = push(token.name, tag);
    if (open_.back().own) read_attributes(token.attributes, node);
    if (tag.raw && !(xml_ && token.closes_itself)) {
      const std::string_view inside = tokens_.raw_text(token.name);
      if (tag.id == kTitle) add_text(inside, false);
      pop();
    } else if (tag.empty || (token.closes_itself && (xml_ || tag.id == 0))) {
      pop();
    }
  }

  // <html>, <head> and <body> are there once; what a second one says is added to the first.
  void structure(const HtmlToken& token, const HtmlTag& tag) {
    if (tag.id == kHtml) return read_attributes(token.attributes, nodes_.front());
    if (tag.id == kHead) {
      if (open_.size() == 1 && !has_body_ && nodes_.size() == 1) push("head", tag);
      return;
    }
    if (is_open(kHead)) close(kHead, {});
    if (has_body_ || open_.size() > 1) return;
    has_body_ = true;
    read_attributes(token.attributes, push("body", tag));
  }

  // End tags that HTML lets authors leave out.
  void close_implied(const HtmlTag& tag) {
    if (tag.ends_p) close(kP, {kTable, kTd, kTh, kButton});
    if (tag.id == kLi) close(kLi, {kUl, kOl, kTable, kTd});
    if (tag.id == kDt || tag.id == kDd) {
      close(kDt, {kDl, kTable, kTd});
      close(kDd, {kDl, kTable, kTd});
    }
    if (tag.id == kOption) close(kOption, {kSelect});
    if (tag.id == kTd || tag.id == kTh || tag.id == kTr || tag.id == kTbody || tag.id == kThead ||
        tag.id == kTfoot) {
      close(kTd, {kTable});
      close(kTh, {kTable});
      if (tag.id != kTd && tag.id != kTh) close(kTr, {kTable});
      if (tag.id == kTbody || tag.id == kThead || tag.id == kTfoot)
        for (const uint8_t part : {kTbody, kThead, kTfoot}) close(part, {kTable});
    }
    // A link in a link: the first was never closed.
    if (tag.id == kA) close_in_block(kA);
  }

  // Closes the element if no block has begun inside it.
  void close_in_block(uint8_t id) {
    if (!is_open(id)) return;
    const size_t lowest = open_.size() - std::min(open_.size(), kSearchMax);
    for (size_t i = open_.size(); i-- > lowest && !open_[i].block;)
      if (open_[i].id == id) {
        while (open_.size() > i) pop();
        return;
      }
  }

  void end(const std::string& name) {
    const HtmlTag& tag = html_tag(name);
    if (tag.id == kHtml || tag.id == kBody) return;  // what follows belongs to them all the same
    if (tag.id == 0) return close_unknown(name);
    if (tag.formatting) return close_in_block(tag.id);
    if (tag.id == kTd || tag.id == kTh || tag.id == kTr || tag.id == kTable || tag.id == kTbody ||
        tag.id == kThead || tag.id == kTfoot)
      return close(tag.id, tag.id == kTable ? std::initializer_list<uint8_t>{}
                                            : std::initializer_list<uint8_t>{kTable});
    close(tag.id, {kTable, kTd, kTh});
  }

  void close_unknown(const std::string& name) {
    const size_t lowest = open_.size() - std::min(open_.size(), kSearchMax);
    for (size_t i = open_.size(); i-- > lowest;) {
      if (open_[i].id == kTable || open_[i].id == kTd || open_[i].id == kTh) return;
      if (open_[i].id != 0 || nodes_[static_cast<size_t>(open_[i].node)].tag != name) continue;
      while (open_.size() > i) pop();
      return;
    }
  }

  static uint8_t id_of(std::string_view name) { return html_tag(name).id; }

  const uint8_t kHtml = id_of("html"), kHead = id_of("head"), kBody = id_of("body"),
                kTitle = id_of("title"), kP = id_of("p"), kA = id_of("a"), kLi = id_of("li"),
                kUl = id_of("ul"), kOl = id_of("ol"), kDl = id_of("dl"), kDt = id_of("dt"),
                kDd = id_of("dd"), kTable = id_of("table"), kTr = id_of("tr"), kTd = id_of("td"),
                kTh = id_of("th"), kTbody = id_of("tbody"), kThead = id_of("thead"),
                kTfoot = id_of("tfoot"), kButton = id_of("button"), kOption = id_of("option"),
                kSelect = id_of("select");

  HtmlTokens tokens_;
  bool xml_;  // XHTML as XML: <x/> is closed
  bool has_body_ = false;
  std::vector<HtmlNode> nodes_;
  std::vector<Open> open_;
  std::array<int32_t, 256> count_{};  // of open elements, by id
  size_t depth_ = 0;                  // of open elements that have nodes
};

}  // namespace

Result<std::vector<HtmlNode>> parse_html(std::string_view utf8) {
  if (utf8.starts_with("\xEF\xBB\xBF")) utf8.remove_prefix(3);
  return Builder(utf8).run();
}

}  // namespace plinth::corpus
