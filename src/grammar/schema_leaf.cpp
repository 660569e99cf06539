#include "grammar/schema_leaf.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "grammar/gbnf.h"

namespace plinth::grammar {
namespace {

// Longer strings are not written: each character is a place of its own in the automaton.
constexpr int64_t kStringMax = 8192;

// So many decimal digits are exact in a double.
constexpr int kDigits = 15;
constexpr int64_t kWholeMax = 999'999'999'999'999;

// Source: RFC 3339, section 5.6, and RFC 9562. Days are those that the month has.
constexpr std::string_view kFormats = R"gbnf(
date      ::= year "-" ( ("01"|"03"|"05"|"07"|"08"|"10"|"12") "-" ("0" [1-9] | [12] [0-9] | "3" [01])
                       | ("04"|"06"|"09"|"11") "-" ("0" [1-9] | [12] [0-9] | "30")
                       | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8]) )
            | leap-year "-02-29"
year      ::= [0-9]{4}
leap-year ::= [0-9] [0-9] ("0" [48] | [2468] [048] | [13579] [26])
            | ("0" [048] | [2468] [048] | [13579] [26]) "00"
time      ::= hour ":" sixty ":" sixty ("." [0-9]{1,6})? ("Z" | [-+] hour ":" sixty)
hour      ::= [01] [0-9] | "2" [0-3]
sixty     ::= [0-5] [0-9]
date-time ::= date "T" time
uuid      ::= hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}
hex       ::= [0-9a-fA-F]
)gbnf";

ExprId quoted(Expressions& grammar, ExprId content) {
  const ExprId quote = grammar.text("\"");
  return grammar.sequence({quote, content, quote});
}

// --- numbers ------------------------------------------------------------------------------------

ExprId digits(Expressions& grammar, char first, char last) {
  return grammar.one_of({{static_cast<uint32_t>(first), static_cast<uint32_t>(last)}});
}

ExprId any_digits(Expressions& grammar, size_t n) {
  const auto count = static_cast<int64_t>(n);
  return grammar.repeat(digits(grammar, '0', '9'), count, count);
}

// As many digits as `bound` has, and not less (or not more) than it.
ExprId digits_beyond(Expressions& grammar, std::string_view bound, bool up) {
  if (bound.empty()) return grammar.text("");
  std::vector<ExprId> choices{grammar.sequence(
      {grammar.text(std::string(1, bound[0])), digits_beyond(grammar, bound.substr(1), up)})};
  const ExprId rest = any_digits(grammar, bound.size() - 1);
  if (up && bound[0] < '9')
    choices.push_back(
        grammar.sequence({digits(grammar, static_cast<char>(bound[0] + 1), '9'), rest}));
  if (!up && bound[0] > '0')
    choices.push_back(
        grammar.sequence({digits(grammar, '0', static_cast<char>(bound[0] - 1)), rest}));
  return grammar.choice(std::move(choices));
}

// low and high have the same number of digits.
ExprId digits_between(Expressions& grammar, std::string_view low, std::string_view high) {
  if (low.empty()) return grammar.text("");
  const ExprId first = grammar.text(std::string(1, low[0]));
  if (low[0] == high[0])
    return grammar.sequence({first, digits_between(grammar, low.substr(1), high.substr(1))});
  std::vector<ExprId> choices{
      grammar.sequence({first, digits_beyond(grammar, low.substr(1), true)}),
      grammar.sequence(
          {grammar.text(std::string(1, high[0])), digits_beyond(grammar, high.substr(1), false)})};
  if (low[0] + 1 < high[0])
    choices.push_back(grammar.sequence(
        {digits(grammar, static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)),
         any_digits(grammar, low.size() - 1)}));
  return grammar.choice(std::move(choices));
}

// Whole numbers 0 <= low <= x <= high; none when low > high.
ExprId whole_between(Expressions& grammar, int64_t low, int64_t high) {
  std::vector<ExprId> choices;
  int whole_from = 0;  // of the lengths all of whose numbers are in, the shortest
  int whole_to = 0;
  int64_t power = 1;  // the smallest number with as many digits
  for (int n = 1; n <= kDigits; ++n, power *= 10) {
    const int64_t from = std::max(low, n == 1 ? 0 : power);
    const int64_t to = std::min(high, power * 10 - 1);
    if (n > 1 && from == power && to == power * 10 - 1) {
      if (whole_from == 0) whole_from = n;
      whole_to = n;
    } else if (from <= to) {
      choices.push_back(digits_between(grammar, std::to_string(from), std::to_string(to)));
    }
  }
  if (whole_from > 0)
    choices.push_back(grammar.sequence(
        {digits(grammar, '1', '9'),
         grammar.repeat(digits(grammar, '0', '9'), whole_from - 1, whole_to - 1)}));
  return grammar.choice(std::move(choices));
}

