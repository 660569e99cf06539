#include "text/jinja/eval.h"

#include <array>
#include <cmath>
#include <ctime>

#include "text/jinja/level.h"

namespace plinth::text::jinja {

namespace {

// Of expressions, blocks and macro calls together: bounds the stack.
constexpr int kDepthMax = 250;
constexpr size_t kNodeCost = 32;

enum class Flow { kOn, kBreak, kContinue };

// The globals that are functions. Values point at these names.
const std::array<std::string, 5> kFunctions = {"raise_exception", "strftime_now", "range",
                                               "namespace", "dict"};

class Evaluator {
 public:
  Evaluator(const Program& program, Map globals, Heap& heap, const Clock& clock,
            const Limits& limits)
      : program_(program), heap_(heap), clock_(clock), limits_(limits) {
    frames_.push_back(std::move(globals));
    for (const std::string& name : kFunctions) {
      Value function;
      function.kind = Kind::kFunction;
      function.function = &name;
      if (frames_[0].find(name) == nullptr) frames_[0].set(name, function);
    }
  }

  Result<std::string> run() {
    PLINTH_TRY(execute(program_.root));
    return std::move(output_);
  }

 private:
  // The innermost statement or expression that failed names the line; those around it pass it on.
  Error at_line(int line, Error error) {
    if (!located_) error.message = fmt::format("chat template line {}: {}", line, error.message);
    located_ = true;
    return error;
  }

  Status enter(int line) {
    if (depth_ > kDepthMax)
      return at_line(line, invalid("nested more than {} levels deep", kDepthMax));
    if (Status paid = heap_.charge(kNodeCost); !paid) return at_line(line, std::move(paid).error());
    return {};
  }

  Status write(std::string_view text) {
    if (text.size() > limits_.output_bytes - output_.size())
      return exhausted("the output exceeds {} bytes", limits_.output_bytes);
    output_ += text;
    return {};
  }

  // ---- names ------------------------------------------------------------------------------------

  const Value* find(std::string_view name) const {
    for (size_t i = frames_.size(); i-- > scope_;)
      if (const Value* value = frames_[i].find(name)) return value;
    return scope_ > 0 ? frames_[0].find(name) : nullptr;
  }

  void assign(std::string_view name, Value value) { frames_.back().set(name, value); }

  Status assign_targets(const std::vector<std::string>& names, const Value& value) {
    if (names.size() == 1) {
      assign(names[0], value);
      return {};
    }
    PLINTH_TRY(const List parts, iterate(heap_, value));
    if (parts.size() != names.size())
      return invalid("cannot unpack {} values into {} names", parts.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) assign(names[i], parts[i]);
    return {};
  }

  // ---- statements -------------------------------------------------------------------------------

  Result<Flow> execute(const Block& block) {
    const Level level(depth_);
    for (const StmtId id : block) {
      const Stmt& stmt = program_.stmts[static_cast<size_t>(id)];
      PLINTH_TRY(enter(stmt.line));
      auto flow = execute(stmt);
      if (!flow) return at_line(stmt.line, std::move(flow).error());
      if (*flow != Flow::kOn) return *flow;
    }
    return Flow::kOn;
  }

