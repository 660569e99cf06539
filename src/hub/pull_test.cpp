// Pulls from a server on this machine that behaves as hubs do, and as they should not.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "hub/part_file.h"

namespace plinth::hub {
namespace {

const std::string kCommit(40, 'c');

std::string git_sha1(const std::string& content) {
  Sha1 hash;
  hash.update(fmt::format("blob {}", content.size()) + '\0' + content);
  return hash.hex();
}

std::string noise(size_t bytes) {
  std::string text(bytes, '\0');
  uint64_t state = 1;
  for (char& c : text) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>(state >> 56);
  }
  return text;
}

// A repository with two small files and one in large file storage, and the Hugging Face API over
// it.
class Hub : public ::testing::Test {
 protected:
  Hub()
      : temp_(*TempDirectory::create()),
        server_([this](const FakeRequest& r) { return answer(r); }) {
    ::setenv("no_proxy", "127.0.0.1,localhost", 1);
    access_.address = server_.address();
    access_.token_variable = "HF_TOKEN";
    access_.attempts_max = 3;
    access_.first_wait_seconds = 0.001;
    files_ = {{"config.json", R"({"a": 1})"},
              {"tokenizer.json", "{}"},
              {"model.safetensors", noise(700'000)},
              {"README.md", "# read me"}};
  }

  FakeReply answer(const FakeRequest& request) {
    if (special_)
      if (const auto reply = special_(request)) return *reply;
    if (request.path == "/api/models/org/name/revision/main")
      return {.body = fmt::format(R"({{"sha": "{}"}})", kCommit)};
    if (request.path == fmt::format("/api/models/org/name/tree/{}?recursive=true", kCommit))
      return {.body = listing()};
    const std::string prefix = fmt::format("/org/name/resolve/{}/", kCommit);
    if (!request.path.starts_with(prefix)) return {.status = 404};
    return content(request, request.path.substr(prefix.size()));
  }

  FakeReply content(const FakeRequest& request, const std::string& name) {
    const std::string& bytes = files_.at(name);
    const int64_t begin = request.range_begin();
    if (begin < 0) return {.body = bytes};
    return {.status = 206,
            .headers = {fmt::format("Content-Range: bytes {}-{}/{}", begin, bytes.size() - 1,
                                    bytes.size())},
            .body = bytes.substr(static_cast<size_t>(begin))};
  }

  std::string listing() const {
    Json page = Json::array();
    for (const auto& [path, bytes] : files_) page.push_back(entry(path, bytes));
    return to_text(page);
  }

  static Json entry(const std::string& path, const std::string& bytes) {
    Json entry = {{"type", "file"}, {"path", path}, {"size", bytes.size()}};
    if (path.ends_with(".safetensors"))
      entry["lfs"] = {{"oid", sha256_hex(bytes)}, {"size", bytes.size()}};
    else
      entry["oid"] = git_sha1(bytes);
    return entry;
  }

  Result<Pulled> pull_now() {
    return pull(reference_, access_, root(), [this](const Moment& m) { moment_ = m; });
  }

  Path root() const { return temp_.path() / "hub"; }

  Path folder() const { return root() / "huggingface/org/name" / kCommit; }

  std::string on_disk(const std::string& name) const { return *read_file(folder() / name); }

  // How often a path that ends so was asked for.
  size_t count(const std::vector<FakeRequest>& requests, const std::string& end) const {
    return static_cast<size_t>(
        std::count_if(requests.begin(), requests.end(),
                      [&end](const FakeRequest& request) { return request.path.ends_with(end); }));
  }

  TempDirectory temp_;
  std::map<std::string, std::string> files_;
  std::function<std::optional<FakeReply>(const FakeRequest&)> special_;
  FakeServer server_;
  Access access_;
  Reference reference_{.repository = "org/name"};
  Moment moment_;
};

TEST_F(Hub, APullBringsWhatABaseNeeds) {
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->path, folder());
  EXPECT_EQ(pulled->commit, kCommit);
  EXPECT_EQ(pulled->bytes_fetched, 700'010);
  EXPECT_EQ(moment_.bytes_done, 700'010);
  EXPECT_EQ(moment_.bytes_total, 700'010);
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"})
    EXPECT_EQ(on_disk(name), files_[name]) << name;
  EXPECT_FALSE(std::filesystem::exists(folder() / "README.md"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "model.safetensors.part"));

  const auto origin = read_origin(*snapshot_of(root(), pulled->path));
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->address, access_.address);
  EXPECT_EQ(origin->repository, "org/name");
  EXPECT_EQ(origin->commit, kCommit);
}

TEST_F(Hub, ASecondPullAsksForNoFile) {
  ASSERT_TRUE(pull_now());
  (void)server_.take_requests();
  const auto again = pull_now();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->bytes_fetched, 0);
  EXPECT_EQ(server_.take_requests().size(), 2u);  // the commit and the listing
}

TEST_F(Hub, AFileThatChangedOnDiskIsFetchedAgain) {
  ASSERT_TRUE(pull_now());
  std::ofstream(folder() / "config.json") << R"({"a": 2})";
  ASSERT_TRUE(pull_now());
  EXPECT_EQ(on_disk("config.json"), R"({"a": 1})");
}

TEST_F(Hub, ACutConnectionGoesOnWhereItEnded) {
  std::atomic<int> cuts = 0;
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("/model.safetensors") || cuts++ >= 4) return std::nullopt;
    FakeReply reply = content(request, "model.safetensors");
    reply.bytes_sent_max = 100'000;
    return reply;
  };
  const auto pulled = pull_now();  // four cuts and three attempts: what arrives counts anew
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
  std::vector<int64_t> begins;
  for (const auto& request : server_.take_requests())
    if (request.path.ends_with("/model.safetensors")) begins.push_back(request.range_begin());
  EXPECT_EQ(begins, (std::vector<int64_t>{-1, 100'000, 200'000, 300'000, 400'000}));
}

TEST_F(Hub, TheNextRunGoesOnBehindThePart) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "model.safetensors.part", std::ios::binary)
      << files_["model.safetensors"].substr(0, 123'456);
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->bytes_fetched, 700'010 - 123'456);
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
}

