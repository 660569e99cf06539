// Splits text into the pieces that BPE merges never cross: one or more regular expressions, each
// applied to the pieces of the one before. What a regular expression does not match is a piece too.
//
// The expressions that most models use are walked by hand (pre_tokenizer.h); any other is compiled
// by PCRE2 with a limit on backtracking, so a hostile expression costs bounded time.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace plinth::text {

class CompiledRegex;

class Splitter {
 public:
  // By the spec's `pre` or `splits`. An unknown name is kUnimplemented, a bad expression
  // kInvalidArgument.
  static Result<Splitter> create(const TokenizerSpec& spec);

  // One text, piece by piece. The text and the splitter outlive the walk.
  class Walk {
   public:
    Walk(const Splitter& splitter, std::string_view text);
    ~Walk();
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

    bool done() const { return at_ == text_.size(); }

    // The next piece, never empty, cut at `bytes_max`. Only when not done().
    std::string_view next(size_t bytes_max);

   private:
    struct Level;

    size_t end_at(size_t stage, size_t begin, size_t end);

    const Splitter& splitter_;
    std::string_view text_;
    size_t at_ = 0;
    std::vector<Level> levels_;
  };

 private:
  // A stage is walked by hand, or by `regex`.
  struct Stage {
    PreTokenizer walked = PreTokenizer::kGpt2;
    std::shared_ptr<const CompiledRegex> regex;  // shared by copies of the splitter; immutable
  };

  std::vector<Stage> stages_;
};

}  // namespace plinth::text
