#include "server/tool_parser.h"

#include <algorithm>
#include <utility>

#include "core/hash.h"
#include "core/json.h"

namespace plinth::server {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Where the text's end could still become `word`, or be white space in front of it.
size_t held_from(std::string_view text, std::string_view word) {
  size_t from = text.size();
  for (size_t n = std::min(word.size() - 1, text.size()); n > 0; --n)
    if (text.ends_with(word.substr(0, n))) {
      from = text.size() - n;
      break;
    }
  while (from > 0 && is_space(text[from - 1])) --from;
  return from;
}

std::string new_id(ToolStyle style) {
  // Mistral's template takes nothing but nine letters and digits back.
  return style == ToolStyle::kMistral ? random_hex(5).substr(0, 9) : "call_" + random_hex(12);
}

}  // namespace

ToolParser::ToolParser(ToolStyle style, std::vector<std::string> names, bool inside, bool single)
    : style_(style),
      trigger_(tool_trigger(style)),
      names_(std::move(names)),
      single_(single),
      state_(inside ? State::kBetween : State::kText) {}

ToolParser::Piece ToolParser::push(std::string_view text, bool trigger) {
  Piece piece;
  if (trigger && state_ == State::kText) {
    read(piece, true);  // all that came before it is text
    state_ = State::kBetween;
  }
  pending_ += text;
  read(piece, false);
  return piece;
}

ToolParser::Piece ToolParser::finish() {
  Piece piece;
  read(piece, true);
  return piece;
}

void ToolParser::read(Piece& piece, bool ended) {
  while (true) {
    const bool more = state_ == State::kText      ? read_text(piece, ended)
                      : state_ == State::kBetween ? read_between(piece, ended)
                                                  : read_call(piece, ended);
    if (!more) return;
  }
}

// Each of these returns whether the state changed and there may be more to read.

bool ToolParser::read_text(Piece& piece, bool ended) {
  if (style_ == ToolStyle::kLlama && !begun_) {
    // A call is the whole answer.
    const size_t first = pending_.find_first_not_of(" \n\r\t");
    if (first == std::string::npos && !ended) return false;
    begun_ = true;
    if (first != std::string::npos && pending_[first] == '{') {
      pending_.erase(0, first);
      state_ = State::kBetween;
      return true;
    }
  }
  if (!trigger_.empty()) {
    if (const size_t at = pending_.find(trigger_); at != std::string::npos) {
      const std::string_view before = std::string_view(pending_).substr(0, at);
      const size_t end = before.find_last_not_of(" \n\r\t");
      if (end != std::string_view::npos) piece.content += before.substr(0, end + 1);
      pending_.erase(0, at + trigger_.size());
      state_ = State::kBetween;
      return true;
    }
  }
  const size_t from = ended || trigger_.empty() ? pending_.size() : held_from(pending_, trigger_);
  piece.content += pending_.substr(0, from);
  pending_.erase(0, from);
  return false;
}

bool ToolParser::read_between(Piece& piece, bool ended) {
  size_t at = 0;
  while (at < pending_.size() && (is_space(pending_[at]) || pending_[at] == ',' ||
                                  pending_[at] == '[' || pending_[at] == ';'))
    ++at;
  pending_.erase(0, at);
  if (pending_.empty()) return false;
  if (pending_[0] == '{') {
    state_ = State::kCall;
    at_ = value_begin_ = arguments_begin_ = arguments_end_ = arguments_given_ = 0;
    depth_ = 0;
    in_string_ = escaped_ = in_value_ = has_arguments_ = done_ = given_ = false;
    key_.clear();
    name_.clear();
    return true;
  }
  // The end of one call or of all, and what else a model writes there.
  for (const std::string_view closing : {"</tool_call>", "]</tool_calls>", "</tool_calls>", "]"}) {
    if (!pending_.starts_with(closing)) {
      if (!ended && closing.starts_with(pending_)) return false;
      continue;
    }
    pending_.erase(0, closing.size());
    state_ = State::kText;
    return true;
  }
  if (calls_ == 0) piece.content += trigger_;  // it began nothing
  state_ = State::kText;
  return true;
}