TEST_F(Hub, AWholePartNeedsNoRequest) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "model.safetensors.part", std::ios::binary)
      << files_["model.safetensors"];
  ASSERT_TRUE(pull_now());
  EXPECT_EQ(count(server_.take_requests(), "/model.safetensors"), 0u);
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
}

TEST_F(Hub, AServerWithoutRangesSendsTheWhole) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "model.safetensors.part", std::ios::binary) << std::string(5000, 'x');
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("/model.safetensors")) return std::nullopt;
    return FakeReply{.body = files_["model.safetensors"]};
  };
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
}

TEST_F(Hub, ARangeOutOfPlaceIsNotAppended) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "model.safetensors.part", std::ios::binary)
      << files_["model.safetensors"].substr(0, 5000);
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("/model.safetensors") || request.range_begin() < 0)
      return std::nullopt;
    return FakeReply{.status = 206,
                     .headers = {"Content-Range: bytes 0-699999/700000"},
                     .body = files_["model.safetensors"]};
  };
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
}

TEST_F(Hub, AWrongHashNamesBothAndRemovesThePart) {
  for (const char* name : {"model.safetensors", "config.json"}) {
    special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (!request.path.ends_with(std::string("/") + name)) return std::nullopt;
      std::string changed = files_[name];
      changed[3] = static_cast<char>(changed[3] ^ 1);
      return FakeReply{.body = changed};
    };
    const auto pulled = pull_now();
    ASSERT_FALSE(pulled) << name;
    EXPECT_EQ(pulled.error().code, Code::kDataLoss);
    EXPECT_NE(pulled.error().message.find(name), std::string::npos) << pulled.error().message;
    const std::string expected =
        std::string(name) == "config.json" ? git_sha1(files_[name]) : sha256_hex(files_[name]);
    EXPECT_NE(pulled.error().message.find(expected), std::string::npos) << pulled.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder() / name));
    EXPECT_FALSE(std::filesystem::exists(part_path(folder() / name)));
    std::filesystem::remove_all(root());
  }
}