  Result<Flow> execute(const Stmt& stmt) {
    switch (stmt.kind) {
      case StmtKind::kText:
        PLINTH_TRY(write(stmt.text));
        return Flow::kOn;
      case StmtKind::kOutput: {
        PLINTH_TRY(const Value value, evaluate(stmt.expr));
        if (value.is(Kind::kString)) {
          PLINTH_TRY(write(*value.string));
        } else {
          PLINTH_TRY(const std::string text, to_text(heap_, value));
          PLINTH_TRY(write(text));
        }
        return Flow::kOn;
      }
      case StmtKind::kIf:
        for (const Branch& branch : stmt.branches) {
          PLINTH_TRY(const Value condition, evaluate(branch.condition));
          if (truthy(condition)) return execute(branch.body);
        }
        return execute(stmt.otherwise);
      case StmtKind::kFor:
        return for_loop(stmt);
      case StmtKind::kSet: {
        PLINTH_TRY(const Value value, evaluate(stmt.expr));
        if (stmt.attribute.empty()) {
          PLINTH_TRY(assign_targets(stmt.names, value));
          return Flow::kOn;
        }
        const Value* object = find(stmt.names[0]);
        if (object == nullptr || !object->is(Kind::kMap) || !object->map->is_namespace)
          return invalid("'{}' is not a namespace: its attribute cannot be set", stmt.names[0]);
        PLINTH_TRY(heap_.charge(object->map->items.size() + stmt.attribute.size()));
        object->map->set(stmt.attribute, value);
        return Flow::kOn;
      }
      case StmtKind::kSetBlock:
      case StmtKind::kFilterBlock: {
        PLINTH_TRY(Value text, captured(stmt.body));
        if (stmt.expr != kAbsent) {
          filtered_.push_back(text);
          auto result = evaluate(stmt.expr);
          filtered_.pop_back();
          PLINTH_TRY(text, std::move(result));
        }
        if (stmt.kind == StmtKind::kSetBlock) {
          assign(stmt.names[0], text);
          return Flow::kOn;
        }
        PLINTH_TRY(const std::string shown, to_text(heap_, text));
        PLINTH_TRY(write(shown));
        return Flow::kOn;
      }
      case StmtKind::kMacro: {
        Value macro;
        macro.kind = Kind::kMacro;
        macro.macro = &stmt;
        assign(stmt.text, macro);
        return Flow::kOn;
      }
      case StmtKind::kBreak:
        return Flow::kBreak;
      case StmtKind::kContinue:
        return Flow::kContinue;
      case StmtKind::kGroup:
        return execute(stmt.body);
    }
    return Flow::kOn;
  }

  // What the block writes, as a value.
  Result<Value> captured(const Block& block) {
    std::string outside = std::exchange(output_, {});
    auto flow = execute(block);
    std::string text = std::exchange(output_, std::move(outside));
    if (!flow) return std::move(flow).error();
    return heap_.string(std::move(text));
  }

  Result<Flow> for_loop(const Stmt& stmt) {
    PLINTH_TRY(const Value iterated, evaluate(stmt.expr));
    PLINTH_TRY(List items, iterate(heap_, iterated));
    if (stmt.condition != kAbsent) {
      PLINTH_TRY(items, selected(stmt, items));
    }
    if (items.empty()) return execute(stmt.otherwise);
    PLINTH_TRY(const Value loop, heap_.map({}));
    const size_t frame = frames_.size();
    for (size_t i = 0; i < items.size(); ++i) {
      frames_.emplace_back();
      describe_loop(*loop.map, items, i);
      assign("loop", loop);
      auto flow = iteration(stmt, items[i]);
      frames_.resize(frame);
      if (!flow) return std::move(flow).error();
      if (*flow == Flow::kBreak) break;
    }
    return Flow::kOn;
  }

  Result<Flow> iteration(const Stmt& stmt, const Value& item) {
    PLINTH_TRY(heap_.charge(kNodeCost));
    PLINTH_TRY(assign_targets(stmt.names, item));
    return execute(stmt.body);
  }

  // for ... in ... if: the items that pass, before any of them is visited.
  Result<List> selected(const Stmt& stmt, const List& items) {
    List kept;
    const size_t frame = frames_.size();
    for (const Value& item : items) {
      frames_.emplace_back();
      auto passed = test_item(stmt, item);
      frames_.resize(frame);
      PLINTH_TRY(const bool keep, std::move(passed));
      if (keep) kept.push_back(item);
    }
    return kept;
  }

