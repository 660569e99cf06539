// How a message is kept apart from the template: a mark, one private-use character that occurs in
// no message, is put at both ends of each message's text and inside each special token that the
// message spells. The template is rendered with the marked messages, special tokens are looked for
// in the result, and only then the marks are taken out. A special token that a message spells is
// broken by its mark, and none can be pieced together across the edge of a message.
//
// Why not placeholders for whole messages: templates look at their messages (trim, "</think>" in
// content), and must see the real text. The marks go inside leading and trailing white space, so
// that trimming works too.
#include "server/prompt.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/json.h"

namespace plinth::server {
namespace {

// U+E000..U+F8FF, the private use area, as UTF-8.
std::string mark_text(uint32_t c) {
  return {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
          static_cast<char>(0x80 | (c & 0x3f))};
}

Result<std::string> pick_mark(const std::vector<Message>& messages) {
  for (uint32_t c = 0xe000; c <= 0xf8ff; ++c) {
    std::string mark = mark_text(c);
    const bool used = std::any_of(messages.begin(), messages.end(), [&](const Message& message) {
      return message.content.find(mark) != std::string::npos;
    });
    if (!used) return mark;
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
  explicit Specials(const text::Tokenizer& tokenizer) {
    const text::TokenizerSpec& spec = tokenizer.spec();
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

std::string mark_message(std::string_view content, std::string_view mark,
                         const Specials& specials) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = content.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return std::string(content);
  const size_t end = content.find_last_not_of(kSpace) + 1;
  std::string marked(content.substr(0, begin));
  marked += mark;
  for (size_t at = begin; at < end;) {
    const bool special = specials.at(content.substr(at)) != nullptr;
    const size_t bytes = std::min(character_bytes(content[at]), end - at);
    marked += content.substr(at, bytes);
    if (special) marked += mark;
    at += bytes;
  }
  marked += mark;
  marked += content.substr(end);
  return marked;
}

std::string without_marks(std::string_view text, std::string_view mark) {
  std::string clean;
  for (size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark)) {
    clean += text.substr(0, at);
    text.remove_prefix(at + mark.size());
  }
  return clean += text;
}

}  // namespace

Result<std::vector<int32_t>> encode_prompt(const text::ChatTemplate& chat_template,
                                           const text::Tokenizer& tokenizer,
                                           const std::vector<Message>& messages) {
  PLINTH_TRY(const std::string mark, pick_mark(messages));
  const Specials specials(tokenizer);
  text::OrderedJson marked = text::OrderedJson::array();
  for (const Message& message : messages)
    marked.push_back(
        {{"role", message.role}, {"content", mark_message(message.content, mark, specials)}});
  text::ChatOptions options;
  options.add_generation_prompt = true;
  const auto token_text = [&](int32_t id) {
    return id >= 0 ? tokenizer.decode(std::vector<int32_t>{id}, true) : std::string();
  };
  options.bos = token_text(tokenizer.bos());
  options.eos = token_text(tokenizer.eos());
  PLINTH_TRY(const std::string rendered, chat_template.render(marked, options));

  std::vector<int32_t> tokens;
  std::string plain;
  const auto encode_plain = [&] {
    const std::string text = without_marks(plain, mark);
    const auto ids = tokens.empty() ? tokenizer.encode(text, false) : tokenizer.encode_more(text);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    plain.clear();
  };
  for (size_t at = 0; at < rendered.size();) {
    if (const Special* special = specials.at(std::string_view(rendered).substr(at))) {
      encode_plain();
      tokens.push_back(special->id);
      at += special->text.size();
    } else {
      plain += rendered[at++];
    }
  }
  encode_plain();
  return tokens;
}

}  // namespace plinth::server