TEST_F(Hub, MoreBytesThanListedAreRefused) {
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("/tokenizer.json")) return std::nullopt;
    return FakeReply{.body = std::string(1'000'000, ' ')};
  };
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(folder() / "tokenizer.json.part"));
}

TEST_F(Hub, RefusalsSayWhatToDo) {
  struct Case {
    int status;
    const char* token;
    Code code;
    const char* says;
  };

  const Case cases[] = {
      {401, "", Code::kUnauthenticated, "set HF_TOKEN"},
      {401, "hf_secret", Code::kUnauthenticated, "does not accept the token in HF_TOKEN"},
      {403, "", Code::kPermissionDenied, "accept the repository's terms"},
      {403, "hf_secret", Code::kPermissionDenied, "with the account of the token in HF_TOKEN"},
      {404, "", Code::kNotFound, "check the repository's name and revision"},
      {418, "", Code::kUnavailable, "status 418"},
  };
  for (const Case& c : cases) {
    access_.token = c.token;
    special_ = [&](const FakeRequest&) { return FakeReply{.status = c.status, .body = "no"}; };
    const auto pulled = pull_now();
    ASSERT_FALSE(pulled) << c.status;
    EXPECT_EQ(pulled.error().code, c.code) << c.status;
    EXPECT_NE(pulled.error().message.find(c.says), std::string::npos) << pulled.error().message;
    EXPECT_NE(pulled.error().message.find("hf://org/name"), std::string::npos);
    EXPECT_EQ(pulled.error().message.find("hf_secret"), std::string::npos);
    EXPECT_EQ(server_.take_requests().size(), 1u) << c.status << " is not worth repeating";
  }
}

TEST_F(Hub, TooManyRequestsWaitsAsAsked) {
  std::atomic<int> refusals = 1;
  special_ = [&](const FakeRequest&) -> std::optional<FakeReply> {
    if (refusals-- > 0) return FakeReply{.status = 429, .headers = {"Retry-After: 0"}};
    return std::nullopt;
  };
  EXPECT_TRUE(pull_now());

  special_ = [&](const FakeRequest&) {
    return FakeReply{.status = 429, .headers = {"Retry-After: 3600"}};
  };
  const auto refused = pull_now();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_NE(refused.error().message.find("3600 s"), std::string::npos) << refused.error().message;
}

TEST_F(Hub, AServerErrorIsTriedAgainAndGivenUpInTheEnd) {
  std::atomic<int> errors = 2;
  special_ = [&](const FakeRequest&) -> std::optional<FakeReply> {
    if (errors-- > 0) return FakeReply{.status = 503, .body = "busy"};
    return std::nullopt;
  };
  EXPECT_TRUE(pull_now());
  (void)server_.take_requests();

  special_ = [&](const FakeRequest&) { return FakeReply{.status = 500}; };
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kUnavailable);
  EXPECT_NE(pulled.error().message.find("3 attempts"), std::string::npos);
  EXPECT_EQ(server_.take_requests().size(), 3u);
}

