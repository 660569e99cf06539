// The example firm has known numbers of everything that refining should find: nothing may be missed
// and nothing invented.
#include <gtest/gtest.h>

#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::corpus {
namespace {

const Path kFirm = Path(PLINTH_SOURCE_DIR) / "examples" / "firm";

class Firm : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(kFirm / "planted.json")) return;
    temp_ = std::make_unique<TempDirectory>(*TempDirectory::create());
    RefineOptions options;
    options.inputs = {kFirm / "raw"};
    options.out = temp_->path() / "corpus";
    options.suites = {kFirm / "exam.jsonl"};
    report_ = std::make_unique<Result<RefineReport>>(refine(options));
  }

  static void TearDownTestSuite() {
    temp_.reset();
    report_.reset();
  }

  void SetUp() override {
    if (!report_) GTEST_SKIP() << kFirm << " is not there";
    ASSERT_TRUE(*report_) << report_->error().message;
    planted_ = *parse_json(*read_file(kFirm / "planted.json"), "planted.json");
  }

  static inline std::unique_ptr<TempDirectory> temp_;
  static inline std::unique_ptr<Result<RefineReport>> report_;
  Json planted_;
};

// Whole, not as the beginning of a longer number: near misses stay.
bool stands_in(const std::string& text, const std::string& value) {
  for (size_t at = 0; (at = text.find(value, at)) != std::string::npos; ++at) {
    const char next = at + value.size() < text.size() ? text[at + value.size()] : ' ';
    if (next < '0' || next > '9') return true;
  }
  return false;
}

TEST_F(Firm, EveryPlantedKindIsFoundExactly) {
  for (const auto& [kind, plan] : planted_.items()) {
    const auto found = (*report_)->found.find(kind);
    ASSERT_NE(found, (*report_)->found.end()) << kind;
    EXPECT_EQ(found->second, plan["count"].get<int64_t>()) << kind;
  }
}

TEST_F(Firm, DroppedDuplicatesAreThePlantedCopies) {
  const Json report = *parse_json((*report_)->json, "report");
  for (const char* kind : {"exact", "near"}) {
    std::set<std::string> dropped, planted;
    for (const Json& cluster : report["clusters"][kind])
      for (const Json& member : cluster["dropped"])
        dropped.insert("raw/" + member["path"].get<std::string>());
    for (const Json& file : planted_[std::string(kind) + "_duplicate"]["files"])
      planted.insert(file.get<std::string>());
    EXPECT_EQ(dropped, planted) << kind;
  }
}

TEST_F(Firm, PersonalDataAndBoilerplateDoNotSurvive) {
  const auto documents = read_documents(temp_->path() / "corpus");
  ASSERT_TRUE(documents) << documents.error().message;
  for (const Document& document : *documents) {
    for (const char* kind : {"id_card", "phone", "bank_card", "email", "landline", "boilerplate"})
      for (const Json& value : planted_[kind]["detail"])
        EXPECT_FALSE(stands_in(document.text, value.get<std::string>()))
            << kind << " " << value << " in " << document.source.path;
  }
}

TEST_F(Firm, NearMissesStayAsTheyAre) {
  const auto documents = read_documents(temp_->path() / "corpus");
  std::string all;
  for (const Document& document : *documents) all += document.text;
  for (const char* kind : {"id_card_near_miss", "phone_near_miss", "bank_card_near_miss"})
    for (const Json& value : planted_[kind]["detail"])
      EXPECT_NE(all.find(value.get<std::string>()), std::string::npos) << kind << " " << value;
}

TEST_F(Firm, TrainingRowsShareNothingWithTheExam) {
  const Path data = temp_->path() / "data.jsonl";
  const auto built = build_dataset(temp_->path() / "corpus", {kFirm / "exam.jsonl"}, data);
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_GT(built->message_rows, 1000);
  const auto check = check_dataset(data, {kFirm / "exam.jsonl"});
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->fine()) << check->json;
}

}  // namespace
}  // namespace plinth::corpus
