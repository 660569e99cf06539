#include "text/jinja/parser.h"

#include <charconv>
#include <initializer_list>
#include <optional>

#include "text/jinja/level.h"
#include "text/jinja/lexer.h"

namespace plinth::text::jinja {

namespace {

constexpr int kNestingMax = 100;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Program> run() {
    PLINTH_TRY(program_.root, block({}));
    return std::move(program_);
  }

 private:
  const Token& now() const { return tokens_[at_]; }

  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }

  void next() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }

  bool is(TokenKind kind, std::string_view text) const {
    return now().kind == kind && now().text == text;
  }

  bool is_op(std::string_view text) const { return is(TokenKind::kOperator, text); }

  bool is_word(std::string_view text) const { return is(TokenKind::kName, text); }

  bool accept_op(std::string_view text) {
    if (!is_op(text)) return false;
    next();
    return true;
  }

  bool accept_word(std::string_view text) {
    if (!is_word(text)) return false;
    next();
    return true;
  }

  template <typename... Args>
  Error fail(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid("chat template line {}: {}", now().line,
                   fmt::format(format, std::forward<Args>(args)...));
  }

  std::string shown() const {
    switch (now().kind) {
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kBlockEnd:
        return "'%}'";
      case TokenKind::kOutputEnd:
        return "'}}'";
      default:
        return fmt::format("'{}'", now().text.substr(0, 40));
    }
  }

  Status expect_op(std::string_view text) {
    if (!accept_op(text)) return fail("expected '{}', found {}", text, shown());
    return {};
  }

  Status expect_word(std::string_view text) {
    if (!accept_word(text)) return fail("expected '{}', found {}", text, shown());
    return {};
  }

  Status expect(TokenKind kind) {
    if (now().kind != kind) return fail("unexpected {}", shown());
    next();
    return {};
  }

  Result<std::string> name() {
    if (now().kind != TokenKind::kName) return fail("expected a name, found {}", shown());
    std::string text = now().text;
    next();
    return text;
  }

  ExprId add(Expr expr, int line) {
    expr.line = line;
    program_.exprs.push_back(std::move(expr));
    return static_cast<ExprId>(program_.exprs.size() - 1);
  }

  StmtId add(Stmt stmt) {
    program_.stmts.push_back(std::move(stmt));
    return static_cast<StmtId>(program_.stmts.size() - 1);
  }

  // ---- statements -------------------------------------------------------------------------------

  // Statements up to a tag whose first word is in `ends`, which is left unread behind its {%.
  // No `ends`: up to the end of the template.
  Result<Block> block(std::initializer_list<std::string_view> ends) {
    const Level level(depth_);
    if (depth_ > kNestingMax) return fail("nested more than {} levels deep", kNestingMax);
    Block out;
    while (true) {
      switch (now().kind) {
        case TokenKind::kEnd:
          if (ends.size() > 0)
            return fail("the template ends before {{% {} %}}", *(ends.end() - 1));
          return out;
        case TokenKind::kText:
          out.push_back(add(Stmt{.kind = StmtKind::kText, .line = now().line, .text = now().text}));
          next();
          break;
        case TokenKind::kOutputBegin: {
          const int line = now().line;
          next();
          PLINTH_TRY(const ExprId expr, expression_list());
          PLINTH_TRY(expect(TokenKind::kOutputEnd));
          out.push_back(add(Stmt{.kind = StmtKind::kOutput, .line = line, .expr = expr}));
          break;
        }
        default: {
          PLINTH_TRY(expect(TokenKind::kBlockBegin));
          for (const std::string_view end : ends)
            if (is_word(end)) return out;
          PLINTH_TRY(const StmtId id, statement());
          out.push_back(id);
        }
      }
    }
  }

  // Behind {%.
  Result<StmtId> statement() {
    Stmt stmt;
    stmt.line = now().line;
    PLINTH_TRY(const std::string word, name());
    if (word == "if") {
      PLINTH_TRY(if_statement(stmt));
    } else if (word == "for") {
      PLINTH_TRY(for_statement(stmt));
    } else if (word == "set") {
      PLINTH_TRY(set_statement(stmt));
    } else if (word == "macro") {
      PLINTH_TRY(macro_statement(stmt));
    } else if (word == "filter") {
      stmt.kind = StmtKind::kFilterBlock;
      PLINTH_TRY(stmt.expr, filter_chain(add(Expr{.kind = ExprKind::kCaptured}, stmt.line)));
      PLINTH_TRY(body(stmt, "endfilter"));
    } else if (word == "generation") {
      stmt.kind = StmtKind::kGroup;
      PLINTH_TRY(body(stmt, "endgeneration"));
    } else if (word == "break" || word == "continue") {
      if (loops_ == 0) return fail("'{}' outside a loop", word);
      stmt.kind = word == "break" ? StmtKind::kBreak : StmtKind::kContinue;
    } else {
      return fail("unknown statement '{}'", word);
    }
    PLINTH_TRY(expect(TokenKind::kBlockEnd));
    return add(std::move(stmt));
  }

  // %} ... {% end
  Status body(Stmt& stmt, std::string_view end) {
    PLINTH_TRY(expect(TokenKind::kBlockEnd));
    PLINTH_TRY(stmt.body, block({end}));
    return expect_word(end);
  }

  Status if_statement(Stmt& stmt) {
    stmt.kind = StmtKind::kIf;
    while (true) {
      Branch branch;
      PLINTH_TRY(branch.condition, expression_list());
      PLINTH_TRY(expect(TokenKind::kBlockEnd));
      PLINTH_TRY(branch.body, block({"elif", "else", "endif"}));
      stmt.branches.push_back(std::move(branch));
      if (accept_word("elif")) continue;
      if (accept_word("else")) {
        PLINTH_TRY(expect(TokenKind::kBlockEnd));
        PLINTH_TRY(stmt.otherwise, block({"endif"}));
      }
      return expect_word("endif");
    }
  }

  Status for_statement(Stmt& stmt) {
    stmt.kind = StmtKind::kFor;
    PLINTH_TRY(stmt.names, targets());
    PLINTH_TRY(expect_word("in"));
    PLINTH_TRY(stmt.expr, disjunction());
    if (accept_word("if")) {
      PLINTH_TRY(stmt.condition, expression());
    }
    if (is_word("recursive")) return fail("recursive loops are not supported");
    PLINTH_TRY(expect(TokenKind::kBlockEnd));
    ++loops_;
    PLINTH_TRY(stmt.body, block({"else", "endfor"}));
    --loops_;
    if (accept_word("else")) {
      PLINTH_TRY(expect(TokenKind::kBlockEnd));
      PLINTH_TRY(stmt.otherwise, block({"endfor"}));
    }
    return expect_word("endfor");
  }

  Result<std::vector<std::string>> targets() {
    std::vector<std::string> names;
    const bool parenthesis = accept_op("(");
    do {
      PLINTH_TRY(names.emplace_back(), name());
    } while (accept_op(","));
    if (parenthesis) PLINTH_TRY(expect_op(")"));
    return names;
  }

  Status set_statement(Stmt& stmt) {
    stmt.kind = StmtKind::kSet;
    PLINTH_TRY(stmt.names, targets());
    if (stmt.names.size() == 1 && accept_op(".")) {
      PLINTH_TRY(stmt.attribute, name());
    }
    if (accept_op("=")) {
      PLINTH_TRY(stmt.expr, expression_list());
      return {};
    }
    if (stmt.names.size() != 1 || !stmt.attribute.empty())
      return fail("expected '=', found {}", shown());
    stmt.kind = StmtKind::kSetBlock;
    if (is_op("|")) {
      PLINTH_TRY(stmt.expr, postfix_filters(add(Expr{.kind = ExprKind::kCaptured}, stmt.line)));
    }
    return body(stmt, "endset");
  }

  Status macro_statement(Stmt& stmt) {
    stmt.kind = StmtKind::kMacro;
    PLINTH_TRY(stmt.text, name());
    PLINTH_TRY(expect_op("("));
    while (!is_op(")")) {
      PLINTH_TRY(stmt.names.emplace_back(), name());
      ExprId fallback = kAbsent;
      if (accept_op("=")) {
        PLINTH_TRY(fallback, expression());
      }
      stmt.defaults.push_back(fallback);
      if (!accept_op(",")) break;
    }
    PLINTH_TRY(expect_op(")"));
    const int loops = std::exchange(loops_, 0);
    PLINTH_TRY(body(stmt, "endmacro"));
    loops_ = loops;
    return {};
  }

  // ---- expressions ------------------------------------------------------------------------------

  // An expression, or several with commas between: a tuple, which is a list to us.
  Result<ExprId> expression_list() {
    const int line = now().line;
    PLINTH_TRY(const ExprId first, expression());
    if (!is_op(",")) return first;
    Expr list{.kind = ExprKind::kList, .children = {first}};
    while (accept_op(",")) {
      if (now().kind != TokenKind::kOperator && now().kind != TokenKind::kName &&
          now().kind != TokenKind::kString && now().kind != TokenKind::kInt &&
          now().kind != TokenKind::kFloat)
        break;
      PLINTH_TRY(list.children.emplace_back(), expression());
    }
    return add(std::move(list), line);
  }

  Result<ExprId> expression() {
    const Level level(depth_);
    if (depth_ > kNestingMax) return fail("nested more than {} levels deep", kNestingMax);
    const int line = now().line;
    PLINTH_TRY(ExprId value, disjunction());
    while (accept_word("if")) {
      Expr expr{.kind = ExprKind::kCondition, .children = {value, kAbsent, kAbsent}};
      PLINTH_TRY(expr.children[1], disjunction());
      if (accept_word("else")) {
        PLINTH_TRY(expr.children[2], expression());
      }
      value = add(std::move(expr), line);
    }
    return value;
  }

  Result<ExprId> disjunction() {
    const int line = now().line;
    PLINTH_TRY(ExprId left, conjunction());
    while (accept_word("or")) {
      PLINTH_TRY(const ExprId right, conjunction());
      left = add(Expr{.kind = ExprKind::kOr, .children = {left, right}}, line);
    }
    return left;
  }

  Result<ExprId> conjunction() {
    const int line = now().line;
    PLINTH_TRY(ExprId left, negation());
    while (accept_word("and")) {
      PLINTH_TRY(const ExprId right, negation());
      left = add(Expr{.kind = ExprKind::kAnd, .children = {left, right}}, line);
    }
    return left;
  }

  Result<ExprId> negation() {
    const Level level(depth_);
    if (depth_ > kNestingMax) return fail("nested more than {} levels deep", kNestingMax);
    const int line = now().line;
    if (!is_word("not")) return comparison();
    next();
    PLINTH_TRY(const ExprId operand, negation());
    return add(Expr{.kind = ExprKind::kNot, .children = {operand}}, line);
  }

  std::optional<std::string> comparison_operator() {
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"})
      if (accept_op(op)) return std::string(op);
    if (accept_word("in")) return "in";
    if (is_word("not") && ahead().kind == TokenKind::kName && ahead().text == "in") {
      next();
      next();
      return "not in";
    }
    return std::nullopt;
  }

  // a < b <= c means a < b and b <= c.
  Result<ExprId> comparison() {
    const int line = now().line;
    PLINTH_TRY(ExprId left, sum());
    ExprId all = kAbsent;
    while (auto op = comparison_operator()) {
      PLINTH_TRY(const ExprId right, sum());
      const bool negated = *op == "not in";
      ExprId one = add(
          Expr{.kind = ExprKind::kBinary, .text = negated ? "in" : *op, .children = {left, right}},
          line);
      if (negated) one = add(Expr{.kind = ExprKind::kNot, .children = {one}}, line);
      all = all == kAbsent ? one : add(Expr{.kind = ExprKind::kAnd, .children = {all, one}}, line);
      left = right;
    }
    return all == kAbsent ? left : all;
  }

  template <typename Operand>
  Result<ExprId> binary(std::initializer_list<std::string_view> operators, Operand operand) {
    const int line = now().line;
    PLINTH_TRY(ExprId left, operand());
    while (true) {
      std::string_view found;
      for (const std::string_view op : operators)
        if (is_op(op)) found = op;
      if (found.empty()) return left;
      next();
      PLINTH_TRY(const ExprId right, operand());
      left = add(
          Expr{.kind = ExprKind::kBinary, .text = std::string(found), .children = {left, right}},
          line);
    }
  }

  Result<ExprId> sum() {
    return binary({"+", "-"}, [this] { return concatenation(); });
  }

  Result<ExprId> concatenation() {
    return binary({"~"}, [this] { return product(); });
  }

  Result<ExprId> product() {
    return binary({"*", "/", "//", "%"}, [this] { return power(); });
  }

  Result<ExprId> power() {
    return binary({"**"}, [this] { return unary(true); });
  }

  Result<ExprId> unary(bool with_filters) {
    const Level level(depth_);
    if (depth_ > kNestingMax) return fail("nested more than {} levels deep", kNestingMax);
    const int line = now().line;
    ExprId value = kAbsent;
    if (accept_op("-")) {
      PLINTH_TRY(const ExprId operand, unary(false));
      value = add(Expr{.kind = ExprKind::kNegate, .children = {operand}}, line);
    } else if (accept_op("+")) {
      PLINTH_TRY(value, unary(false));
    } else {
      PLINTH_TRY(value, primary());
    }
    PLINTH_TRY(value, postfix(value));
    return with_filters ? postfix_filters(value) : value;
  }

  Result<ExprId> primary() {
    const Token token = now();
    next();
    Expr expr;
    switch (token.kind) {
      case TokenKind::kString:
        expr.kind = ExprKind::kString;
        expr.text = token.text;
        for (; now().kind == TokenKind::kString; next()) expr.text += now().text;
        return add(std::move(expr), token.line);
      case TokenKind::kInt: {
        expr.kind = ExprKind::kInt;
        const char* end = token.text.data() + token.text.size();
        if (std::from_chars(token.text.data(), end, expr.integer).ec != std::errc())
          return fail("the number {} is too large", token.text);
        return add(std::move(expr), token.line);
      }
      case TokenKind::kFloat: {
        expr.kind = ExprKind::kFloat;
        const char* end = token.text.data() + token.text.size();
        if (std::from_chars(token.text.data(), end, expr.number).ec != std::errc())
          return fail("the number {} is too large", token.text);
        return add(std::move(expr), token.line);
      }
      case TokenKind::kName:
        return add(word(token.text), token.line);
      case TokenKind::kOperator:
        if (token.text == "(") return parenthesis(token.line);
        if (token.text == "[") return list(token.line);
        if (token.text == "{") return dict(token.line);
        break;
      default:
        break;
    }
    --at_;
    return fail("expected an expression, found {}", shown());
  }

  static Expr word(const std::string& text) {
    if (text == "true" || text == "True") return Expr{.kind = ExprKind::kBool, .integer = 1};
    if (text == "false" || text == "False") return Expr{.kind = ExprKind::kBool, .integer = 0};
    if (text == "none" || text == "None") return Expr{.kind = ExprKind::kNone};
    return Expr{.kind = ExprKind::kName, .text = text};
  }

  Result<ExprId> parenthesis(int line) {
    if (accept_op(")")) return add(Expr{.kind = ExprKind::kList}, line);
    PLINTH_TRY(const ExprId inner, expression_list());
    PLINTH_TRY(expect_op(")"));
    return inner;
  }

  Result<ExprId> list(int line) {
    Expr expr{.kind = ExprKind::kList};
    while (!is_op("]")) {
      PLINTH_TRY(expr.children.emplace_back(), expression());
      if (!accept_op(",")) break;
    }
    PLINTH_TRY(expect_op("]"));
    return add(std::move(expr), line);
  }

  Result<ExprId> dict(int line) {
    Expr expr{.kind = ExprKind::kDict};
    while (!is_op("}")) {
      PLINTH_TRY(expr.children.emplace_back(), expression());
      PLINTH_TRY(expect_op(":"));
      PLINTH_TRY(expr.children.emplace_back(), expression());
      if (!accept_op(",")) break;
    }
    PLINTH_TRY(expect_op("}"));
    return add(std::move(expr), line);
  }

  Result<ExprId> postfix(ExprId value) {
    while (true) {
      const int line = now().line;
      if (accept_op(".")) {
        if (now().kind == TokenKind::kInt) {
          PLINTH_TRY(const ExprId index, primary());
          value = add(Expr{.kind = ExprKind::kSubscript, .children = {value, index}}, line);
          continue;
        }
        PLINTH_TRY(std::string attribute, name());
        value = add(
            Expr{.kind = ExprKind::kAttribute, .text = std::move(attribute), .children = {value}},
            line);
      } else if (accept_op("[")) {
        PLINTH_TRY(value, subscript(value, line));
      } else if (is_op("(")) {
        Expr call{.kind = ExprKind::kCall, .children = {value}};
        PLINTH_TRY(arguments(call));
        value = add(std::move(call), line);
      } else {
        return value;
      }
    }
  }

  // Behind [.
  Result<ExprId> subscript(ExprId object, int line) {
    Expr slice{.kind = ExprKind::kSlice, .children = {object, kAbsent, kAbsent, kAbsent}};
    size_t part = 1;
    while (!is_op("]")) {
      if (accept_op(":")) {
        if (++part > 3) return fail("a slice has at most three parts");
        continue;
      }
      if (slice.children[part] != kAbsent) return fail("expected ']', found {}", shown());
      PLINTH_TRY(slice.children[part], expression());
    }
    next();
    if (part > 1) return add(std::move(slice), line);
    if (slice.children[1] == kAbsent) return fail("an empty subscript");
    return add(Expr{.kind = ExprKind::kSubscript, .children = {object, slice.children[1]}}, line);
  }

  // (a, b, key=c), appended to children and named.
  Status arguments(Expr& call) {
    PLINTH_TRY(expect_op("("));
    while (!is_op(")")) {
      if (now().kind == TokenKind::kName && ahead().kind == TokenKind::kOperator &&
          ahead().text == "=") {
        PLINTH_TRY(std::string key, name());
        next();
        PLINTH_TRY(const ExprId value, expression());
        call.named.emplace_back(std::move(key), value);
      } else {
        PLINTH_TRY(call.children.emplace_back(), expression());
      }
      if (!accept_op(",")) break;
    }
    return expect_op(")");
  }

  // | filter ... and "is test" in any order, then calls of what they give.
  Result<ExprId> postfix_filters(ExprId value) {
    while (true) {
      if (accept_op("|")) {
        PLINTH_TRY(value, one_filter(value));
      } else if (accept_word("is")) {
        PLINTH_TRY(value, test(value));
      } else {
        return value;
      }
    }
  }

  // A {% filter a | b(c) %} head.
  Result<ExprId> filter_chain(ExprId value) {
    PLINTH_TRY(value, one_filter(value));
    return postfix_filters(value);
  }

  Result<ExprId> one_filter(ExprId value) {
    Expr expr{.kind = ExprKind::kFilter, .children = {value}};
    const int line = now().line;
    PLINTH_TRY(expr.text, name());
    if (is_op("(")) PLINTH_TRY(arguments(expr));
    return add(std::move(expr), line);
  }

  Result<ExprId> test(ExprId value) {
    const int line = now().line;
    const bool negated = accept_word("not");
    Expr expr{.kind = ExprKind::kTest, .children = {value}};
    PLINTH_TRY(expr.text, name());
    if (is_op("(")) {
      PLINTH_TRY(arguments(expr));
    } else if (has_bare_argument()) {
      PLINTH_TRY(const ExprId argument, primary());
      PLINTH_TRY(expr.children.emplace_back(), postfix(argument));
    }
    ExprId id = add(std::move(expr), line);
    if (negated) id = add(Expr{.kind = ExprKind::kNot, .children = {id}}, line);
    return id;
  }

  // "is divisibleby 3" has an argument, "is string and" has none.
  bool has_bare_argument() const {
    switch (now().kind) {
      case TokenKind::kString:
      case TokenKind::kInt:
      case TokenKind::kFloat:
        return true;
      case TokenKind::kOperator:
        return is_op("[") || is_op("{");
      case TokenKind::kName:
        for (const std::string_view word : {"and", "or", "not", "if", "else", "in", "is"})
          if (now().text == word) return false;
        return true;
      default:
        return false;
    }
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;
  Program program_;
};

}  // namespace

Result<Program> parse(std::string_view source) {
  PLINTH_TRY(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace plinth::text::jinja
