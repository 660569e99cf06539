// Runs that end early, and runs shared by machines: the corpus is always the same.
#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "core/rng.h"
#include "corpus/corpus.h"
#include "corpus/stage/piece.h"
#include "corpus/stage/piece_store.h"
#include "corpus/stage/read_stage.h"
#include "corpus/stage/text_of_test.h"
#include "corpus/unpack/archive_of_test.h"

namespace plinth::corpus {
namespace {

using testing::HasSubstr;

// Several units, one of them with containers; exact and near duplicates across them.
class Stages : public testing::Test {
 protected:
  Stages() : temp_(*TempDirectory::create()) {
    Rng rng(1);
    std::vector<std::pair<std::string, std::string>> inside;
    for (int i = 0; i < 160; ++i) {
      std::string text = i % 9 == 8 ? last_ : random_text(rng, 80);
      if (i % 11 == 10) text = last_ + "修订";
      last_ = text;
      put(fmt::format("{}/{:03}.txt", i % 3, i), text);
      if (i % 10 == 0) inside.emplace_back(fmt::format("{}.txt", i), i % 20 == 0 ? text : "短");
    }
    put("1/包.zip", zip_of({{"a.txt", inside[0].second}, {"b.txt", inside[1].second}}));
    put("1/行.jsonl",
        "{\"text\":\"门锁啮合深度不得小于七毫米，检查时应当逐层测量并记录。\"}\n{bad\n");
    put("2/空.txt", "");
  }

  void put(const std::string& name, std::string_view bytes) {
    const Path path = in() / name;
    ASSERT_TRUE(make_directories(path.parent_path()));
    ASSERT_TRUE(write_file_atomic(path, bytes));
  }

  Path in() const { return temp_.path() / "in"; }

  RefineOptions options(const char* out) const {
    RefineOptions o;
    o.inputs = {in()};
    o.out = temp_.path() / out;
    return o;
  }

  static std::map<std::string, std::string> hashes(const Path& corpus) {
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(corpus))
      if (entry.path().filename() != "report.json")  // seconds
        out[entry.path().filename().string()] = *sha256_file(entry.path());
    return out;
  }