  Result<bool> test_item(const Stmt& stmt, const Value& item) {
    PLINTH_TRY(assign_targets(stmt.names, item));
    PLINTH_TRY(const Value passed, evaluate(stmt.condition));
    return truthy(passed);
  }

  static void describe_loop(Map& loop, const List& items, size_t i) {
    const auto n = static_cast<int64_t>(items.size());
    const auto at = static_cast<int64_t>(i);
    loop.set("index0", Value::of(at));
    loop.set("index", Value::of(at + 1));
    loop.set("revindex0", Value::of(n - at - 1));
    loop.set("revindex", Value::of(n - at));
    loop.set("first", Value::of(at == 0));
    loop.set("last", Value::of(at + 1 == n));
    loop.set("length", Value::of(n));
    loop.set("previtem", at > 0 ? items[i - 1] : Value());
    loop.set("nextitem", at + 1 < n ? items[i + 1] : Value());
  }

  // ---- expressions ------------------------------------------------------------------------------

  Result<Value> evaluate(ExprId id) {
    const Level level(depth_);
    const Expr& expr = program_.exprs[static_cast<size_t>(id)];
    PLINTH_TRY(enter(expr.line));
    auto value = evaluate(expr);
    if (!value) return at_line(expr.line, std::move(value).error());
    return value;
  }

  Result<Value> evaluate(const Expr& expr) {
    const auto child = [&](size_t i) { return evaluate(expr.children[i]); };
    switch (expr.kind) {
      case ExprKind::kNone:
        return Value::none();
      case ExprKind::kCaptured:
        return filtered_.back();
      case ExprKind::kBool:
        return Value::of(expr.integer != 0);
      case ExprKind::kInt:
        return Value::of(expr.integer);
      case ExprKind::kFloat:
        return Value::of(expr.number);
      case ExprKind::kString:
        return constant(expr.text);
      case ExprKind::kName: {
        const Value* value = find(expr.text);
        return value != nullptr ? *value : Value::undefined(&expr.text);
      }
      case ExprKind::kList: {
        List items;
        for (size_t i = 0; i < expr.children.size(); ++i) {
          PLINTH_TRY(items.emplace_back(), child(i));
        }
        return heap_.list(std::move(items));
      }
      case ExprKind::kDict:
        return dict(expr);
      case ExprKind::kAttribute: {
        PLINTH_TRY(const Value object, child(0));
        return subscript(heap_, object, constant(expr.text), &expr.text);
      }
      case ExprKind::kSubscript: {
        PLINTH_TRY(const Value object, child(0));
        PLINTH_TRY(const Value key, child(1));
        return subscript(heap_, object, key, key.is(Kind::kString) ? key.string : nullptr);
      }
      case ExprKind::kSlice:
        return sliced(expr);
      case ExprKind::kCall:
        return call(expr);
      case ExprKind::kFilter: {
        PLINTH_TRY(const Value value, child(0));
        PLINTH_TRY(const Arguments arguments, evaluate_arguments(expr));
        return apply_filter(heap_, expr.text, value, arguments);
      }
      case ExprKind::kTest: {
        PLINTH_TRY(const Value value, child(0));
        PLINTH_TRY(const Arguments arguments, evaluate_arguments(expr));
        PLINTH_TRY(const bool passed, apply_test(heap_, expr.text, value, arguments));
        return Value::of(passed);
      }
      case ExprKind::kNot: {
        PLINTH_TRY(const Value value, child(0));
        return Value::of(!truthy(value));
      }
      case ExprKind::kNegate: {
        PLINTH_TRY(const Value value, child(0));
        if (value.is(Kind::kFloat)) return Value::of(-value.number);
        if (!value.is_number() || value.as_integer() == INT64_MIN)
          return invalid("cannot negate {}", kind_name(value));
        return Value::of(-value.as_integer());
      }
      case ExprKind::kAnd:
      case ExprKind::kOr: {
        PLINTH_TRY(const Value left, child(0));
        if (truthy(left) == (expr.kind == ExprKind::kOr)) return left;
        return child(1);
      }
      case ExprKind::kBinary: {
        PLINTH_TRY(const Value left, child(0));
        PLINTH_TRY(const Value right, child(1));
        return binary(expr.text, left, right);
      }
      case ExprKind::kCondition: {
        PLINTH_TRY(const Value condition, child(1));
        if (truthy(condition)) return child(0);
        if (expr.children[2] == kAbsent) return Value::undefined(nullptr);
        return child(2);
      }
    }
    return Value();
  }

