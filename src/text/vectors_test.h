// The llama.cpp vocabulary vectors of the shared data: texts between marker lines, one line of ids
// for each.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "text/shared_data_test.h"
#include "text/tokenizer.h"

namespace plinth::text {

inline void expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const std::string base = "tokenizers/llama.cpp-vocab-tests/ggml-vocab-" + name + ".gguf";
  const std::string in = shared_text(base + ".inp");
  std::istringstream lines(shared_text(base + ".out"));
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  size_t n = 0;
  for (size_t at = 0; at < in.size(); ++n) {
    const size_t end = std::min(in.find(kMark, at), in.size());
    const std::string text = in.substr(at, end - at);
    at = end + kMark.size();
    std::string line;
    std::getline(lines, line);
    std::istringstream numbers(line);
    std::vector<int32_t> expected;
    for (int32_t id = 0; numbers >> id;) expected.push_back(id);
    const auto ids = tokenizer.encode(text, false);
    EXPECT_EQ(ids, expected) << name << " " << n << " '" << text << "'";
    if (tokenizer.spec().algorithm != Algorithm::kByteBpe) continue;
    EXPECT_EQ(tokenizer.decode(ids), text) << name << " " << n;
  }
  EXPECT_GE(n, 40u) << base << ".inp";
}

}  // namespace plinth::text