  TempDirectory temp_;
  std::string last_ = "电梯维护保养规程，应当保障乘客的安全。\n";
};

TEST_F(Stages, AStopAtAnyStepLeavesWhatTheSameCallFinishes) {
  ASSERT_TRUE(refine(options("whole")));
  const auto whole = hashes(temp_.path() / "whole");
  EXPECT_EQ(whole.size(), 4u);  // documents, rejects, report, manifest
  bool finished = false;
  for (int stop = 1; !finished; ++stop) {
    ASSERT_LT(stop, 30);
    RefineOptions o = options("cut");
    int steps = 0;
    o.step = [&](std::string_view) -> Status {
      if (++steps == stop) return make_error(Code::kUnavailable, "stopped");
      return {};
    };
    const auto first = refine(o);
    finished = first.has_value();
    if (!finished) {
      EXPECT_FALSE(std::filesystem::exists(o.out));
      EXPECT_TRUE(refine(options("cut")));
    }
    EXPECT_EQ(hashes(o.out), whole) << "stopped at step " << stop;
    EXPECT_FALSE(std::filesystem::exists(temp_.path() / "cut.work"));
    ASSERT_TRUE(remove_tree(o.out));
  }
}

TEST_F(Stages, WhatIsThereIsNotMadeAgain) {
  RefineOptions o = options("out");
  int steps = 0;
  o.step = [&](std::string_view) -> Status {
    if (++steps == 3) return make_error(Code::kUnavailable, "stopped");
    return {};
  };
  ASSERT_FALSE(refine(o));
  const int before = steps;
  steps = 100;
  ASSERT_TRUE(refine(o));
  const int again = steps - 100;
  steps = 100;
  ASSERT_TRUE(refine(options("other")));
  o.out = temp_.path() / "third";
  ASSERT_TRUE(refine(o));
  // A window's units are written side by side: more may be there than were told of.
  EXPECT_LE(before + again, steps - 100);
  EXPECT_LT(again, steps - 100 - 2);
}

TEST_F(Stages, ATornPieceIsMadeAgain) {
  ASSERT_TRUE(refine(options("whole")));
  RefineOptions o = options("out");
  o.step = [](std::string_view step) -> Status {
    if (step == "fates") return make_error(Code::kUnavailable, "stopped");
    return {};
  };
  ASSERT_FALSE(refine(o));
  const Path pieces = temp_.path() / "out.work" / "pieces";
  int torn = 0;
  for (const auto& entry : std::filesystem::directory_iterator(pieces))
    if (++torn == 2) std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
  ASSERT_GE(torn, 2);
  ASSERT_TRUE(write_file_atomic(pieces / "00000001-000000.piece.tmp", "half"));
  ASSERT_TRUE(refine(options("out")));
  EXPECT_EQ(hashes(temp_.path() / "out"), hashes(temp_.path() / "whole"));
}

TEST_F(Stages, ChangedInputsBeginAgain) {
  RefineOptions o = options("out");
  o.step = [](std::string_view step) -> Status {
    if (step == "fates") return make_error(Code::kUnavailable, "stopped");
    return {};
  };
  ASSERT_FALSE(refine(o));
  put("0/000.txt", "改过的文件，应当重新读取，而不是沿用旧的结果，否则语料就不对了。\n");
  ASSERT_TRUE(refine(options("out")));
  ASSERT_TRUE(refine(options("whole")));
  EXPECT_EQ(hashes(temp_.path() / "out"), hashes(temp_.path() / "whole"));
}

TEST_F(Stages, PartsMergeIntoTheCorpusOfOneRun) {
  ASSERT_TRUE(refine(options("whole")));
  std::vector<Path> parts;
  for (int rank = 0; rank < 3; ++rank) {
    const std::string name = fmt::format("part-{}", rank);
    RefineOptions o = options(name.c_str());
    o.rank = rank;
    o.world = 3;
    ASSERT_TRUE(refine(o));
    parts.push_back(o.out);
  }
  std::swap(parts[0], parts[2]);  // in any order
  const Path merged = temp_.path() / "merged";
  const auto report = merge_parts(parts, merged);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(hashes(merged), hashes(temp_.path() / "whole"));

  const auto missing = merge_parts({parts[0], parts[1]}, merged);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("rank 0 of 3 is missing"));
  const auto twice = merge_parts({parts[0], parts[1], parts[1]}, merged);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("are both rank"));
  RefineOptions other = options("other");
  other.world = 3;
  other.recipe.limits["chars_min"] = 5;
  ASSERT_TRUE(refine(other));
  const auto mixed = merge_parts({other.out, parts[0], parts[1]}, merged);
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message, HasSubstr("different runs"));
  for (const auto& entry : std::filesystem::directory_iterator(parts[0]))
    if (entry.path().extension() == ".piece") {
      std::string bytes = *read_file(entry.path());
      bytes[bytes.size() / 2] ^= 1;
      ASSERT_TRUE(write_file_atomic(entry.path(), bytes));
      break;
    }
  const auto damaged = merge_parts(parts, merged);
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("SHA-256"));
}

TEST_F(Stages, AContainerOfManyPartsGoesOnInTheMiddle) {
  std::string rows;
  Rng rng(4);
  // Pieces of 1 MiB: two parts of one unit.
  const std::string body = random_text(rng, 2000);
  while (rows.size() < (size_t{76} << 20))
    rows += fmt::format("{{\"text\":\"{}{}\"}}\n", rows.size(), body.substr(0, body.size() - 1));
  ASSERT_TRUE(remove_tree(in()));
  put("rows.jsonl", rows);
  rows = {};
  RefineOptions o = options("cut");
  o.recipe.near_jaccard = 1;
  int steps = 0;
  o.step = [&](std::string_view) -> Status {
    if (++steps == 1) return make_error(Code::kUnavailable, "stopped");
    return {};
  };
  ASSERT_FALSE(refine(o));
  steps = 10;
  ASSERT_TRUE(refine(o));
  EXPECT_EQ(steps, 10 + 5);  // the last part, the unit, lines, fates, the corpus
  o.out = temp_.path() / "whole";
  ASSERT_TRUE(refine(o));
  EXPECT_EQ(hashes(temp_.path() / "cut"), hashes(o.out));
}

