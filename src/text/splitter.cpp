#include "text/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "text/named_splits.h"
#include "text/unicode.h"

namespace plinth::text {

namespace {

// Steps of one match attempt; a published expression takes a handful per character.
constexpr uint32_t kMatchSteps = 1'000'000;
constexpr size_t kRegexBytesMax = 4096;
constexpr size_t kStagesMax = 16;

// tokenizer.json is written for Oniguruma, whose \s is Unicode's White_Space; PCRE2's has U+180E
// besides.
std::string for_pcre2(std::string_view regex) {
  std::string out;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char next = i + 1 < regex.size() ? regex[i + 1] : '\0';
    if (regex[i] != '\\' || next == '\0') {
      out += regex[i];
      continue;
    }
    if (next == 's')
      out += R"(\p{White_Space})";
    else if (next == 'S')
      out += R"(\P{White_Space})";
    else
      out.append(regex, i, 2);
    ++i;
  }
  return out;
}

}  // namespace

// A PCRE2 program. Immutable; any thread, each with its own match data.
class CompiledRegex {
 public:
  static Result<std::shared_ptr<const CompiledRegex>> create(const std::string& regex) {
    if (regex.size() > kRegexBytesMax)
      return invalid("tokenizer: a split's expression of {} bytes is longer than {}", regex.size(),
                     kRegexBytesMax);
    // A class intersection means something else to PCRE2.
    if (regex.find("&&") != regex.npos)
      return make_error(Code::kUnimplemented, "tokenizer: && in the split '{}' is not supported",
                        regex);
    const std::string pattern = for_pcre2(regex);
    int code = 0;
    size_t at = 0;
    auto self = std::shared_ptr<CompiledRegex>(new CompiledRegex);
    self->program_ = pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
    if (self->program_ == nullptr) {
      unsigned char message[128];
      pcre2_get_error_message(code, message, sizeof message);
      return invalid("tokenizer: the split '{}' is not a regular expression: {} at {}", regex,
                     reinterpret_cast<const char*>(message), at);
    }
    // Without a compiler for this processor the interpreter runs.
    (void)pcre2_jit_compile(self->program_, PCRE2_JIT_COMPLETE);
    self->limits_ = pcre2_match_context_create(nullptr);
    pcre2_set_match_limit(self->limits_, kMatchSteps);
    pcre2_set_depth_limit(self->limits_, 1000);
    pcre2_set_heap_limit(self->limits_, 16 * 1024);  // KiB
    return std::shared_ptr<const CompiledRegex>(std::move(self));
  }

  ~CompiledRegex() {
    pcre2_code_free(program_);
    pcre2_match_context_free(limits_);
  }

  CompiledRegex(const CompiledRegex&) = delete;
  CompiledRegex& operator=(const CompiledRegex&) = delete;

  pcre2_match_data* new_match() const {
    return pcre2_match_data_create_from_pattern(program_, nullptr);
  }

  struct Span {
    size_t begin;
    size_t end;
  };

  // The first match that is not empty in well-formed UTF-8; past the end when there is none, and
  // when the search takes too many steps.
  Span find(std::string_view text, size_t from, pcre2_match_data* match) const {
    const int found = pcre2_match(program_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                  from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match, limits_);
    if (found < 0) return {text.size(), text.size()};
    const size_t* at = pcre2_get_ovector_pointer(match);
    // \K and look-behind can turn a match around; such an expression splits nothing.
    if (at[0] < from || at[1] <= at[0]) return {text.size(), text.size()};
    return {at[0], at[1]};
  }

 private:
  CompiledRegex() = default;

  pcre2_code* program_ = nullptr;
  pcre2_match_context* limits_ = nullptr;
};

// Where one stage stands: the piece of the stage before that it splits, and what its expression
// has found there.
struct Splitter::Walk::Level {
  size_t end = 0;            // of this stage's current piece
  size_t stretch_begin = 0;  // well-formed UTF-8 from here
  size_t stretch_end = 0;    // up to here
  size_t match_begin = 0;
  size_t match_end = 0;
  pcre2_match_data* match = nullptr;
};

Result<Splitter> Splitter::create(const TokenizerSpec& spec) {
  std::vector<std::string> regexes = spec.splits;
  if (!spec.pre.empty()) {
    auto named = splits_named(spec.pre);
    if (!named)
      return make_error(Code::kUnimplemented, "tokenizer: pre-tokenizer '{}' is not one of {}",
                        spec.pre, split_names());
    regexes = std::move(named->regexes);
  }
  if (regexes.size() > kStagesMax)
    return invalid("tokenizer: {} splits are more than {}", regexes.size(), kStagesMax);
  Splitter splitter;
  for (const std::string& regex : regexes) {
    Stage stage;
    if (const auto walked = pre_tokenizer_of_regex(regex)) {
      stage.walked = *walked;
    } else {
      PLINTH_TRY(stage.regex, CompiledRegex::create(regex));
    }
    splitter.stages_.push_back(std::move(stage));
  }
  return splitter;
}

Splitter::Walk::Walk(const Splitter& splitter, std::string_view text)
    : splitter_(splitter), text_(text), levels_(splitter.stages_.size()) {
  for (size_t i = 0; i < levels_.size(); ++i)
    if (splitter.stages_[i].regex) levels_[i].match = splitter.stages_[i].regex->new_match();
}

Splitter::Walk::~Walk() {
  for (const Level& level : levels_) pcre2_match_data_free(level.match);
}

std::string_view Splitter::Walk::next(size_t bytes_max) {
  const size_t begin = at_;
  size_t end = text_.size();
  for (size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].end <= begin) {
      // The stages below begin anew, with another piece to split.
      levels_[i].end = end_at(i, begin, end);
      for (size_t below = i + 1; below < levels_.size(); ++below)
        levels_[below].end = levels_[below].match_end = levels_[below].stretch_end = begin;
    }
    end = levels_[i].end;
  }
  at_ = std::min(end, begin + bytes_max);
  return text_.substr(begin, at_ - begin);
}

// Where the piece ends that begins at `begin` in a piece of the stage before that ends at `end`.
size_t Splitter::Walk::end_at(size_t stage, size_t begin, size_t end) {
  const Stage& how = splitter_.stages_[stage];
  if (!how.regex) return piece_end(how.walked, text_.substr(0, end), begin);
  Level& level = levels_[stage];
  if (begin >= level.stretch_end) {
    // Broken bytes are pieces of their own: the expression sees well-formed text only.
    size_t at = begin;
    while (at < end && utf8_at(text_.substr(0, end), at).code < 0) ++at;
    if (at > begin) return level.stretch_end = level.match_end = at;
    while (at < end) {
      const Utf8Char c = utf8_at(text_.substr(0, end), at);
      if (c.code < 0) break;
      at += static_cast<size_t>(c.length);
    }
    level.stretch_begin = begin;
    level.stretch_end = at;
    level.match_begin = level.match_end = begin;
  }
  if (begin >= level.match_end) {
    const std::string_view stretch =
        text_.substr(level.stretch_begin, level.stretch_end - level.stretch_begin);
    const auto found = how.regex->find(stretch, begin - level.stretch_begin, level.match);
    level.match_begin = level.stretch_begin + found.begin;
    level.match_end = level.stretch_begin + found.end;
  }
  // A kPieceBytesMax cut may leave `begin` inside a match: the rest of it is the next piece.
  return begin < level.match_begin ? level.match_begin : level.match_end;
}

}  // namespace plinth::text
