#include "corpus/read/html_content.h"

#include <algorithm>

#include "corpus/read/html_furniture.h"
#include "corpus/read/html_labels.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Characters and link characters of a subtree, or of a block's own inline text.
struct Weight {
  int64_t chars = 0;
  int64_t links = 0;
  int64_t commas = 0;

  double link_density() const {
    return chars == 0 ? 0.0 : static_cast<double>(links) / static_cast<double>(chars);
  }
};

// So much running text is an article by itself.
constexpr int64_t kArticleChars = 600;
constexpr int64_t kArticleCommas = 5;
// Lines of running text, not of names and dates.
constexpr size_t kLongLineBytes = 120;

class Finder {
 public:
  explicit Finder(std::span<const HtmlNode> nodes)
      : nodes_(nodes),
        dropped_(nodes.size(), false),
        kinds_(nodes.size()),
        own_(nodes.size()),
        all_(nodes.size()),
        score_(nodes.size(), 0.0) {}

  HtmlContent run() {
    for (size_t i = 0; i < size(); ++i)
      if (!nodes_[i].label.empty()) kinds_[i] = label_kinds(nodes_[i].label);
    drop_machinery();
    weigh();
    drop_boilerplate();
    drop_comments();
    drop_link_lists();
    weigh();
    if (narrow()) weigh();
    score();
    select();
    drop_lines();
    return finish();
  }

 private:
  size_t size() const { return nodes_.size(); }

  static size_t at(int32_t i) { return static_cast<size_t>(i); }

  void drop(size_t i) {
    std::fill(dropped_.begin() + static_cast<long>(i), dropped_.begin() + nodes_[i].end, true);
  }

  void drop_machinery() {
    for (size_t i = 0; i < size(); ++i)
      if (!dropped_[i] && !nodes_[i].is_text() &&
          (is_machinery(nodes_[i].tag) || nodes_[i].hidden)) {
        if (nodes_[i].tag != "body" && nodes_[i].tag != "html") drop(i);
      }
    machinery_ = dropped_;
  }

  // own_: inline text by nearest block; all_: by subtree.
  void weigh() {
    std::fill(own_.begin(), own_.end(), Weight{});
    std::fill(all_.begin(), all_.end(), Weight{});
    block_.assign(size(), -1);
    std::vector<bool> link(size(), false);
    for (size_t i = 0; i < size(); ++i) {
      const HtmlNode& node = nodes_[i];
      const int32_t parent = node.parent;
      block_[i] = node.block || parent < 0 ? static_cast<int32_t>(i) : block_[at(parent)];
      link[i] = node.tag == "a" || (parent >= 0 && link[at(parent)]);
      if (!node.is_text() || dropped_[i] || parent < 0) continue;
      Weight w;
      for (size_t k = 0; k < node.text.size();) {
        const char32_t c = next_char(node.text, k);
        if (is_space(c)) continue;
        ++w.chars;
        if (c == U'，' || c == U'。' || c == U'、' || c == U'；' || c == ',') ++w.commas;
      }
      if (link[i]) w.links = w.chars;
      all_[i] = w;
      add(own_[at(block_[i])], w);
    }
    for (size_t i = size(); i-- > 0;)
      if (nodes_[i].parent >= 0) add(all_[at(nodes_[i].parent)], all_[i]);
  }

  static void add(Weight& to, const Weight& w) {
    to.chars += w.chars;
    to.links += w.links;
    to.commas += w.commas;
  }

  bool says(size_t i, LabelKind kind) const { return (kinds_[i] & kind) != 0; }

  void drop_boilerplate() {
    const int64_t total = std::max<int64_t>(1, all_[0].chars);
    for (size_t i = 0; i < size(); ++i) {
      const HtmlNode& node = nodes_[i];
      if (dropped_[i] || node.is_text() || one_of(node.tag, {"html", "body", "main", "article"}))
        continue;
      const bool by_tag = one_of(node.tag, {"nav", "footer", "aside", "menu", "dialog"}) ||
                          (node.tag == "header" && !inside(i, {"article", "main"}));
      const bool by_label = (says(i, kBoilerplateLabel) && !says(i, kContentLabel)) ||
                            says(i, kAsideLabel) || node.tag == "figcaption";
      if (!by_tag && !by_label) continue;
      // A wrong guess about a large part of the page costs more than a menu left in.
      const double share = static_cast<double>(all_[i].chars) / static_cast<double>(total);
      if (share > (by_tag ? 0.8 : 0.4) && all_[i].link_density() < 0.5) continue;
      if (!one_of(node.tag, {"h1", "h2", "h3"})) drop(i);
    }
  }

  // What readers wrote below an article, where there is an article: on a forum the posts are all
  // that there is.
  void drop_comments() {
    const auto running = [](const Weight& w) { return w.chars - w.links; };
    std::vector<size_t> comments;
    Weight outside = all_[0];
    for (size_t i = 1; i < size();) {
      const bool named = !dropped_[i] && says(i, kCommentsLabel) &&
                         !one_of(nodes_[i].tag, {"html", "body", "main", "article"});
      if (named) {
        comments.push_back(i);
        outside.chars -= all_[i].chars;
        outside.links -= all_[i].links;
        outside.commas -= all_[i].commas;
      }
      i = named ? at(nodes_[i].end) : i + 1;
    }
    if (running(outside) < kArticleChars || outside.commas < kArticleCommas) return;
    for (const size_t i : comments) drop(i);
  }