std::string rows(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += fmt::format("{{\"text\":\"{}\"}}\n", i);
  return out;
}

TEST_F(Stages, FilesOfManyRowsAreTakenInPieces) {
  for (const int n : {1024, 1025}) {
    ASSERT_TRUE(remove_tree(in()));
    put("a.jsonl", rows(n));
    RefineOptions o = options(n == 1024 ? "whole" : "pieces");
    bool in_pieces = false;
    o.step = [&](std::string_view step) -> Status {
      in_pieces |= step == "unit 0 part 0";
      return {};
    };
    ASSERT_TRUE(refine(o));
    EXPECT_EQ(in_pieces, n > 1024);
  }
}

TEST_F(Stages, FilesOfManyRowsAreOneFileEachInTheReport) {
  ASSERT_TRUE(remove_tree(in()));
  put("a.jsonl", rows(6000));
  put("b.txt", last_);
  put("c.zip", zip_of({{"d.jsonl", rows(9000)}}));
  put("e.jsonl", rows(1500));
  ASSERT_TRUE(refine(options("out")));
  const auto text = read_file(temp_.path() / "out" / "report.json");
  ASSERT_TRUE(text);
  const Json report = *parse_json(*text, "report");
  EXPECT_EQ(report["documents_in"], 6000 + 1 + 9000 + 1500);
  EXPECT_EQ(report["files"], 4);
  EXPECT_EQ(report["leaves"], 1);
  EXPECT_EQ(report["bytes_in"], rows(6000).size() + last_.size() + rows(1500).size() +
                                    std::filesystem::file_size(in() / "c.zip"));
  EXPECT_EQ(report["bytes_unpacked"], rows(9000).size());
}

TEST(Piece, RoundTripAndEveryTornLengthIsRefused) {
  const auto temp = TempDirectory::create();
  FileOutcome file;
  file.kind = Kind::kText;
  file.sha256 = "ab";
  Outcome kept, dropped;
  kept.document.text = "正文\n第二行";
  kept.document.id = "1";
  kept.text_hash = 7;
  kept.keys[3] = 9;
  dropped.drop = Drop{"length", "短"};
  file.outcomes = {kept, dropped};
  PieceBuilder builder;
  builder.add(*encode("a - 副本.txt", file));
  builder.add(*encode("b.txt", file));
  const std::string bytes = builder.finish(true);
  const Path path = temp->path() / "p";
  ASSERT_TRUE(write_file_atomic(path, bytes));
  const auto piece = Piece::open(path);
  ASSERT_TRUE(piece) << piece.error().message;
  ASSERT_EQ(piece->entries().size(), 4u);
  ASSERT_EQ(piece->keys().size(), 2u);
  EXPECT_TRUE(piece->last());
  EXPECT_EQ(piece->entries()[2].keys, 1);
  EXPECT_EQ(piece->entries()[3].keys, -1);
  EXPECT_EQ(piece->keys()[1][3], 9u);
  std::string kinds;
  ASSERT_TRUE(piece->each_record([&](std::string_view record) -> Status {
    kinds.push_back(record[0]);
    return {};
  }));
  EXPECT_EQ(kinds, "FDDFDD");
  const PieceEntry& entry = piece->entries()[2];
  const auto record = read_record(path, entry.at, entry.bytes);
  ASSERT_TRUE(record);
  EXPECT_THAT(std::string(document_line(*record)), HasSubstr("第二行"));
  for (size_t n = 0; n < bytes.size(); ++n) {
    ASSERT_TRUE(write_file_atomic(path, std::string_view(bytes).substr(0, n)));
    EXPECT_FALSE(Piece::open(path)) << n;
  }
}

TEST(Units, DependOnSizesAlone) {
  std::vector<InputFile> files(200);
  for (InputFile& file : files) file.bytes = 1;
  files[10].bytes = uint64_t{1} << 40;
  const auto units = units_of(files);
  ASSERT_EQ(units.size(), 5u);
  EXPECT_EQ(units[0].end, 10u);
  EXPECT_EQ(units[1].end, 11u);
  EXPECT_EQ(units[2].end, 75u);
  EXPECT_EQ(units[4].end, 200u);
}

}  // namespace
}  // namespace plinth::corpus