bool ToolParser::read_call(Piece& piece, bool ended) {
  scan();
  const bool known = std::ranges::find(names_, name_) != names_.end();
  if (done_ && !known) {
    give_up(piece);
    return true;
  }
  if (known) give(piece);
  if (done_) {
    ++calls_;
    pending_.erase(0, at_);
    state_ = State::kBetween;
    return true;
  }
  if (ended && !known) give_up(piece);
  if (ended && known) {
    ++calls_;  // cut short: what was given of it stands
    pending_.clear();
    state_ = State::kText;
  }
  return false;
}

// Reads the object as far as it is there.
void ToolParser::scan() {
  const auto end_value = [&](size_t end) {
    if (!in_value_) return;
    in_value_ = false;
    if (key_ == "name") {
      const auto name = parse_json(pending_.substr(value_begin_, end - value_begin_), "name");
      if (name && name->is_string()) name_ = name->get<std::string>();
    } else if (key_ == "arguments" || key_ == "parameters") {
      arguments_end_ = end;
    }
  };
  for (; at_ < pending_.size() && !done_; ++at_) {
    const char c = pending_[at_];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
        if (depth_ == 1 && !in_value_)
          key_ = pending_.substr(string_begin_ + 1, at_ - string_begin_ - 1);
      }
      continue;
    }
    if (depth_ == 1 && c == ':' && !in_value_) {
      in_value_ = true;
      value_begin_ = 0;
      continue;
    }
    if (in_value_ && value_begin_ == 0 && !is_space(c)) {
      value_begin_ = at_;
      if (key_ == "arguments" || key_ == "parameters") {
        has_arguments_ = true;
        arguments_begin_ = arguments_given_ = at_;
      }
    }
    if (c == '"') {
      in_string_ = true;
      string_begin_ = at_;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      if (depth_ == 1) end_value(at_);
      if (--depth_ == 0) done_ = true;
    } else if (c == ',' && depth_ == 1) {
      end_value(at_);
    }
  }
}

// Of a call whose function is known: id and name once, arguments as they come. Arguments that are
// no object are a text that holds them, and wait until it is whole.
void ToolParser::give(Piece& piece) {
  if (single_ && calls_ > 0) return;
  if (!given_ && !has_arguments_ && !done_) return;
  CallPiece call{.index = calls_};
  if (!std::exchange(given_, true)) {
    call.id = new_id(style_);
    call.name = name_;
  }
  if (done_ && !has_arguments_) {
    call.arguments = "{}";
  } else if (has_arguments_ && pending_[arguments_begin_] == '{') {
    const size_t end = arguments_end_ > 0 ? arguments_end_ : at_;
    call.arguments = pending_.substr(arguments_given_, end - arguments_given_);
    arguments_given_ = end;
    // White space between the arguments and what follows is not theirs.
    if (arguments_end_ > 0)
      while (!call.arguments.empty() && is_space(call.arguments.back())) call.arguments.pop_back();
  } else if (arguments_end_ > 0 && arguments_given_ != arguments_end_) {
    const auto text = parse_json(
        pending_.substr(arguments_begin_, arguments_end_ - arguments_begin_), "arguments");
    call.arguments = text && text->is_string() ? text->get<std::string>() : "{}";
    arguments_given_ = arguments_end_;
  }
  if (!call.id.empty() || !call.arguments.empty()) piece.calls.push_back(std::move(call));
}

// It looked like a call and is none: text.
void ToolParser::give_up(Piece& piece) {
  piece.content += (calls_ == 0 ? trigger_ : "") + pending_;
  pending_.clear();
  state_ = State::kText;
}

}  // namespace plinth::server
