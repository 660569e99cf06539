#include "text/normalizer.h"

#include "text/unicode.h"

namespace plinth::text {

namespace {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

}  // namespace

Result<Normalizer> Normalizer::create(const TokenizerSpec& spec) {
  Normalizer out;
  out.nfc_ = spec.nfc;
  out.keeps_bytes_ = spec.algorithm == Algorithm::kByteBpe;
  out.trim_spaces_ = spec.trim_spaces;
  out.prefix_at_end_ = spec.prefix_at_end;
  out.prefix_ = spec.prefix;
  if (spec.escape_spaces) out.space_ = kSpaceMark;
  if (!spec.charsmap.empty()) {
    PLINTH_TRY(auto map, Charsmap::create(spec.charsmap));
    out.map_ = std::make_shared<const Charsmap>(std::move(map));
  }
  if (out.keeps_bytes_ && (out.map_ || spec.escape_spaces || spec.trim_spaces))
    return invalid("tokenizer: byte-level BPE with SentencePiece's normalisation");
  return out;
}

void Normalizer::add_prefix(bool first, std::string& text) const {
  const bool wanted =
      prefix_ == SpacePrefix::kUnlessThere || (prefix_ == SpacePrefix::kFirst && first);
  if (wanted && !text.empty() && !text.starts_with(space_)) text.insert(0, space_);
}

// One step through the text at a time: a verbatim string, an entry of the map, or a character.
std::string Normalizer::mapped(std::string_view text, bool prefix,
                               const SpecialMatcher* verbatim) const {
  const auto step = [&](size_t at) -> Charsmap::Match {
    const std::string_view rest = text.substr(at);
    if (verbatim != nullptr) {
      if (const auto hit = verbatim->at(text, at))
        return {rest.substr(0, hit->length), hit->length};
    }
    if (map_) {
      if (const auto hit = map_->find(rest)) return *hit;
    }
    const Utf8Char c = utf8_at(rest, 0);
    const auto length = static_cast<size_t>(c.length);
    return {c.code < 0 ? kReplacementCharacter : rest.substr(0, length), length};
  };
  size_t at = 0;
  while (trim_spaces_ && at < text.size()) {
    const auto [piece, length] = step(at);
    if (piece != " ") break;
    at += length;
  }
  if (at == text.size()) return {};
  std::string out;
  out.reserve(text.size() + text.size() / 4 + 8);
  if (prefix && !prefix_at_end_) out += space_;
  bool after_space = trim_spaces_;
  while (at < text.size()) {
    auto [piece, length] = step(at);
    at += length;
    while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
    for (const char c : piece) {
      if (c == ' ')
        out += space_;
      else
        out += c;
    }
    if (!piece.empty()) after_space = trim_spaces_ && piece.ends_with(' ');
  }
  while (trim_spaces_ && out.ends_with(space_)) out.resize(out.size() - space_.size());
  if (prefix && prefix_at_end_) out += space_;
  return out;
}

std::string Normalizer::apply(std::string_view text, bool first,
                              const SpecialMatcher* verbatim) const {
  std::string out;
  if (nfc_) {
    out = to_nfc(text);
    text = out;
  }
  if (!keeps_bytes_)
    out = mapped(text, prefix_ == SpacePrefix::kAlways, verbatim);
  else if (!nfc_)
    out = text;
  if (keeps_bytes_ && prefix_ == SpacePrefix::kAlways && !out.empty()) out.insert(0, space_);
  add_prefix(first, out);
  return out;
}

}  // namespace plinth::text