  static Value constant(const std::string& text) {
    Value value;
    value.kind = Kind::kString;
    value.string = &text;  // lives in the program
    return value;
  }

  Result<Value> dict(const Expr& expr) {
    Map map;
    for (size_t i = 0; i + 1 < expr.children.size(); i += 2) {
      PLINTH_TRY(const Value key, evaluate(expr.children[i]));
      PLINTH_TRY(const Value value, evaluate(expr.children[i + 1]));
      PLINTH_TRY(const std::string text, to_text(heap_, key));
      PLINTH_TRY(heap_.charge(map.items.size()));
      map.set(text, value);
    }
    return heap_.map(std::move(map));
  }

  Result<Value> sliced(const Expr& expr) {
    PLINTH_TRY(const Value object, evaluate(expr.children[0]));
    SliceBounds bounds;
    size_t part = 1;
    for (Value* bound : {&bounds.start, &bounds.stop, &bounds.step}) {
      const ExprId id = expr.children[part++];
      if (id == kAbsent) continue;
      PLINTH_TRY(*bound, evaluate(id));
    }
    return slice(heap_, object, bounds);
  }

  Result<Arguments> evaluate_arguments(const Expr& expr) {
    Arguments arguments;
    for (size_t i = 1; i < expr.children.size(); ++i) {
      PLINTH_TRY(arguments.positional.emplace_back(), evaluate(expr.children[i]));
    }
    for (const auto& [name, id] : expr.named) {
      PLINTH_TRY(const Value value, evaluate(id));
      arguments.named.emplace_back(name, value);
    }
    return arguments;
  }

  Result<Value> call(const Expr& expr) {
    const Expr& callee = program_.exprs[static_cast<size_t>(expr.children[0])];
    if (callee.kind == ExprKind::kAttribute) {
      PLINTH_TRY(const Value object, evaluate(callee.children[0]));
      PLINTH_TRY(const Arguments arguments, evaluate_arguments(expr));
      const Value* member = object.is(Kind::kMap) ? object.map->find(callee.text) : nullptr;
      if (member != nullptr && member->is(Kind::kMacro))
        return call_macro(*member->macro, arguments);
      return call_method(heap_, object, callee.text, arguments);
    }
    PLINTH_TRY(const Value function, evaluate(expr.children[0]));
    PLINTH_TRY(const Arguments arguments, evaluate_arguments(expr));
    if (function.is(Kind::kMacro)) return call_macro(*function.macro, arguments);
    if (function.is(Kind::kFunction)) return call_function(*function.function, arguments);
    if (function.is(Kind::kUndefined)) return invalid("'{}' is undefined", callee.text);
    return invalid("{} cannot be called", kind_name(function));
  }

  Result<Value> call_macro(const Stmt& macro, const Arguments& arguments) {
    if (arguments.positional.size() > macro.names.size())
      return invalid("macro '{}' takes {} arguments, {} given", macro.text, macro.names.size(),
                     arguments.positional.size());
    Map locals;
    for (size_t i = 0; i < macro.names.size(); ++i) {
      const Value* given = arguments.find(i, macro.names[i]);
      Value value = Value::undefined(&macro.names[i]);
      if (given != nullptr) {
        value = *given;
      } else if (macro.defaults[i] != kAbsent) {
        PLINTH_TRY(value, evaluate(macro.defaults[i]));
      }
      locals.set(macro.names[i], value);
    }
    for (const auto& [name, value] : arguments.named)
      if (locals.find(name) == nullptr)
        return invalid("macro '{}' has no parameter '{}'", macro.text, name);
    const size_t frame = frames_.size();
    const size_t scope = std::exchange(scope_, frame);
    frames_.push_back(std::move(locals));
    auto result = captured(macro.body);
    frames_.resize(frame);
    scope_ = scope;
    return result;
  }

