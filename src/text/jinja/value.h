// Values while a template renders. A Value is a small handle; what it points to lives in a Heap,
// which dies with the rendering: templates can build cycles, but never leak them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "text/jinja/ast.h"
#include <nlohmann/json.hpp>

namespace plinth::text::jinja {

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kMap,
  kMacro,
  kFunction,  // a global: raise_exception, strftime_now, range, namespace, dict
};

struct Value;
struct Map;
using List = std::vector<Value>;

struct Value {
  Kind kind = Kind::kUndefined;

  union {
    bool truth;
    int64_t integer;
    double number;
    const std::string* string;  // kString; kUndefined: the name that was asked for, or null
    const List* list;
    Map* map;
    const Stmt* macro;
    const std::string* function;  // its name
  };

  Value() : string(nullptr) {}

  static Value none();
  static Value of(bool truth);
  static Value of(int64_t integer);
  static Value of(double number);
  static Value undefined(const std::string* name);

  bool is(Kind other) const { return kind == other; }

  bool is_number() const {
    return kind == Kind::kInt || kind == Kind::kFloat || kind == Kind::kBool;
  }

  // Of kBool, kInt and kFloat.
  double as_number() const;
  int64_t as_integer() const;  // of kBool and kInt
};

// Keys in order of insertion, as in Python.
struct Map {
  std::vector<std::pair<std::string, Value>> items;
  bool is_namespace = false;  // only a namespace can be assigned to

  const Value* find(std::string_view key) const;
  void set(std::string_view key, Value value);
};

// Owns everything a rendering makes, and counts it: work and memory together are one budget, so
// that neither loops nor doubling strings get away.
class Heap {
 public:
  explicit Heap(size_t budget) : left_(budget) {}

  // kResourceExhausted when the budget is spent. Roughly one unit a byte or an evaluated node.
  Status charge(size_t units);

  Result<Value> string(std::string text);
  Result<Value> list(List items);
  Result<Value> map(Map map);

  Result<Value> from_json(const nlohmann::ordered_json& json);

 private:
  size_t left_;
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Map> maps_;
};

// Builds a string and pays for each part before it is copied.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(&heap) {}

  Status add(std::string_view text) {
    PLINTH_TRY(heap_->charge(text.size()));
    text_ += text;
    return {};
  }

  std::string take() { return std::move(text_); }

 private:
  Heap* heap_;
  std::string text_;
};

std::string_view kind_name(const Value& value);  // "string", "list", ... for messages

bool truthy(const Value& value);

// Python's ==, and < for numbers, strings and lists of them; kInvalidArgument for a < of others.
Result<bool> equal(Heap& heap, const Value& a, const Value& b);
Result<bool> less(Heap& heap, const Value& a, const Value& b);

// Python's str() and repr(): what {{ }} writes.
Status write_text(const Value& value, TextBuilder& out);
Result<std::string> to_text(Heap& heap, const Value& value);

struct JsonStyle {
  int indent = -1;  // -1: one line, ", " and ": "
  bool ascii = false;
  bool sort_keys = false;
};

// Python's json.dumps(), which is what transformers' tojson is.
Result<std::string> to_json(Heap& heap, const Value& value, const JsonStyle& style);

}  // namespace plinth::text::jinja