  bool inside(size_t i, std::initializer_list<std::string_view> tags) const {
    for (int32_t up = nodes_[i].parent; up >= 0; up = nodes_[at(up)].parent)
      if (one_of(nodes_[at(up)].tag, tags)) return true;
    return false;
  }

  // Lists, rows and divs that are mostly links: menus without a telling name.
  void drop_link_lists() {
    for (size_t i = 0; i < size(); ++i) {
      const HtmlNode& node = nodes_[i];
      if (dropped_[i] ||
          !one_of(node.tag, {"ul", "ol", "dl", "div", "table", "p", "section", "tr"}))
        continue;
      const Weight& w = all_[i];
      if (w.chars == 0 || w.link_density() < 0.7) continue;
      if (w.chars > all_[0].chars / 2) continue;
      if (node.tag == "p" && w.commas > 0) continue;
      int links = 0;
      for (size_t k = i; k < at(node.end); ++k) links += nodes_[k].tag == "a" ? 1 : 0;
      if (links >= 3 || w.chars < 25) drop(i);
    }
  }

  // The page says where its article is: the only <article> or articleBody, or the one that holds
  // nearly all that is in such elements. Everything else goes.
  bool narrow() {
    int64_t best_chars = 0, all_chars = 0;
    size_t best = 0;
    for (size_t i = 0; i < size();) {
      const bool named = nodes_[i].tag == "article" || has_word(nodes_[i].label, "article body");
      if (!named || dropped_[i]) {
        ++i;
        continue;
      }
      const int64_t chars = all_[i].chars - all_[i].links;
      all_chars += chars;
      if (chars > best_chars && all_[i].commas >= 2) {
        best_chars = chars;
        best = i;
      }
      i = at(nodes_[i].end);
    }
    if (best_chars < 100 || best_chars * 4 < all_chars * 3) return false;
    for (size_t i = 1; i < size(); ++i) {
      const bool around = i <= best && at(nodes_[i].end) >= at(nodes_[best].end);
      const bool inside = i > best && i < at(nodes_[best].end);
      if (!around && !inside && nodes_[i].tag != "h1" && !in_h1(i)) dropped_[i] = true;
    }
    return true;
  }

  bool in_h1(size_t i) const {
    for (int32_t up = nodes_[i].parent; up >= 0; up = nodes_[at(up)].parent)
      if (nodes_[at(up)].tag == "h1") return true;
    return false;
  }

  void score() {
    for (size_t i = 0; i < size(); ++i) {
      if (dropped_[i] || !nodes_[i].block) continue;
      const Weight& own = own_[i];
      if (own.chars < 10) continue;
      double value = 1.0 + static_cast<double>(own.commas) +
                     std::min(static_cast<double>(own.chars) / 40.0, 6.0);
      value *= 1.0 - own.link_density();
      // Teasers of other articles come as list items, the article itself rarely.
      if (nodes_[i].tag == "li" || inside(i, {"li"})) value *= 0.4;
      // A block of running text counts for itself too: pages that break lines with <br> have no
      // <p>.
      score_[i] += value;
      double share = 1.0;
      int32_t up = nodes_[i].parent;
      for (int level = 1; up >= 0 && level <= 5; up = nodes_[at(up)].parent) {
        if (!nodes_[at(up)].block) continue;
        score_[at(up)] += value * share;
        share = level == 1 ? 0.7 : share * 0.6;
        ++level;
      }
    }
    for (size_t i = 0; i < size(); ++i) {
      if (score_[i] <= 0) continue;
      double factor = 1.0;
      if (says(i, kContentLabel) || one_of(nodes_[i].tag, {"article", "main"})) factor *= 1.3;
      if (says(i, kChatterLabel)) factor *= 0.6;
      if (one_of(nodes_[i].tag, {"html", "body"})) factor *= 0.5;
      score_[i] *= factor * (1.0 - all_[i].link_density());
    }
  }

  void select() {
    const auto best = std::max_element(score_.begin(), score_.end());
    chosen_.assign(size(), false);
    if (best == score_.end() || *best <= 0) {
      choose(0);
      return;
    }
    auto root = static_cast<size_t>(best - score_.begin());
    root = widen(root);
    choose(root);
    choose_siblings(root);
  }

  // While an ancestor holds much more running text than the choice does, the choice was one
  // paragraph group or one post of several.
  size_t widen(size_t root) const {
    size_t choice = root;
    for (int32_t up = nodes_[root].parent; up >= 0; up = nodes_[at(up)].parent) {
      const Weight& inner = all_[choice];
      const Weight& outer = all_[at(up)];
      const int64_t plain_inner = inner.chars - inner.links;
      const int64_t plain_outer = outer.chars - outer.links;
      const bool denser = outer.commas * 10 > inner.commas * 13;
      if (denser && plain_outer * 10 > plain_inner * 13 &&
          outer.link_density() < inner.link_density() + 0.15)
        choice = at(up);
    }
    return choice;
  }