  Result<Value> call_function(const std::string& name, const Arguments& arguments) {
    if (name == "namespace" || name == "dict") return make_map(name, arguments);
    if (name == "range") return range(arguments);
    if (arguments.positional.size() != 1 || !arguments.positional[0].is(Kind::kString))
      return invalid("{} takes one string", name);
    const std::string& text = *arguments.positional[0].string;
    if (name == "raise_exception") return invalid("{}", text);
    return strftime_now(text);
  }

  Result<Value> make_map(const std::string& name, const Arguments& arguments) {
    Map map;
    if (!arguments.positional.empty()) {
      if (!arguments.positional[0].is(Kind::kMap)) return invalid("{} takes a mapping", name);
      map = *arguments.positional[0].map;
    }
    map.is_namespace = name == "namespace";
    for (const auto& [key, value] : arguments.named) map.set(key, value);
    return heap_.map(std::move(map));
  }

  Result<Value> range(const Arguments& arguments) {
    const auto& given = arguments.positional;
    for (const Value& value : given)
      if (!value.is(Kind::kInt)) return invalid("range takes integers");
    if (given.empty() || given.size() > 3) return invalid("range takes one to three integers");
    const int64_t start = given.size() > 1 ? given[0].integer : 0;
    const int64_t stop = given.size() > 1 ? given[1].integer : given[0].integer;
    const int64_t step = given.size() > 2 ? given[2].integer : 1;
    constexpr int64_t kFar = int64_t{1} << 60;
    if (step == 0 || std::max({std::llabs(start), std::llabs(stop), std::llabs(step)}) > kFar)
      return invalid("range({}, {}, {}) is not possible", start, stop, step);
    List items;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
      PLINTH_TRY(heap_.charge(sizeof(Value)));
      items.push_back(Value::of(i));
    }
    return heap_.list(std::move(items));
  }

  // The local time, as Python's datetime.now().strftime().
  Result<Value> strftime_now(const std::string& format) {
    const std::time_t now = clock_.unix_ms() / 1000;
    std::tm local{};
    localtime_r(&now, &local);
    std::array<char, 1024> buffer;
    const size_t n = std::strftime(buffer.data(), buffer.size(), format.c_str(), &local);
    return heap_.string(std::string(buffer.data(), n));
  }

  Result<Value> binary(const std::string& op, const Value& left, const Value& right) {
    if (op == "==" || op == "!=") {
      PLINTH_TRY(const bool same, equal(heap_, left, right));
      return Value::of(same == (op == "=="));
    }
    if (op == "in") {
      PLINTH_TRY(const bool inside, contains(heap_, right, left));
      return Value::of(inside);
    }
    if (op[0] == '<' || op[0] == '>') {
      const bool or_equal = op.size() == 2;
      const bool swap = (op[0] == '>') != or_equal;  // a <= b is not (b < a)
      PLINTH_TRY(const bool result, swap ? less(heap_, right, left) : less(heap_, left, right));
      return Value::of(result != or_equal);
    }
    if (op == "~" || (op == "+" && left.is(Kind::kString) && right.is(Kind::kString))) {
      TextBuilder out(heap_);
      PLINTH_TRY(write_text(left, out));
      PLINTH_TRY(write_text(right, out));
      return heap_.string(out.take());
    }
    if (op == "+" && left.is(Kind::kList) && right.is(Kind::kList)) {
      PLINTH_TRY(heap_.charge((left.list->size() + right.list->size()) * sizeof(Value)));
      List both = *left.list;
      both.insert(both.end(), right.list->begin(), right.list->end());
      return heap_.list(std::move(both));
    }
    if (op == "*" && left.is(Kind::kString) && right.is(Kind::kInt))
      return repeated(*left.string, right.integer);
    if (left.is_number() && right.is_number()) return arithmetic(op, left, right);
    for (const Value* side : {&left, &right})
      if (side->is(Kind::kUndefined))
        return invalid("'{}' is undefined", side->string != nullptr ? *side->string : "value");
    return invalid("{} {} {} is not possible", kind_name(left), op, kind_name(right));
  }