TEST_F(Hub, ARedirectToAnotherServerDoesNotCarryTheToken) {
  FakeServer cdn(
      [this](const FakeRequest& request) { return content(request, "model.safetensors"); });
  access_.token = "hf_secret";
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.path == "/moved") return content(request, "config.json");
    if (request.path.ends_with("/config.json"))  // within the hub: relative, the token goes along
      return FakeReply{.status = 307, .headers = {"Location: /moved"}};
    if (request.path.ends_with("/model.safetensors"))
      return FakeReply{.status = 302,
                       .headers = {"Location: " + cdn.address() + "/blob?signature=s3cr3t"}};
    return std::nullopt;
  };
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "model.safetensors.part", std::ios::binary)
      << files_["model.safetensors"].substr(0, 1000);
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
  for (const auto& request : server_.take_requests())
    EXPECT_TRUE(request.has("authorization: bearer hf_secret")) << request.path;
  const auto asked = cdn.take_requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_FALSE(asked[0].has("authorization")) << asked[0].headers;
  EXPECT_FALSE(asked[0].has("hf_secret")) << asked[0].headers;
  EXPECT_EQ(asked[0].range_begin(), 1000);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(temp_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path())->find("hf_secret"), std::string::npos) << entry.path();
  }
}

TEST_F(Hub, AnErrorBehindARedirectDoesNotShowTheSignature) {
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("/config.json")) return std::nullopt;
    return FakeReply{.status = 302, .headers = {"Location: http://127.0.0.1:1/x?signature=s3cr3t"}};
  };
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kUnavailable);
  EXPECT_EQ(pulled.error().message.find("s3cr3t"), std::string::npos) << pulled.error().message;
}

TEST_F(Hub, RedirectsEnd) {
  special_ = [&](const FakeRequest&) {
    return FakeReply{.status = 302, .headers = {"Location: /again"}};
  };
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_NE(pulled.error().message.find("redirects"), std::string::npos);
}

TEST_F(Hub, APathThatLeadsOutsideStopsThePull) {
  for (const char* path : {"../../escaped.safetensors", "/tmp/escaped", "a/../../../escaped"}) {
    special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (!request.path.ends_with("recursive=true")) return std::nullopt;
      Json page = parse_json(listing(), "page").value();
      page.push_back(entry(path, "x"));
      return FakeReply{.body = to_text(page)};
    };
    const auto pulled = pull_now();
    ASSERT_FALSE(pulled) << path;
    EXPECT_EQ(pulled.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(std::filesystem::exists(root()))
        << "nothing is written before the listing is checked";
  }
}

TEST_F(Hub, AListingComesInPages) {
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    const std::string tree = fmt::format("/api/models/org/name/tree/{}?", kCommit);
    if (!request.path.starts_with(tree)) return std::nullopt;
    const Json all = parse_json(listing(), "page").value();
    const std::string query = request.path.substr(tree.size());
    const size_t at =
        query == "recursive=true" ? 0 : std::stoul(query.substr(query.rfind('=') + 1));
    FakeReply reply{.body = to_text(Json::array({all[at]}))};
    if (at + 1 < all.size())  // a mirror that names its source
      reply.headers = {
          fmt::format("Link: <https://huggingface.co{}recursive=true&cursor={}>; "
                      "rel=\"next\"",
                      tree, at + 1)};
    return reply;
  };
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(on_disk("model.safetensors"), files_["model.safetensors"]);
}

TEST_F(Hub, AnAnswerThatIsNoListingIsAnError) {
  for (const char* body : {"", "<html>", "{}", "[[[[", R"({"sha": "../x"})"}) {
    special_ = [&](const FakeRequest&) { return FakeReply{.body = body}; };
    const auto pulled = pull_now();
    ASSERT_FALSE(pulled) << body;
    EXPECT_EQ(pulled.error().code, Code::kInvalidArgument) << pulled.error().message;
  }
}

TEST_F(Hub, ADiskThatIsTooSmallIsSaidBeforeTheFirstByte) {
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (!request.path.ends_with("recursive=true")) return std::nullopt;
    Json page = Json::array({entry("config.json", "{}")});
    page.push_back({{"type", "file"}, {"path", "model.safetensors"}, {"size", int64_t{1} << 43}});
    return FakeReply{.body = to_text(page)};
  };
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kResourceExhausted);
  EXPECT_NE(pulled.error().message.find("8796094 MB"), std::string::npos) << pulled.error().message;
  EXPECT_EQ(server_.take_requests().size(), 2u);
}