  void choose(size_t i) {
    for (size_t k = i; k < at(nodes_[i].end); ++k) chosen_[k] = !dropped_[k];
  }

  void choose_siblings(size_t root) {
    const int32_t parent = nodes_[root].parent;
    if (parent < 0) return;
    for (size_t i = at(parent) + 1; i < at(nodes_[at(parent)].end); i = at(nodes_[i].end)) {
      if (i == root || dropped_[i] || nodes_[i].is_text()) continue;
      const Weight& w = all_[i];
      const bool heading = one_of(nodes_[i].tag, {"h1", "h2"}) && i < root;
      const bool reads =
          w.commas >= 2 && w.chars >= 30 && w.link_density() < 0.2 && !says(i, kChatterLabel);
      const bool scored = score_[i] > 0.25 * score_[root];
      if (heading || reads || scored) choose(i);
    }
  }

  // A paragraph that is one link and no sentence leads elsewhere. Headings and list items that are
  // links are common in texts.
  bool leads_elsewhere(int32_t block, std::string_view line) const {
    constexpr size_t kBytesMax = 300;
    return block >= 0 && one_of(nodes_[at(block)].tag, {"p", "div", "center", "section"}) &&
           own_[at(block)].link_density() >= 0.9 && line.size() <= kBytesMax &&
           !ends_with_any(line, {".", "。", "!", "！", "?", "？", "”", "：", ":"});
  }

  // The text of each chosen block, in order; body returns false to take it out.
  template <typename Body>
  void each_chosen_block(Body&& body) {
    std::vector<size_t> texts;
    std::string line;
    int32_t block = -1;
    const auto flush = [&] {
      if (!trim(line).empty() && !body(trim(line), block))
        for (const size_t i : texts) chosen_[i] = false;
      texts.clear();
      line.clear();
    };
    for (size_t i = 0; i < size(); ++i) {
      if (!nodes_[i].is_text() || !chosen_[i]) continue;
      if (block_[i] != block) flush();
      block = block_[i];
      texts.push_back(i);
      line += nodes_[i].text;
    }
    flush();
  }

  void drop_lines() {
    int64_t before = 0, all = 0;
    each_chosen_block([&](std::string_view line, int32_t) {
      all += static_cast<int64_t>(line.size());
      return true;
    });
    bool over = false;
    int long_lines = 0;
    each_chosen_block([&](std::string_view line, int32_t block) {
      const auto bytes = static_cast<int64_t>(line.size());
      before += bytes;
      // Behind the heading there must be less than before it: it may head a column of teasers.
      if (!over && begins_other_articles(line) && before * 2 > all) over = true;
      long_lines += line.size() >= kLongLineBytes ? 1 : 0;
      // Names and dates stand above the text, or below its summary; at its end they sign it.
      const bool above = long_lines == 0 || (long_lines == 1 && before * 3 < all);
      return !over && !is_furniture(line) && !(above && is_byline(line)) &&
             !leads_elsewhere(block, line);
    });
  }

  HtmlContent finish() {
    std::vector<int32_t> chosen_before(size() + 1, 0);
    for (size_t i = 0; i < size(); ++i)
      chosen_before[i + 1] = chosen_before[i] + (chosen_[i] ? 1 : 0);
    HtmlContent out;
    for (size_t i = 0; i < size();) {
      const bool gone = chosen_before[at(nodes_[i].end)] == chosen_before[i];
      const bool countable = gone && nodes_[i].block;
      if (countable && !machinery_[i] && holds_text(i)) ++out.blocks_removed;
      i = countable || (gone && machinery_[i]) ? at(nodes_[i].end) : i + 1;
    }
    out.keep = std::move(chosen_);
    return out;
  }

  bool holds_text(size_t i) const {
    for (size_t k = i; k < at(nodes_[i].end); ++k)
      if (nodes_[k].is_text() && !machinery_[k] && !trim(nodes_[k].text).empty()) return true;
    return false;
  }

  std::span<const HtmlNode> nodes_;
  std::vector<bool> dropped_;    // by rule, before scoring
  std::vector<bool> machinery_;  // of these, what no reader ever sees
  std::vector<bool> chosen_;
  std::vector<int32_t> block_;  // the nearest block that a node is in
  std::vector<uint8_t> kinds_;  // what the labels say
  std::vector<Weight> own_;
  std::vector<Weight> all_;
  std::vector<double> score_;
};

}  // namespace

std::vector<bool> readable_nodes(std::span<const HtmlNode> nodes) {
  std::vector<bool> keep(nodes.size(), true);
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!nodes[i].is_text() && (is_machinery(nodes[i].tag) || nodes[i].hidden))
      std::fill(keep.begin() + static_cast<long>(i), keep.begin() + nodes[i].end, false);
  return keep;
}

HtmlContent find_content(std::span<const HtmlNode> nodes) {
  if (nodes.empty()) return {};
  return Finder(nodes).run();
}

}  // namespace plinth::corpus
