// How a message is kept apart from the template: a mark, one private-use character that occurs in
// no message, is put at both ends of each message's text and inside each special token that the
// message spells. The template is rendered with the marked messages, special tokens are looked for
// in the result, and only then the marks are taken out. A special token that a message spells is
// broken by its mark, and none can be pieced together across the edge of a message.
//
// What else comes from outside (calls of tools, what tools there are) gets its marks inside special
// tokens only: templates compare names and write such strings as JSON.
//
// Why not placeholders for whole messages: templates look at their messages (trim, "</think>" in
// content), and must see the real text. The marks go inside leading and trailing white space, so
// that trimming works too.
#include "text/chat_text.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace plinth::text {
namespace {

// ChatML (Qwen), Llama 3, Phi, Gemma.
constexpr std::array<std::string_view, 4> kTurnEnds = {"<|im_end|>", "<|eot_id|>", "<|end|>",
                                                       "<end_of_turn>"};

// U+E000..U+F8FF, the private use area, as UTF-8.
std::string mark_text(uint32_t c) {
  return {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
          static_cast<char>(0x80 | (c & 0x3f))};
}

// The text of a message; null when it has none (a call of a tool, parts in other forms).
std::string* content_of(OrderedJson& message) {
  if (!message.is_object()) return nullptr;
  const auto content = message.find("content");
  return content == message.end() ? nullptr : content->get_ptr<std::string*>();
}

bool contains(const OrderedJson& json, const std::string& mark) {
  if (const auto* text = json.get_ptr<const std::string*>())
    return text->find(mark) != std::string::npos;
  if (!json.is_structured()) return false;
  for (const auto& [key, item] : json.items())
    if (key.find(mark) != std::string::npos || contains(item, mark)) return true;
  return false;
}

Result<std::string> pick_mark(const OrderedJson& messages, const OrderedJson& tools) {
  for (uint32_t c = 0xe000; c <= 0xf8ff; ++c) {
    std::string mark = mark_text(c);
    if (!contains(messages, mark) && !contains(tools, mark)) return mark;
  }
  return invalid("messages: they use every private-use character there is");
}

struct Special {
  std::string_view text;
  int32_t id = -1;
};

// The special tokens by their first byte, longest first: the longest match at a place wins. Nearly
// every place of a text is passed over by its byte alone.
class Specials {
 public:
  explicit Specials(const Tokenizer& tokenizer) {
    const TokenizerSpec& spec = tokenizer.spec();
    for (const int32_t id : spec.special) {
      const std::string& text = spec.tokens[static_cast<size_t>(id)];
      if (!text.empty()) by_first_[static_cast<unsigned char>(text[0])].push_back({text, id});
    }
    for (auto& specials : by_first_)
      std::stable_sort(specials.begin(), specials.end(), [](const Special& a, const Special& b) {
        return a.text.size() > b.text.size();
      });
  }

  // The one that text, which is not empty, begins with; null when there is none.
  const Special* at(std::string_view text) const {
    for (const Special& special : by_first_[static_cast<unsigned char>(text[0])])
      if (text.starts_with(special.text)) return &special;
    return nullptr;
  }

 private:
  std::array<std::vector<Special>, 256> by_first_;
};

size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

// The text with a mark behind the first character of each special token that it spells.
std::string mark_specials(std::string_view text, std::string_view mark, const Specials& specials) {
  std::string marked;
  for (size_t at = 0; at < text.size();) {
    const bool special = specials.at(text.substr(at)) != nullptr;
    const size_t bytes = std::min(character_bytes(text[at]), text.size() - at);
    marked += text.substr(at, bytes);
    if (special) marked += mark;
    at += bytes;
  }
  return marked;
}

// All strings and keys within, in place.
void mark_strings(OrderedJson& json, std::string_view mark, const Specials& specials) {
  if (auto* text = json.get_ptr<std::string*>()) {
    *text = mark_specials(*text, mark, specials);
  } else if (json.is_array()) {
    for (auto& item : json) mark_strings(item, mark, specials);
  } else if (json.is_object()) {
    OrderedJson marked = OrderedJson::object();
    for (auto& [key, item] : json.items()) {
      mark_strings(item, mark, specials);
      marked[mark_specials(key, mark, specials)] = std::move(item);
    }
    json = std::move(marked);
  }
}

std::string mark_message(std::string_view content, std::string_view mark,
                         const Specials& specials) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = content.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return std::string(content);
  const size_t end = content.find_last_not_of(kSpace) + 1;
  std::string marked(content.substr(0, begin));
  marked += mark;
  marked += mark_specials(content.substr(begin, end - begin), mark, specials);
  marked += mark;
  marked += content.substr(end);
  return marked;
}

// The specials of a rendered text whose messages are marked, and the text without its marks.
ChatText take_marks_out(std::string_view rendered, std::string_view mark,
                        const Specials& specials) {
  ChatText chat;
  while (!rendered.empty()) {
    size_t bytes = 1;
    if (rendered.starts_with(mark)) {
      rendered.remove_prefix(mark.size());
      continue;
    }
    if (const Special* special = specials.at(rendered)) {
      bytes = special->text.size();
      chat.specials.push_back({chat.text.size(), chat.text.size() + bytes, special->id});
    }
    chat.text += rendered.substr(0, bytes);
    rendered.remove_prefix(bytes);
  }
  return chat;
}

}  // namespace

Result<ChatText> render_chat(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                             const OrderedJson& messages, ChatOptions options) {
  OrderedJson marked = messages;
  PLINTH_TRY(const std::string mark, pick_mark(marked, options.tools));
  const Specials specials(tokenizer);
  for (auto& message : marked) {
    if (std::string* content = content_of(message))
      *content = mark_message(*content, mark, specials);
    if (message.is_object() && message.contains("tool_calls"))
      mark_strings(message["tool_calls"], mark, specials);
  }
  mark_strings(options.tools, mark, specials);
  const auto token_text = [&](int32_t id) {
    return id >= 0 ? tokenizer.decode(std::vector<int32_t>{id}, true) : std::string();
  };
  options.bos = token_text(tokenizer.bos());
  options.eos = token_text(tokenizer.eos());
  PLINTH_TRY(const std::string rendered, chat_template.render(marked, options));
  return take_marks_out(rendered, mark, specials);
}

std::vector<int32_t> encode_chat(const ChatText& chat, const Tokenizer& tokenizer, size_t begin) {
  std::vector<int32_t> tokens;
  const std::string_view text = chat.text;
  const auto encode_plain = [&](size_t end) {
    if (end <= begin) return;
    const std::string_view plain = text.substr(begin, end - begin);
    const auto ids = begin == 0 ? tokenizer.encode(plain, false) : tokenizer.encode_more(plain);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  };
  for (const auto& special : chat.specials) {
    if (special.begin < begin) continue;
    encode_plain(special.begin);
    tokens.push_back(special.id);
    begin = special.end;
  }
  encode_plain(text.size());
  return tokens;
}

std::vector<int32_t> turn_ends(const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const std::string_view text : kTurnEnds)
    if (const int32_t id = tokenizer.special_id(text); id >= 0) ids.push_back(id);
  return ids;
}

}  // namespace plinth::text
