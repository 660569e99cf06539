// "x is name": https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-tests
#include <array>
#include <optional>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"

namespace plinth::text::jinja {

namespace {

std::optional<bool> kind_test(std::string_view name, const Value& value) {
  const Kind kind = value.kind;
  if (name == "defined") return kind != Kind::kUndefined;
  if (name == "undefined") return kind == Kind::kUndefined;
  if (name == "none") return kind == Kind::kNone;
  if (name == "string") return kind == Kind::kString;
  if (name == "mapping") return kind == Kind::kMap;
  if (name == "boolean") return kind == Kind::kBool;
  if (name == "integer") return kind == Kind::kInt;
  if (name == "float") return kind == Kind::kFloat;
  if (name == "number") return value.is_number();
  if (name == "true") return kind == Kind::kBool && value.truth;
  if (name == "false") return kind == Kind::kBool && !value.truth;
  if (name == "callable") return kind == Kind::kMacro || kind == Kind::kFunction;
  if (name == "iterable" || name == "sequence")
    return kind == Kind::kString || kind == Kind::kList || kind == Kind::kMap ||
           (kind == Kind::kUndefined && name == "iterable");
  return std::nullopt;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kComparisons = {{
    {"eq", "=="},
    {"equalto", "=="},
    {"==", "=="},
    {"ne", "!="},
    {"!=", "!="},
    {"gt", ">"},
    {"greaterthan", ">"},
    {">", ">"},
    {"ge", ">="},
    {">=", ">="},
    {"lt", "<"},
    {"lessthan", "<"},
    {"<", "<"},
    {"le", "<="},
    {"<=", "<="},
}};

Result<bool> compare(Heap& heap, std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(heap, a, b);
  if (op == "<") return less(heap, a, b);
  if (op == ">") return less(heap, b, a);
  PLINTH_TRY(const bool opposite, op == "!="   ? equal(heap, a, b)
                                  : op == ">=" ? less(heap, a, b)
                                               : less(heap, b, a));
  return !opposite;
}

}  // namespace

Result<bool> apply_test(Heap& heap, std::string_view name, const Value& value,
                        const Arguments& arguments) {
  if (const auto kind = kind_test(name, value)) return *kind;
  const Value* argument = arguments.find(0, "other");
  const auto needs = [&](bool fine) -> Status {
    if (!fine) return invalid("test '{}' does not fit {}", name, kind_name(value));
    return {};
  };
  if (name == "odd" || name == "even") {
    PLINTH_TRY(needs(value.is(Kind::kInt)));
    return (value.integer % 2 != 0) == (name == "odd");
  }
  if (name == "lower" || name == "upper") {
    PLINTH_TRY(needs(value.is(Kind::kString)));
    PLINTH_TRY(heap.charge(value.string->size() * 8));
    return *value.string == (name == "lower" ? lower(*value.string) : upper(*value.string));
  }
  if (name == "divisibleby") {
    PLINTH_TRY(needs(value.is(Kind::kInt) && argument != nullptr && argument->is(Kind::kInt) &&
                     argument->integer != 0));
    return argument->integer == -1 || value.integer % argument->integer == 0;
  }
  if (name == "in") {
    PLINTH_TRY(needs(argument != nullptr));
    return contains(heap, *argument, value);
  }
  if (name == "sameas") {
    PLINTH_TRY(needs(argument != nullptr));
    if (value.kind != argument->kind) return false;
    return equal(heap, value, *argument);
  }
  for (const auto& [test, op] : kComparisons) {
    if (name != test) continue;
    PLINTH_TRY(needs(argument != nullptr));
    return compare(heap, op, value, *argument);
  }
  return make_error(Code::kUnimplemented, "no test is called '{}'", name);
}

}  // namespace plinth::text::jinja
