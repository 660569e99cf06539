#include <cstdlib>

#include <gtest/gtest.h>

#include "hub/hub.h"
#include "hub/names.h"
#include "hub/url.h"

namespace plinth::hub {
namespace {

struct Case {
  const char* text;
  Kind kind;
  const char* repository;
  const char* revision;
  const char* file;
};

TEST(Reference, ReadsWhatUsersCopy) {
  const Case cases[] = {
      {"hf://Qwen/Qwen2.5-0.5B-Instruct", Kind::kHuggingFace, "Qwen/Qwen2.5-0.5B-Instruct", "", ""},
      {"hf://a/b@refs/pr/1", Kind::kHuggingFace, "a/b", "refs/pr/1", ""},
      {"ms://iic/nlp_x@v1.0.2", Kind::kModelScope, "iic/nlp_x", "v1.0.2", ""},
      {"https://huggingface.co/a/b", Kind::kHuggingFace, "a/b", "", ""},
      {"https://huggingface.co/a/b/", Kind::kHuggingFace, "a/b", "", ""},
      {"https://hf.co/a/b?library=x#usage", Kind::kHuggingFace, "a/b", "", ""},
      {"https://huggingface.co/a/b/tree/refs%2Fpr%2F1", Kind::kHuggingFace, "a/b", "refs/pr/1", ""},
      {"https://huggingface.co/a/b/blob/main/q/x-q8_0.gguf", Kind::kHuggingFace, "a/b", "main",
       "q/x-q8_0.gguf"},
      {"https://huggingface.co/a/b/resolve/main/x.gguf?download=true", Kind::kHuggingFace, "a/b",
       "main", "x.gguf"},
      {"https://modelscope.cn/models/a/b/summary", Kind::kModelScope, "a/b", "", ""},
      {"https://www.modelscope.cn/models/a/b", Kind::kModelScope, "a/b", "", ""},
  };
  for (const Case& c : cases) {
    const auto reference = parse_reference(c.text);
    ASSERT_TRUE(reference) << c.text << ": " << reference.error().message;
    EXPECT_EQ(reference->kind, c.kind) << c.text;
    EXPECT_EQ(reference->repository, c.repository) << c.text;
    EXPECT_EQ(reference->revision, c.revision) << c.text;
    EXPECT_EQ(reference->file, c.file) << c.text;
  }
}

TEST(Reference, RefusesWhatIsNoRepository) {
  for (const char* text :
       {"hf://", "hf://a", "hf://a/b/c", "hf://../b", "hf://a/..", "hf://.a/b", "hf://a/b@",
        "hf://a/b@../x", "hf://a/b@-x", "hf://a/b c", "hf://a/b\n", "hf://\xe4\xb8\xad/b",
        "https://example.com/a/b", "https://huggingface.co/a", "https://huggingface.co/a/b/raw/x",
        "https://huggingface.co/a/b/blob/main/pytorch_model.bin",
        "https://huggingface.co/a/b/blob/main/../x.gguf", "https://huggingface.co/a/b/tree/main/x",
        "http://huggingface.co/a/b"}) {
    const auto reference = parse_reference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_EQ(reference.error().code, Code::kInvalidArgument) << text;
    EXPECT_TRUE(is_reference(text)) << text;
  }
  EXPECT_FALSE(is_reference("./hf/model.gguf"));
}

TEST(Names, PathsStayInside) {
  EXPECT_TRUE(check_path("model-00001-of-00002.safetensors"));
  EXPECT_TRUE(check_path("Q4_K_M/x y (1).gguf"));
  for (const char* path : {"", "/etc/passwd", "../x", "a/../x", "a//b", "a/", ".", "a\\b", "a\tb",
                           "caf\xc3\xa9", "a:b", "a\x7f"})
    EXPECT_FALSE(check_path(path)) << path;
  EXPECT_FALSE(check_path(std::string(300, 'a')));
}

TEST(Url, KnowsWhoseServerItIs) {
  const auto hub = *parse_url("https://huggingface.co");
  EXPECT_TRUE(same_origin(hub, *parse_url("https://huggingface.co:443/a?b")));
  EXPECT_FALSE(same_origin(hub, *parse_url("https://huggingface.co:8443")));
  EXPECT_FALSE(same_origin(hub, *parse_url("http://huggingface.co")));
  EXPECT_FALSE(same_origin(hub, *parse_url("https://huggingface.co.example.com")));
  EXPECT_TRUE(may_carry_token(hub));
  EXPECT_TRUE(may_carry_token(*parse_url("http://127.0.0.1:80")));
  EXPECT_FALSE(may_carry_token(*parse_url("http://127.0.0.1.example.com")));
}

TEST(Url, RefusesWhatShouldNotBeAsked) {
  EXPECT_FALSE(parse_url("ftp://a/b"));
  EXPECT_FALSE(parse_url("file:///etc/passwd"));
  EXPECT_FALSE(parse_url("huggingface.co"));
  const auto secret = parse_url("https://user:hunter2@host/");
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().message.find("hunter2"), std::string::npos);
}

TEST(Url, FollowsALocation) {
  EXPECT_EQ(*resolve_location("https://a/b/c?x=1", "/d?y=2"), "https://a/d?y=2");
  EXPECT_EQ(*resolve_location("https://a/b", "https://cdn/x?signature=1"),
            "https://cdn/x?signature=1");
  EXPECT_EQ(resolve_location("https://a/b", "http://a/b").error().code, Code::kPermissionDenied);
  EXPECT_FALSE(resolve_location("https://a/b", "file:///etc/passwd"));
}

// Sets a variable for the time of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }

  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Access, ComesFromTheEnvironment) {
  const Variable token("HF_TOKEN", "hf_secret");
  const Variable endpoint("HF_ENDPOINT", "https://mirror.example/");
  const auto access = access_from_environment(Kind::kHuggingFace, "");
  ASSERT_TRUE(access);
  EXPECT_EQ(access->address, "https://mirror.example");
  EXPECT_EQ(access->token, "hf_secret");
  EXPECT_EQ(access_from_environment(Kind::kHuggingFace, "https://b/")->address, "https://b");
  const auto modelscope = access_from_environment(Kind::kModelScope, "");
  EXPECT_EQ(modelscope->address, "https://modelscope.cn");
  EXPECT_EQ(modelscope->token, "");
}

TEST(Access, ATokenDoesNotTravelInTheClear) {
  const Variable token("HF_TOKEN", "hf_secret");
  EXPECT_EQ(access_from_environment(Kind::kHuggingFace, "http://mirror.example")->token, "");
  EXPECT_EQ(access_from_environment(Kind::kHuggingFace, "http://127.0.0.1:9")->token, "hf_secret");
}

TEST(Access, ATokenIsOneLine) {
  const Variable token("HF_TOKEN", "hf_secret\r\nX-Evil: 1");
  const auto access = access_from_environment(Kind::kHuggingFace, "");
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().message.find("hf_secret"), std::string::npos);
}

}  // namespace
}  // namespace plinth::hub
