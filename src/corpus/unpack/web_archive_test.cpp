#include "corpus/unpack/web_archive.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "corpus/unpack/archive_of_test.h"
#include "corpus/unpack/http_body.h"
#include "text/shared_data_test.h"

namespace plinth::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<WebRecord> records(const std::string& bytes) {
  std::vector<WebRecord> out;
  EXPECT_TRUE(read_web_archive(bytes, size_t{64} << 20, [&](WebRecord&& record) -> Status {
    out.push_back(std::move(record));
    return {};
  }));
  return out;
}

std::string warc_record(const std::string& kind, const std::string& content,
                        const std::string& url = "http://x/") {
  return fmt::format(
      "WARC/1.0\r\nWARC-Type: {}\r\nWARC-Target-URI: {}\r\nContent-Type: application/http\r\n"
      "Content-Length: {}\r\n\r\n{}\r\n\r\n",
      kind, url, content.size(), content);
}

constexpr const char* kOk =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=GBK\r\n\r\n<p>page";

TEST(WebArchive, PagesWithTheirRanges) {
  const std::string info = warc_record("warcinfo", "software: x"),
                    page = warc_record("response", kOk), ask = warc_record("request", "GET /");
  const auto found = records(info + page + ask + page);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].bytes, "<p>page");
  EXPECT_EQ(found[0].type, "text/html");
  EXPECT_EQ(found[0].charset, "gbk");
  EXPECT_EQ(found[0].url, "http://x/");
  EXPECT_EQ(found[0].begin, info.size());
  EXPECT_EQ(found[0].end, info.size() + page.size());
  EXPECT_EQ(found[1].begin, info.size() + page.size() + ask.size());
}

TEST(WebArchive, RecordByRecordGzipHasRangesOfTheFile) {
  const std::string info = archive_of({{"", warc_record("warcinfo", "x")}}, Packing::kGzip);
  const std::string page = archive_of({{"", warc_record("response", kOk)}}, Packing::kGzip);
  const auto found = records(info + page);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].begin, info.size());
  EXPECT_EQ(found[0].end, info.size() + page.size());
  EXPECT_FALSE(found[0].in_stream);
  const auto whole = records(archive_of(
      {{"", warc_record("warcinfo", "x") + warc_record("response", kOk)}}, Packing::kGzip));
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_TRUE(whole[0].in_stream);
  EXPECT_EQ(whole[0].begin, warc_record("warcinfo", "x").size());
}

TEST(WebArchive, RecordsCompressedInBuffersAreJoined) {
  const std::string page = warc_record("response", kOk);
  const std::string first = archive_of({{"", page.substr(0, 50)}}, Packing::kGzip),
                    second = archive_of({{"", page.substr(50)}}, Packing::kGzip);
  const auto found = records(first + second + archive_of({{"", page}}, Packing::kGzip));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].bytes, "<p>page");
  EXPECT_EQ(found[0].end, first.size() + second.size());
  EXPECT_EQ(found[1].begin, first.size() + second.size());
}

TEST(WebArchive, ADamagedRecordDoesNotStopTheNext) {
  const std::string page = warc_record("response", kOk);
  std::string member = archive_of({{"", page}}, Packing::kGzip), broken = member;
  broken.resize(broken.size() / 2);
  const auto gz = records(member + broken + member);
  ASSERT_EQ(gz.size(), 3u);
  EXPECT_EQ(gz[0].error, "");
  EXPECT_THAT(gz[1].error, HasSubstr("the compressed bytes"));
  EXPECT_EQ(gz[2].error, "");
  const auto plain =
      records(page + "WARC/1.0\r\nWARC-Type: response\r\n\r\nno length\r\n\r\n" + page);
  ASSERT_EQ(plain.size(), 3u);
  EXPECT_THAT(plain[1].error, HasSubstr("no Content-Length"));
  EXPECT_EQ(plain[2].bytes, "<p>page");
  const auto cut = records(page + page.substr(0, page.size() - 9));
  ASSERT_EQ(cut.size(), 2u);
  EXPECT_THAT(cut[1].error, HasSubstr("the record ends after"));
}