struct Bounds {
  int64_t low = -kWholeMax;
  int64_t high = kWholeMax;
  bool above_low = false;  // x > low, not only >=
  bool below_high = false;
};

ExprId whole_in(Expressions& grammar, const Bounds& bounds) {
  const int64_t low = bounds.low + (bounds.above_low ? 1 : 0);
  const int64_t high = bounds.high - (bounds.below_high ? 1 : 0);
  std::vector<ExprId> choices{whole_between(grammar, std::max<int64_t>(low, 0), high)};
  if (low < 0)
    choices.push_back(grammar.sequence(
        {grammar.text("-"), whole_between(grammar, std::max<int64_t>(1, -high), -low)}));
  return grammar.choice(std::move(choices));
}

// Numbers x >= 0 with a fraction; as many digits as a double keeps apart from the bounds.
ExprId magnitude_in(Expressions& grammar, const Bounds& bounds) {
  const int64_t nearest = bounds.high < kWholeMax ? bounds.high : bounds.low;
  const int fraction_max = kDigits - static_cast<int>(std::to_string(nearest).size());
  const auto behind_point = [&](ExprId some) {
    return fraction_max < 1 ? grammar.choice({}) : grammar.sequence({grammar.text("."), some});
  };
  const ExprId any = behind_point(grammar.repeat(digits(grammar, '0', '9'), 1, fraction_max));
  const ExprId zeros = behind_point(grammar.repeat(grammar.text("0"), 1, fraction_max));
  std::vector<ExprId> not_zero;  // the first digit that is none, at each place
  for (int place = 0; place < fraction_max; ++place)
    not_zero.push_back(grammar.sequence(
        {grammar.text(std::string(static_cast<size_t>(place), '0')), digits(grammar, '1', '9'),
         grammar.repeat(digits(grammar, '0', '9'), 0, fraction_max - place - 1)}));

  std::vector<ExprId> choices;
  const ExprId low = grammar.text(std::to_string(bounds.low));
  if (bounds.low < bounds.high)
    choices.push_back(bounds.above_low
                          ? grammar.sequence({low, behind_point(grammar.choice(not_zero))})
                          : grammar.sequence({low, grammar.optional(any)}));
  if (bounds.low + 1 < bounds.high)
    choices.push_back(grammar.sequence(
        {whole_between(grammar, bounds.low + 1, bounds.high - 1), grammar.optional(any)}));
  if (bounds.low <= bounds.high && !bounds.below_high &&
      (bounds.low < bounds.high || !bounds.above_low))
    choices.push_back(
        grammar.sequence({grammar.text(std::to_string(bounds.high)), grammar.optional(zeros)}));
  return grammar.choice(std::move(choices));
}

ExprId number_in(Expressions& grammar, const Bounds& bounds) {
  std::vector<ExprId> choices;
  if (bounds.high >= 0) {
    Bounds part = bounds;
    if (bounds.low < 0) part.low = 0, part.above_low = false;
    choices.push_back(magnitude_in(grammar, part));
  }
  if (bounds.low < 0) {
    Bounds part{.low = -bounds.high,
                .high = -bounds.low,
                .above_low = bounds.below_high,
                .below_high = bounds.above_low};
    if (bounds.high > 0) part.low = 0, part.above_low = false;
    choices.push_back(grammar.sequence({grammar.text("-"), magnitude_in(grammar, part)}));
  }
  return grammar.choice(std::move(choices));
}

// A bound as a whole number. Integers may have bounds with a fraction: the next whole number
// counts.
Result<std::optional<double>> bound_of(const OrderedJson& schema, const char* keyword, bool whole,
                                       const std::string& at) {
  const auto it = schema.find(keyword);
  if (it == schema.end()) return std::optional<double>();
  if (!it->is_number()) return schema_error(at, "{}: a number is needed", keyword);
  const auto value = it->get<double>();
  if (!whole && value != std::floor(value))
    return schema_error(at, "{} {} is not supported: of numbers only whole bounds are", keyword,
                        value);
  return std::optional<double>(value);
}

int64_t clamp(double value) {
  return static_cast<int64_t>(
      std::clamp(value, -static_cast<double>(kWholeMax), static_cast<double>(kWholeMax)));
}

}  // namespace

Result<int64_t> count_of(const OrderedJson& schema, const char* keyword, int64_t fallback,
                         const std::string& at) {
  const auto it = schema.find(keyword);
  if (it == schema.end()) return fallback;
  const double value = it->is_number() ? it->get<double>() : -1;
  if (value < 0 || value != std::floor(value))
    return schema_error(at, "{}: a whole number of at least 0 is needed", keyword);
  return static_cast<int64_t>(std::min(value, 1e15));
}

