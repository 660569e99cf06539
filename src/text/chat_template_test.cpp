#include "text/chat_template.h"

#include <cstdlib>
#include <ctime>
#include <string>

#include <gtest/gtest.h>

#include "text/shared_data_test.h"

namespace plinth::text {
namespace {

OrderedJson parse_ordered(const std::string& text) {
  return OrderedJson::parse(text, nullptr, false);
}

Result<std::string> render(std::string_view source, const ChatOptions& options = {},
                           const OrderedJson& messages = OrderedJson::array()) {
  PLINTH_TRY(const ChatTemplate parsed, ChatTemplate::parse(source));
  return parsed.render(messages, options);
}

std::string text_of(std::string_view source, const ChatOptions& options = {}) {
  const auto result = render(source, options);
  return result ? *result : "error: " + result.error().message;
}

std::string error_of(std::string_view source) {
  const auto result = render(source);
  return result ? "rendered: " + *result : result.error().message;
}

// tests/golden/chat_template/make.py writes the cases with Python's jinja2.
TEST(ChatTemplate, AgreesWithJinja2) {
  const Path folder = Path(PLINTH_SOURCE_DIR) / "tests/golden/chat_template";
  const auto file = read_file(folder / "cases.json");
  ASSERT_TRUE(file);
  const OrderedJson cases = parse_ordered(*file);
  ASSERT_GT(cases.size(), 80u);
  for (const OrderedJson& one : cases) {
    const auto name = one["template"].get<std::string>() + " " + one["name"].get<std::string>();
    const auto source = read_file(folder / one["template"].get<std::string>());
    ASSERT_TRUE(source);
    ChatOptions options;
    options.add_generation_prompt = one["add_generation_prompt"].get<bool>();
    options.bos = "<s>";
    options.eos = "</s>";
    options.tools = one["tools"];
    options.extra = one["extra"];
    const auto text = render(*source, options, one["messages"]);
    if (one.contains("error")) {
      ASSERT_FALSE(text) << name;
      EXPECT_NE(text.error().message.find(one["error"].get<std::string>()), std::string::npos)
          << text.error().message;
    } else {
      ASSERT_TRUE(text) << name << ": " << text.error().message;
      EXPECT_EQ(*text, one["text"].get<std::string>()) << name;
    }
  }
}

// The upstream vectors: templates of 35 models, where plain jinja2 gives the expected text too.
TEST(ChatTemplate, AgreesWithUpstreamVectors) {
  const std::string json = shared_text("chat_templates/render_test_vectors.json");
  PLINTH_SKIP_WITHOUT(json, "chat_templates/render_test_vectors.json");
  const OrderedJson vectors = parse_ordered(json);
  int compared = 0;
  for (const OrderedJson& one : vectors["cases"]) {
    if (!one.value("stock_jinja2_agrees", false)) continue;
    OrderedJson messages = vectors["messages"];
    for (const OrderedJson& extra : one["extra_messages"]) messages.push_back(extra);
    ChatOptions options;
    options.bos = one["bos_token"].get<std::string>();
    options.eos = one["eos_token"].get<std::string>();
    const auto text = render(one["template"].get<std::string>(), options, messages);
    ASSERT_TRUE(text) << one["name"] << text.error().message;
    auto expected = one["expected_jinja"].get<std::string>();
    if (expected.empty()) expected = one["expected_builtin"].get<std::string>();
    EXPECT_EQ(*text, expected) << one["name"];
    ++compared;
  }
  EXPECT_EQ(compared, 29);
}

TEST(ChatTemplate, ParsesEveryRealTemplate) {
  const Path folder = shared_data("chat_templates");
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "chat_templates is not in the shared data (set PLINTH_SHARED_DATA)";
  int parsed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    const auto source = read_file(entry.path());
    ASSERT_TRUE(source);
    const auto result = ChatTemplate::parse(*source);
    EXPECT_TRUE(result) << entry.path() << result.error().message;
    ++parsed;
  }
  EXPECT_GT(parsed, 60);
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  EXPECT_EQ(error_of("a\n\n{{ raise_exception('no') }}"), "chat template line 3: no");
  EXPECT_EQ(error_of("{% if x %}\nyes"),
            "chat template line 2: the template ends before {% endif %}");
  EXPECT_EQ(error_of("\n{{ nothing.at.all }}"), "chat template line 2: 'nothing' is undefined");
  EXPECT_EQ(error_of("{{ 'x' | nosuch }}"), "chat template line 1: no filter is called 'nosuch'");
  EXPECT_EQ(error_of("{{ 1 is nosuch }}"), "chat template line 1: no test is called 'nosuch'");
  EXPECT_EQ(error_of("{{ 'x'.nosuch() }}"),
            "chat template line 1: strings have no method .nosuch()");
  EXPECT_EQ(error_of("{% import 'x' %}"), "chat template line 1: unknown statement 'import'");
  EXPECT_EQ(error_of("{{ 1 / 0 }}"), "chat template line 1: division by zero");
  EXPECT_EQ(error_of("{{ f() }}"), "chat template line 1: 'f' is undefined");
}

TEST(ChatTemplate, BadSyntaxIsRefused) {
  for (const char* source : {"{{",
                             "{{ }}",
                             "{% %}",
                             "{% endif %}",
                             "{{ 1 + }}",
                             "{{ (1 }}",
                             "{{ 'x }}",
                             "{# open",
                             "{% for in x %}{% endfor %}",
                             "{% set = 1 %}",
                             "{{ a[ }}",
                             "{{ a[] }}",
                             "{{ a[1:2:3:4] }}",
                             "{{ a. }}",
                             "{{ ` }}",
                             "{% macro %}{% endmacro %}",
                             "{% raw %}",
                             "{% break %}",
                             "{{ {1} }}",
                             "{{ '\\x4' }}",
                             "{{ 99999999999999999999 }}"})
    EXPECT_FALSE(ChatTemplate::parse(source)) << source;
}

TEST(ChatTemplate, HostileTemplatesEnd) {
  for (const char* source :
       {"{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% "
        "endfor %}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns|tojson }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}{{ ns == ns }}",
        "{{ 'x' * 1000000000000 }}", "{{ ('x' * 100000).replace('', 'y' * 100000) }}",
        "{{ 9223372036854775807 + 1 }}", "{{ 9 ** 99 }}", "{{ range(9223372036854775807, 0, -1) }}",
        "{{ [[1]] | join([2]) | nosuch }}"}) {
    EXPECT_FALSE(render(source)) << source;
  }
  for (const char* unit : {"(", "[", "-", "not ", "{{ {% if x %}"}) {
    std::string deep = "{{ ";
    for (int i = 0; i < 20000; ++i) deep += unit;
    EXPECT_FALSE(ChatTemplate::parse(deep));
  }
  std::string chain = "{{ 1";
  for (int i = 0; i < 20000; ++i) chain += " + 1";
  EXPECT_FALSE(render(chain + " }}"));
  std::string blocks;
  for (int i = 0; i < 20000; ++i) blocks += "{% if true %}";
  EXPECT_FALSE(ChatTemplate::parse(blocks));
}

TEST(ChatTemplate, OutputIsBounded) {
  const auto result =
      render("{% set x = 'x' * 1000000 %}{% for i in range(100) %}{{ x }}{% endfor %}");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
}

TEST(ChatTemplate, ToolKeysKeepTheirOrder) {
  ChatOptions options;
  options.tools = parse_ordered(R"([{"type": "function", "function": {"name": "f", "a": 1}}])");
  EXPECT_EQ(text_of("{{ tools | tojson }}", options),
            R"([{"type": "function", "function": {"name": "f", "a": 1}}])");
  const Json sorted = Json::parse(R"({"b": 1, "a": [true, null]})");
  options.tools = sorted;  // plinth::Json converts
  EXPECT_EQ(text_of("{{ tools | tojson }}", options), R"({"a": [true, null], "b": 1})");
}

TEST(ChatTemplate, InputsMustMakeSense) {
  const auto parsed = ChatTemplate::parse("{{ messages }}");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->render("text", {}));
  OrderedJson deep = OrderedJson::array();
  for (int i = 0; i < 200; ++i) deep = OrderedJson::array({deep});
  EXPECT_FALSE(parsed->render(deep, {}));
}

class FixedClock final : public Clock {
 public:
  int64_t monotonic_ns() const override { return 0; }

  int64_t unix_ms() const override { return 1'721'995'200'000; }  // noon UTC on 26 July 2024
};

TEST(ChatTemplate, DatesComeFromTheClock) {
  const FixedClock clock;
  ChatOptions options;
  options.clock = &clock;
  const std::time_t now = clock.unix_ms() / 1000;
  char expected[32];
  std::tm local{};
  std::strftime(expected, sizeof expected, "%d %b %Y", localtime_r(&now, &local));
  EXPECT_EQ(text_of("{{ strftime_now('%d %b %Y') }}", options), expected);
}

}  // namespace
}  // namespace plinth::text