  Result<Value> repeated(const std::string& text, int64_t times) {
    size_t bytes = 0;
    if (times > 0 && __builtin_mul_overflow(text.size(), static_cast<size_t>(times), &bytes))
      bytes = SIZE_MAX / 2;  // more than any budget
    PLINTH_TRY(heap_.charge(bytes));
    std::string out;
    out.reserve(bytes);
    while (out.size() < bytes) out += text;
    return heap_.string(std::move(out));
  }

  // Python's numbers, with integers of 64 bits: an overflow is an error.
  static Result<Value> arithmetic(const std::string& op, const Value& left, const Value& right) {
    const bool floats = left.is(Kind::kFloat) || right.is(Kind::kFloat);
    const double x = left.as_number();
    const double y = right.as_number();
    if ((op == "/" || op == "//" || op == "%") && y == 0) return invalid("division by zero");
    if (op == "/") return Value::of(x / y);
    if (floats) {
      if (op == "+") return Value::of(x + y);
      if (op == "-") return Value::of(x - y);
      if (op == "*") return Value::of(x * y);
      if (op == "//") return Value::of(std::floor(x / y));
      if (op == "%") return Value::of(x - y * std::floor(x / y));
      return Value::of(std::pow(x, y));
    }
    const int64_t a = left.as_integer();
    const int64_t b = right.as_integer();
    int64_t result = 0;
    bool overflow = false;
    if (op == "+") {
      overflow = __builtin_add_overflow(a, b, &result);
    } else if (op == "-") {
      overflow = __builtin_sub_overflow(a, b, &result);
    } else if (op == "*") {
      overflow = __builtin_mul_overflow(a, b, &result);
    } else if (op == "**") {
      if (b < 0) return Value::of(std::pow(x, y));
      const double power = std::pow(x, y);
      overflow = !(std::fabs(power) < 9e15);  // exact as a double
      result = overflow ? 0 : static_cast<int64_t>(power);
    } else if (b == -1) {  // INT64_MIN / -1 has no answer
      overflow = __builtin_sub_overflow(int64_t{0}, a, &result);
      if (op == "%") return Value::of(int64_t{0});
    } else {
      // Towards minus infinity, and the remainder has the divisor's sign.
      const int64_t rest = a % b;
      const bool adjust = rest != 0 && (rest < 0) != (b < 0);
      result = op == "//" ? a / b - (adjust ? 1 : 0) : rest + (adjust ? b : 0);
    }
    if (overflow) return invalid("{} {} {} does not fit 64 bits", a, op, b);
    return Value::of(result);
  }

  const Program& program_;
  Heap& heap_;
  const Clock& clock_;
  const Limits& limits_;
  std::vector<Map> frames_;  // [0] the template's own, then loops and macros
  size_t scope_ = 0;         // the first frame that the running macro sees, besides frames_[0]
  std::vector<Value> filtered_;
  std::string output_;
  int depth_ = 0;
  bool located_ = false;
};

}  // namespace

Result<std::string> render(const Program& program, Map globals, Heap& heap, const Clock& clock,
                           const Limits& limits) {
  return Evaluator(program, std::move(globals), heap, clock, limits).run();
}

}  // namespace plinth::text::jinja