ExprId json_character(Expressions& grammar, const std::vector<Range>& ranges) {
  static const std::vector<Range> kEscaped{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  std::vector<ExprId> choices;
  std::vector<Range> plain;
  for (const Range& range : ranges) {
    uint32_t next = range.first;
    for (const Range& escaped : kEscaped) {
      const uint32_t from = std::max(next, escaped.first);
      const uint32_t to = std::min(range.last, escaped.last);
      if (from > to) continue;
      if (next < from) plain.push_back({next, from - 1});
      for (uint32_t c = from; c <= to; ++c)
        choices.push_back(grammar.text([&] {
          const std::string text = OrderedJson(std::string(1, static_cast<char>(c))).dump();
          return text.substr(1, text.size() - 2);
        }()));
      next = to + 1;
    }
    if (next <= range.last) plain.push_back({next, range.last});
  }
  if (!plain.empty()) choices.push_back(grammar.one_of(std::move(plain)));
  return grammar.choice(std::move(choices));
}

Result<ExprId> string_schema(Expressions& grammar, const OrderedJson& schema, RuleId free_string,
                             const std::string& at) {
  const bool bounded = schema.contains("minLength") || schema.contains("maxLength");
  const auto pattern = schema.find("pattern");
  const auto format = schema.find("format");
  if ((bounded ? 1 : 0) + (pattern != schema.end() ? 1 : 0) + (format != schema.end() ? 1 : 0) > 1)
    return schema_error(at, "of length, pattern and format only one is supported in a schema");
  if (pattern != schema.end()) {
    if (!pattern->is_string()) return schema_error(at, "pattern: a text is needed");
    PLINTH_TRY(const ExprId content,
               pattern_content(grammar, pattern->get_ref<const std::string&>(), at));
    return quoted(grammar, content);
  }
  if (format != schema.end()) {
    const std::string name = format->is_string() ? format->get<std::string>() : format->dump();
    if (name != "date" && name != "time" && name != "date-time" && name != "uuid")
      return schema_error(at, "format {} is not supported: date, time, date-time, uuid are", name);
    PLINTH_TRY(const RuleId rule, parse_gbnf(kFormats, name, grammar));
    return quoted(grammar, grammar.rule(rule));
  }
  if (!bounded) return grammar.rule(free_string);
  PLINTH_TRY(const int64_t min, count_of(schema, "minLength", 0, at));
  PLINTH_TRY(const int64_t max, count_of(schema, "maxLength", kUnbounded, at));
  if (min > kStringMax) return schema_error(at, "minLength {}, the limit is {}", min, kStringMax);
  if (max != kUnbounded && max < min)
    return schema_error(at, "minLength {} is larger than maxLength {}", min, max);
  static constexpr std::string_view kCharacter = R"gbnf(
    character ::= [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" unit)
    unit      ::= [0-9A-CE-Fa-ce-f] hex{3} | [Dd] [0-7] hex{2} | [Dd] [89ABab] hex{2} "\\u" [Dd] [C-Fc-f] hex{2}
    hex       ::= [0-9A-Fa-f]
  )gbnf";
  PLINTH_TRY(const RuleId character, parse_gbnf(kCharacter, "character", grammar));
  const ExprId body = grammar.rules()[static_cast<size_t>(character)].body;
  return quoted(
      grammar,
      grammar.repeat(body, min, max == kUnbounded ? kUnbounded : std::min(max, kStringMax)));
}

Result<ExprId> number_schema(Expressions& grammar, const OrderedJson& schema, bool whole,
                             RuleId free_number, const std::string& at) {
  PLINTH_TRY(const auto low, bound_of(schema, "minimum", whole, at));
  PLINTH_TRY(const auto high, bound_of(schema, "maximum", whole, at));
  PLINTH_TRY(const auto above, bound_of(schema, "exclusiveMinimum", whole, at));
  PLINTH_TRY(const auto below, bound_of(schema, "exclusiveMaximum", whole, at));
  if (!low && !high && !above && !below) return grammar.rule(free_number);
  Bounds bounds;
  if (low) bounds.low = clamp(std::ceil(*low));
  if (high) bounds.high = clamp(std::floor(*high));
  // x > 2.5 is x > 2 for whole numbers.
  if (above && std::floor(*above) >= static_cast<double>(bounds.low))
    bounds.low = clamp(std::floor(*above)), bounds.above_low = true;
  if (below && std::ceil(*below) <= static_cast<double>(bounds.high))
    bounds.high = clamp(std::ceil(*below)), bounds.below_high = true;
  const bool open = bounds.above_low || bounds.below_high;
  const int64_t gap = whole  ? (bounds.above_low ? 1 : 0) + (bounds.below_high ? 1 : 0)
                      : open ? 1
                             : 0;
  if (bounds.high - bounds.low < gap)
    return schema_error(at, "no {} lies between the bounds", whole ? "whole number" : "number");
  return whole ? whole_in(grammar, bounds) : number_in(grammar, bounds);
}

}  // namespace plinth::grammar
