#include "server/content_filter.h"

#include <algorithm>
#include <utility>

#include "core/metrics.h"

namespace plinth::server {
namespace {

constexpr uint64_t kFileMax = uint64_t{64} << 20;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

FilterAction action_of(const ContentFilter::Rule& rule, FilterSide side) {
  return side == FilterSide::kInput ? rule.input : rule.output;
}

void count_match(const ContentFilter::Rule& rule, FilterSide side) {
  count("plinth_filtered_total", 1,
        {{"side", side == FilterSide::kInput ? "input" : "output"}, {"category", rule.category}});
}

Result<FilterAction> parse_action(const std::string& text, const std::string& place) {
  if (text == "block") return FilterAction::kBlock;
  if (text == "mask") return FilterAction::kMask;
  if (text == "pass") return FilterAction::kPass;
  return invalid("{}: {} is not block, mask or pass", place, text);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

Result<ContentFilter> ContentFilter::make(std::vector<Rule> rules) {
  ContentFilter filter;
  filter.rules_ = std::move(rules);
  filter.nodes_.emplace_back();
  for (size_t i = 0; i < filter.rules_.size(); ++i) {
    if (filter.rules_[i].category.empty()) return invalid("filter {}: a category is needed", i);
    for (const std::string& word : filter.rules_[i].words) {
      int32_t node = 0;
      for (const char c : word) {
        int32_t next = filter.step(node, lower(c));
        if (next < 0) {
          next = static_cast<int32_t>(filter.nodes_.size());
          filter.nodes_.emplace_back();
          auto& edges = filter.nodes_[static_cast<size_t>(node)].next;
          const std::pair<char, int32_t> edge(lower(c), next);
          edges.insert(std::ranges::lower_bound(edges, edge), edge);
        }
        node = next;
      }
      if (node != 0) filter.nodes_[static_cast<size_t>(node)].rule = static_cast<int32_t>(i);
    }
  }
  return filter;
}

Result<ContentFilter> ContentFilter::read(const Config& config, const Path& folder) {
  std::vector<Rule> rules;
  PLINTH_TRY(const auto tables, config.tables("filter"));
  for (const Config& table : tables) {
    Rule rule;
    PLINTH_TRY(rule.category, table.text("category", ""));
    const auto action = [&](const char* side) -> Result<FilterAction> {
      PLINTH_TRY(const std::string text, table.text(side, "pass"));
      return parse_action(text, fmt::format("filter {}: {}", rule.category, side));
    };
    PLINTH_TRY(rule.input, action("input"));
    PLINTH_TRY(rule.output, action("output"));
    PLINTH_TRY(const std::string file, table.text("words", ""));
    PLINTH_TRY(const std::string words, read_file(folder / file, kFileMax));
    rule.words = lines_of(words);
    PLINTH_TRY(table.finish());
    rules.push_back(std::move(rule));
  }
  return make(std::move(rules));
}

int32_t ContentFilter::step(int32_t node, char c) const {
  const auto& edges = nodes_[static_cast<size_t>(node)].next;
  const auto it = std::ranges::lower_bound(edges, c, {}, &std::pair<char, int32_t>::first);
  return it == edges.end() || it->first != c ? -1 : it->second;
}

std::optional<ContentFilter::Match> ContentFilter::find(std::string_view text, FilterSide side,
                                                        size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    std::optional<Match> longest;
    int32_t node = 0;
    for (size_t at = begin; at < text.size(); ++at) {
      node = step(node, lower(text[at]));
      if (node < 0) break;
      const int32_t rule = nodes_[static_cast<size_t>(node)].rule;
      if (rule < 0) continue;
      const Rule& found = rules_[static_cast<size_t>(rule)];
      if (action_of(found, side) != FilterAction::kPass) longest = Match{begin, at + 1, &found};
    }
    if (longest) return longest;
  }
  return {};
}

size_t ContentFilter::open_tail(std::string_view text) const {
  for (size_t begin = 0; begin < text.size(); ++begin) {
    int32_t node = 0;
    size_t at = begin;
    while (at < text.size() && (node = step(node, lower(text[at]))) >= 0) ++at;
    if (at == text.size()) return text.size() - begin;
  }
  return 0;
}

Status ContentFilter::check_input(std::string& text) const {
  for (size_t from = 0;;) {
    const auto match = find(text, FilterSide::kInput, from);
    if (!match) return {};
    count_match(*match->rule, FilterSide::kInput);
    if (match->rule->input == FilterAction::kBlock)
      return invalid("the text has words of the category {}, which are refused here",
                     match->rule->category);
    const std::string mask =
        mask_of(std::string_view(text).substr(match->begin, match->end - match->begin));
    text.replace(match->begin, match->end - match->begin, mask);
    from = match->begin + mask.size();
  }
}

std::string mask_of(std::string_view word) {
  std::string mask;
  for (const char c : word)
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) mask += '*';  // begins a character
  return mask;
}

std::string FilteredText::push(std::string_view text, bool last) {
  if (blocked_) return "";
  pending_ += text;
  std::string shown;
  size_t from = 0;
  while (true) {
    const auto match = filter_->find(pending_, FilterSide::kOutput, from);
    // A word at the very end may be the beginning of a longer one.
    if (!match || (!last && match->end == pending_.size() &&
                   filter_->open_tail(std::string_view(pending_).substr(match->begin)) ==
                       pending_.size() - match->begin))
      break;
    count_match(*match->rule, FilterSide::kOutput);
    shown += pending_.substr(from, match->begin - from);
    from = match->end;
    if (match->rule->output == FilterAction::kBlock) {
      blocked_ = true;
      return shown;
    }
    shown += mask_of(std::string_view(pending_).substr(match->begin, match->end - match->begin));
  }
  const std::string_view rest = std::string_view(pending_).substr(from);
  const size_t held = last ? 0 : filter_->open_tail(rest);
  shown += rest.substr(0, rest.size() - held);
  pending_ = std::string(rest.substr(rest.size() - held));
  return shown;
}

}  // namespace plinth::server
