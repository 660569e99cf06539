// The cheapest architect: reads every #include under src/ and compares it with the table below
// (the architecture page shows the same table as a picture). A file may include its own module, and
// the modules its own may use. A header of another module other than its public ones is a
// violation.

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What each module may include, everything below spelt out.
const std::map<std::string, Names>& allowed() {
  static const Names kModel{"core", "tensor", "text", "model"};
  static const Names kEngine{"core", "tensor", "text", "model", "engine"};
  static const auto with = [](Names base, const Names& more) {
    base.insert(more.begin(), more.end());
    return base;
  };
  static const std::map<std::string, Names> kTable{
      {"core", {}},
      {"hub", {"core"}},
      {"store", {"core"}},
      {"tensor", {"core"}},
      {"text", {"core"}},
      {"model", {"core", "tensor", "text"}},
      {"grammar", {"core", "text"}},
      {"engine", with(kModel, {"grammar"})},
      {"corpus", {"core", "text", "store"}},
      {"train", with(kEngine, {"store"})},
      {"eval", with(kEngine, {"store"})},
      {"knowledge", with(kEngine, {"store"})},
      // Not tensor by name: the server asks the engine.
      {"server",
       {"core", "text", "grammar", "store", "model", "engine", "corpus", "train", "eval",
        "knowledge"}},
      {"cli",
       {"core", "hub", "text", "grammar", "store", "model", "engine", "corpus", "train", "eval",
        "knowledge", "server", "tensor"}},
  };
  return kTable;
}

TEST(Layers, IncludesPointDownward) {
  const fs::path root = fs::path(PLINTH_SOURCE_DIR) / "src";
  static const std::regex kInclude(R"re(^\s*#\s*include\s+"([a-z_]+)/([^"]+)")re");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const fs::path relative = fs::relative(entry.path(), root);
    const std::string extension = relative.extension().string();
    if (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".cuh")
      continue;
    ++files;
    const std::string module = relative.begin()->string();
    const auto row = allowed().find(module);
    ASSERT_NE(row, allowed().end()) << relative << ": folder is not in the table";
    std::ifstream in(entry.path());
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, kInclude)) continue;
      const std::string target = match[1];
      EXPECT_TRUE(target == module || row->second.contains(target))
          << "src/" << relative.string() << ":" << number << " includes " << target << "/"
          << match[2] << ", but " << module << " does not stand on " << target;
    }
  }
  EXPECT_GT(files, 50) << "found too few sources under " << root;
}

TEST(Layers, SqlStaysInStore) {
  const fs::path root = fs::path(PLINTH_SOURCE_DIR) / "src";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const fs::path relative = fs::relative(entry.path(), root);
    if (*relative.begin() == "store") continue;
    std::ifstream in(entry.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(text.find("sqlite3"), std::string::npos) << relative << " knows SQLite";
    EXPECT_EQ(text.find("libpq"), std::string::npos) << relative << " knows PostgreSQL";
  }
}

}  // namespace