TEST(WebArchive, ArcRecords) {
  const std::string about = "1 0 Alexa\nURL IP-address Archive-date Content-type Archive-length\n";
  const std::string page = "HTTP/1.0 200 OK\r\n\r\ntext";
  const std::string file = fmt::format(
      "filedesc://a.arc 0.0.0.0 19960923142103 text/plain {}\n{}\nhttp://x/a b 1.2.3.4 "
      "20000101 text/html {}\n{}\n",
      about.size(), about, page.size(), page);
  const auto found = records(file);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].url, "http://x/a b");
  EXPECT_EQ(found[0].bytes, "text");
  EXPECT_EQ(found[0].end, file.size());
  EXPECT_THAT(records("filedesc://a.arc nothing here\n")[0].error, HasSubstr("header"));
}

TEST(HttpBody, ChunksAndEncodings) {
  const auto body = [](const std::string& headers, const std::string& bytes) {
    const auto out = http_body("HTTP/1.1 200 OK\r\n" + headers + "\r\n" + bytes, 1000);
    return out ? out->bytes : "error: " + out.error().message;
  };
  EXPECT_EQ(body("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
            "abcde");
  EXPECT_EQ(body("Transfer-Encoding: chunked\r\n", "not chunked at all"), "not chunked at all");
  EXPECT_EQ(body("Transfer-Encoding: chunked\r\n", "ffff\r\nshort"), "short");
  const std::string packed = archive_of({{"", "page"}}, Packing::kGzip);
  EXPECT_EQ(body("Content-Encoding: gzip\r\n", packed), "page");
  EXPECT_EQ(body("Content-Encoding: gzip\r\n", "already plain"), "already plain");
  EXPECT_THAT(body("Content-Encoding: zz\r\n", "x"), HasSubstr("zz has no reader"));
  const std::string brotli = "\x8B\x01\x80page\x03";
  EXPECT_EQ(body("Content-Encoding: br\r\n", brotli), "page");
  EXPECT_THAT(body("Content-Encoding: br\r\n", brotli.substr(0, 5)), HasSubstr("cut off"));
  EXPECT_THAT(body("Content-Encoding: br\r\n", "x"), HasSubstr("Brotli"));
  const std::string bomb = archive_of({{"", std::string(100'000, '0')}}, Packing::kGzip);
  EXPECT_THAT(body("Content-Encoding: gzip\r\n", bomb), HasSubstr("more than 1000 bytes"));
  EXPECT_FALSE(http_body("GET / HTTP/1.1\r\n\r\n", 1000));
}

TEST(WebArchive, SamplesOfOtherWritersAreRead) {
  const Path folder = text::shared_data("raw/warc");
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << folder << " is not there (set PLINTH_SHARED_DATA)";

  struct Sample {
    const char* file;
    int pages;
    int bad;
  };

  // Pages are responses of status 200, resources and conversions that are whole, as zcat and grep
  // count them.
  const Sample samples[] = {{"dolma/sample-0000.warc.gz", 24, 0},
                            {"dolma/sample-0001.warc.gz", 17, 0},
                            {"resiliparse/block-sized-records.warc.gz", 0, 0},
                            {"resiliparse/clipped.warc.gz", 0, 1},
                            {"resiliparse/clueweb-quirk.warc.gz", 29, 0},
                            {"resiliparse/warcfile.warc.gz", 16, 0},
                            {"warcio/bad.arc", 0, 1},
                            {"warcio/example-bad-non-chunked.warc.gz", 1, 0},
                            {"warcio/example-digest.warc", 0, 0},
                            {"warcio/example-iana.org-chunked.warc", 1, 0},
                            {"warcio/example-resource.warc.gz", 1, 0},
                            {"warcio/example-space-in-target-uri.warc.gz", 1, 0},
                            {"warcio/example-space-in-url.arc", 0, 1},  // 12 bytes short
                            {"warcio/example-trunc.warc", 0, 1},
                            {"warcio/example-wget-bad-target-uri.warc.gz", 3, 0},
                            {"warcio/example-wrong-chunks.warc.gz", 1, 0},
                            {"warcio/example.arc", 1, 0},
                            {"warcio/example.arc.gz", 1, 0},
                            {"warcio/example.warc", 1, 0},
                            {"warcio/example.warc.gz", 1, 0},
                            {"warcio/post-test.warc.gz", 3, 0}};
  for (const Sample& sample : samples) {
    const auto bytes = read_file(folder / sample.file);
    ASSERT_TRUE(bytes) << sample.file;
    int pages = 0, bad = 0;
    for (const WebRecord& record : records(*bytes)) ++(record.error.empty() ? pages : bad);
    EXPECT_EQ(pages, sample.pages) << sample.file;
    EXPECT_EQ(bad, sample.bad) << sample.file;
  }
}

}  // namespace
}  // namespace plinth::corpus
