#include "text/named_splits.h"

#include <algorithm>
#include <array>

#include "text/pre_tokenizer.h"

namespace plinth::text {
namespace {

constexpr std::string_view kHan = R"([一-龥ࠀ-一가-퟿]+)";
constexpr std::string_view kHanKana = R"([一-龥぀-ゟ゠-ヿ]+)";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Latin, Greek, Cyrillic, Armenian and Georgian letters, as DeepSeek LLM's tokenizer.json lists
// them.
constexpr std::string_view kDeepSeekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuation = R"([\p{P}\$\+<=>\^~\|`]+)";

struct Row {
  std::string_view names;  // separated by spaces; the first is the one that is written
  std::vector<std::string_view> regexes;
  bool ignore_merges = false;
  bool add_bos = false;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = [] {
    const auto gpt2 = pre_tokenizer_regex(PreTokenizer::kGpt2);
    const auto qwen2 = pre_tokenizer_regex(PreTokenizer::kQwen2);
    const auto llama = pre_tokenizer_regex(PreTokenizer::kLlamaBpe);
    const auto digit = pre_tokenizer_regex(PreTokenizer::kDigit);
    return std::vector<Row>{
        {"gpt-2 phi-2 jina-es jina-de mpt olmo jais trillion granite-docling", {gpt2}},
        {"qwen2 stablelm2 hunyuan deepseek-r1-qwen megrez kormo", {qwen2}},
        {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral", {llama}, true, true},
        {"smaug-bpe dbrx", {llama}},
        {"smollm starcoder refact command-r codeshell exaone minerva-7b", {digit, gpt2}},
        {"tekken", {kTekken}, true, true},
        {"qwen35", {kQwen35}},
        {"deepseek-llm",
         {R"([\r\n])", kDeepSeekLetters, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", kHan,
          R"(\p{N}+)"},
         false,
         true},
        {"deepseek-coder",
         {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kHan, R"(\p{N})"},
         false,
         true},
        {"deepseek-v3 hunyuan-dense joyai-llm", {R"(\p{N}{1,3})", kHanKana, kDeepSeek3}},
        {"falcon", {kPunctuation, gpt2, "[0-9][0-9][0-9]"}},
        {"default", {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
        {"none", {}},
    };
  }();
  return table;
}

bool has_name(std::string_view names, std::string_view name) {
  for (size_t at = 0; at < names.size();) {
    const size_t end = std::min(names.find(' ', at), names.size());
    if (names.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

std::optional<NamedSplits> splits_named(std::string_view name) {
  for (const Row& row : rows()) {
    if (!has_name(row.names, name)) continue;
    return NamedSplits{{row.regexes.begin(), row.regexes.end()}, row.ignore_merges, row.add_bos};
  }
  return std::nullopt;
}

std::optional<std::string> name_of_splits(std::span<const std::string> regexes,
                                          bool ignore_merges) {
  for (const Row& row : rows()) {
    if (row.ignore_merges == ignore_merges &&
        std::equal(row.regexes.begin(), row.regexes.end(), regexes.begin(), regexes.end()))
      return std::string(row.names.substr(0, row.names.find(' ')));
  }
  return std::nullopt;
}

std::string split_names() {
  std::string all;
  for (const Row& row : rows()) all.append(all.empty() ? "" : " ").append(row.names);
  return all;
}

}  // namespace plinth::text