TEST_F(Hub, TwoPullsOfOneCommitDoNotMix) {
  ASSERT_TRUE(pull_now());
  const auto lock = FileLock::take(folder() / ".lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(pull_now().error().code, Code::kFailedPrecondition);
}

TEST_F(Hub, AServerThatFallsSilentIsGivenUp) {
  access_.stall_seconds = 1;
  access_.attempts_max = 1;
  // Shared: the server's thread may look once more after this frame is gone.
  const auto given_up = std::make_shared<std::atomic<bool>>(false);
  special_ = [given_up](const FakeRequest&) {
    while (!*given_up) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return FakeReply{.status = 500};
  };
  const auto pulled = pull_now();
  *given_up = true;
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kUnavailable);
  EXPECT_NE(pulled.error().message.find("too slow"), std::string::npos) << pulled.error().message;
}

TEST_F(Hub, ABusyServerIsNotWaitedForLongerThanWePlan) {
  access_.wait_seconds_max = 0.01;
  std::atomic<int> errors = 1;
  special_ = [&](const FakeRequest&) -> std::optional<FakeReply> {
    if (errors-- > 0) return FakeReply{.status = 503, .headers = {"Retry-After: 3600"}};
    return std::nullopt;
  };
  EXPECT_TRUE(pull_now());
}

TEST_F(Hub, NobodyThere) {
  access_.address = "http://127.0.0.1:1";
  const auto pulled = pull_now();
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Code::kUnavailable);
}

TEST_F(Hub, ModelScopeHasItsOwnAddresses) {
  files_["x.gguf"] = noise(5000);
  special_ = [&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.path == "/api/v1/models/org/name/repo/files?Revision=v1&Recursive=true")
      return FakeReply{.body = to_text({{"Code", 200},
                                        {"Success", true},
                                        {"Data",
                                         {{"LatestCommitter", {{"Id", kCommit}}},
                                          {"Files",
                                           {{{"Type", "blob"},
                                             {"Path", "q8/x.gguf"},
                                             {"Size", 5000},
                                             {"Sha256", sha256_hex(files_["x.gguf"])}}}}}}})};
    if (request.path ==
        fmt::format("/api/v1/models/org/name/repo?Revision={}&FilePath=q8%2Fx.gguf", kCommit))
      return content(request, "x.gguf");
    return FakeReply{.status = 404};
  };
  reference_.kind = Kind::kModelScope;
  reference_.revision = "v1";
  access_.token = "ms-secret";
  access_.token_variable = "MODELSCOPE_API_TOKEN";
  const auto pulled = pull_now();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->path, root() / "modelscope/org/name" / kCommit / "q8/x.gguf");
  EXPECT_EQ(*read_file(pulled->path), files_["x.gguf"]);
  EXPECT_EQ(read_origin(*snapshot_of(root(), pulled->path))->revision, "v1");
  for (const auto& request : server_.take_requests())
    EXPECT_TRUE(request.has("authorization: bearer ms-secret"));
}

TEST(Snapshot, IsAFolderFourLevelsDown) {
  EXPECT_EQ(snapshot_of("/h/hub", "/h/hub/huggingface/a/b/c/q/x.gguf"),
            Path("/h/hub/huggingface/a/b/c"));
  EXPECT_EQ(snapshot_of("/h/hub", "/h/hub/huggingface/a/b/c"), Path("/h/hub/huggingface/a/b/c"));
  EXPECT_EQ(snapshot_of("/h/hub", "/h/hub/huggingface/a/b"), std::nullopt);
  EXPECT_EQ(snapshot_of("/h/hub", "/h/hub/../other/a/b/c"), std::nullopt);
  EXPECT_EQ(snapshot_of("/h/hub", "/models/a/b/c/d"), std::nullopt);
}

}  // namespace
}  // namespace plinth::hub
