#include "grammar/calls.h"

#include "grammar/schema.h"

namespace plinth::grammar {
namespace {

constexpr uint32_t kAsciiMax = 0x7F;

ExprId none_of(Expressions& grammar, char a, char b) {
  std::vector<Range> ranges;
  for (const char c : {a, b}) ranges.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c)});
  return grammar.one_of(other_ranges(normal_ranges(std::move(ranges))));
}

// Any text without `word`, whose first character is nowhere else in it. Where that character comes,
// it either begins a part of the word that goes on differently, or a part that is cut short by the
// same character or by the end.
ExprId text_without(Expressions& grammar, const std::string& word) {
  const char first = word[0];
  const auto letter = [&](size_t i) { return grammar.text(std::string(1, word[i])); };
  ExprId broken = -1;  // what may follow word[0, k) and is no more of the word
  ExprId cut = -1;     // what may follow word[0] up to a part of the word
  for (size_t k = word.size() - 1; k >= 1; --k) {
    const ExprId differs = none_of(grammar, word[k], first);
    broken =
        broken < 0 ? differs : grammar.choice({differs, grammar.sequence({letter(k), broken})});
    if (k + 1 == word.size()) continue;
    cut = grammar.optional(cut < 0 ? letter(k) : grammar.sequence({letter(k), cut}));
  }
  const ExprId part = cut < 0 ? letter(0) : grammar.sequence({letter(0), cut});
  const ExprId parts = grammar.repeat(part, 0, kUnbounded);
  const ExprId plain = none_of(grammar, first, first);
  const ExprId elsewhere =
      broken < 0 ? plain : grammar.choice({plain, grammar.sequence({parts, letter(0), broken})});
  return grammar.sequence({grammar.repeat(elsewhere, 0, kUnbounded), parts});
}

}  // namespace

Result<RuleId> compile_calls(const CallSpec& spec, Expressions& grammar) {
  if (spec.functions.empty()) return invalid("calls: there is no function to call");
  std::vector<ExprId> functions;
  for (size_t i = 0; i < spec.functions.size(); ++i) {
    const CallSpec::Function& function = spec.functions[i];
    auto arguments = compile_schema(function.schema, grammar);
    if (!arguments)
      return Error{arguments.error().code,
                   fmt::format("function {}: {}", i, arguments.error().message)};
    functions.push_back(grammar.sequence(
        {grammar.text(function.before), grammar.rule(*arguments), grammar.text(function.after)}));
  }
  const ExprId call = grammar.rule(grammar.add_rule("call", grammar.choice(std::move(functions))));
  const ExprId more =
      grammar.repeat(grammar.sequence({grammar.text(spec.between), call}), 0, spec.calls_max - 1);
  const ExprId calls = grammar.sequence({call, more, grammar.text(spec.after)});
  if (spec.trigger.empty()) return grammar.add_rule("root", calls);

  for (const char c : spec.trigger)
    if (static_cast<uint8_t>(c) > kAsciiMax)
      return invalid("calls: the trigger {} is not ASCII", spec.trigger);
  if (spec.trigger.find(spec.trigger[0], 1) != std::string::npos)
    return invalid("calls: the trigger {} has its first character twice", spec.trigger);
  const ExprId triggered =
      grammar.sequence({grammar.text(spec.trigger + spec.after_trigger), calls});
  if (spec.text_schema.empty())
    return grammar.add_rule("root", grammar.sequence({text_without(grammar, spec.trigger),
                                                      grammar.optional(triggered)}));
  PLINTH_TRY(const RuleId text, compile_schema(spec.text_schema, grammar));
  return grammar.add_rule("root", grammar.choice({grammar.rule(text), triggered}));
}

}  // namespace plinth::grammar
