#include "corpus/read/readers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus/read/csv_parse.h"
#include "corpus/read/fuzz_entries.h"
#include "corpus/read/table.h"
#include "corpus/read/walk.h"
#include "corpus/unpack/archive_of_test.h"

namespace plinth::corpus {
namespace {

// Root may look into every folder: as somebody else.
TEST(Walk, WhatCannotBeReadIsAnEntryWithTheReason) {
  const auto temp = TempDirectory::create();
  for (const char* name : {"a.txt", "locked/b.txt", "open/c.txt"}) {
    ASSERT_TRUE(make_directories((temp->path() / name).parent_path()));
    ASSERT_TRUE(write_file_atomic(temp->path() / name, "x"));
  }
  std::filesystem::create_symlink("nowhere", temp->path() / "dangling");
  std::filesystem::create_directory_symlink(".", temp->path() / "loop");
  namespace fs = std::filesystem;
  ASSERT_EQ(mkfifo((temp->path() / "pipe").c_str(), 0600), 0);
  for (const Path& folder : {temp->path(), temp->path() / "open"})
    fs::permissions(folder, fs::perms::all);
  fs::permissions(temp->path() / "locked", fs::perms::none);
  const uid_t me = geteuid();
  if (me == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const auto files = walk_inputs(std::vector{temp->path()});
  const auto locked = walk_inputs(std::vector{temp->path() / "locked"});
  if (me == 0) {
    ASSERT_EQ(seteuid(0), 0);
  }
  fs::permissions(temp->path() / "locked", fs::perms::owner_all);
  ASSERT_TRUE(files) << files.error().message;
  std::vector<std::string> names;
  for (const InputFile& file : *files) names.push_back(file.name + ": " + file.error);
  EXPECT_THAT(names, testing::ElementsAre("a.txt: ", "dangling: a link to nothing",
                                          "locked: the folder cannot be read: Permission denied",
                                          "loop: a link to a folder is not followed",
                                          "open/c.txt: ", "pipe: a pipe is no file"));
  const auto pipe = walk_inputs(std::vector{temp->path() / "pipe"});
  ASSERT_FALSE(pipe);
  EXPECT_THAT(pipe.error().message, testing::HasSubstr("pipe: a pipe is no file"));
  ASSERT_FALSE(locked);  // what was asked for itself
  EXPECT_THAT(locked.error().message, testing::HasSubstr("locked: the folder cannot be read"));
}

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string text_of(const Result<Drafts>& drafts) {
  if (!drafts) return "error: " + drafts.error().message;
  std::string out;
  for (const Draft& draft : drafts->drafts) out += draft.text + "\n";
  return out;
}

constexpr std::string_view kStyles =
    R"(<w:styles xmlns:w="x"><w:style w:styleId="a1"><w:name w:val="heading 2"/></w:style></w:styles>)";

TEST(Kind, ByContentThenByName) {
  EXPECT_EQ(kind_of("a.txt", "%PDF-1.7"), Kind::kPdf);
  EXPECT_EQ(kind_of("a.txt", "<!DOCTYPE html><html>"), Kind::kHtml);
  EXPECT_EQ(kind_of("a.bin", std::string_view("\x7F"
                                              "ELF\0\1\0\0\0\2",
                                              10)),
            Kind::kBinary);
  EXPECT_EQ(kind_of("a.csv", "x,y"), Kind::kCsv);
  EXPECT_EQ(kind_of("README", "plain"), Kind::kText);
  EXPECT_EQ(kind_of("README", "BZh"), Kind::kText);
  EXPECT_EQ(kind_of("README", "BZh91AY&SY"), Kind::kBzip2);
  EXPECT_EQ(kind_of("a.docx", "PK\x03\x04rest"), Kind::kDocx);
  EXPECT_EQ(kind_of("a", zip_of({{"x/y.txt", "z"}, {"word/document.xml", "d"}})), Kind::kDocx);
  EXPECT_EQ(kind_of("a", zip_of({{"xl/workbook.xml", "d"}})), Kind::kXlsx);
  EXPECT_EQ(kind_of("a", zip_of({{"ppt/presentation.xml", "d"}})), Kind::kPptx);
  EXPECT_EQ(kind_of("a", zip_of({{"META-INF/container.xml", "d"}, {"b.opf", "d"}})), Kind::kEpub);
  EXPECT_EQ(kind_of("a.docx", zip_of({{"a.txt", "d"}})), Kind::kDocx);  // the reader says why not
  EXPECT_EQ(kind_of("a", zip_of({{"a.txt", "d"}})), Kind::kZip);
  EXPECT_EQ(kind_of("a", archive_of({{"a.txt", "d"}}, Packing::kTar)), Kind::kTar);
  EXPECT_EQ(kind_of("a", archive_of({{"a.txt", "d"}}, Packing::kSevenZip)), Kind::kSevenZip);
  EXPECT_EQ(kind_of("a", archive_of({{"a.txt", "d"}}, Packing::kTarGzip)), Kind::kGzip);
  EXPECT_EQ(kind_of("a.txt", "WARC/1.0\r\n"), Kind::kWarc);
  EXPECT_EQ(kind_of("a.txt", "{\"text\":\"x\"}\n{\"text\":\"y\"}\n"), Kind::kJsonl);
  EXPECT_EQ(kind_of("a.txt", "{\"text\":\"x\"}\n"), Kind::kText);
}

TEST(Markdown, FrontMatterAndCommentsGo) {
  const auto drafts =
      read_markdown({"a.md", "---\ntitle: \"规程\"\nauthor: x\n---\n# 一\n<!-- 编者注 -->正文\n"});
  EXPECT_EQ(drafts->drafts[0].title, "规程");
  EXPECT_THAT(text_of(drafts), Not(HasSubstr("编者注")));
  EXPECT_THAT(text_of(drafts), HasSubstr("正文"));
}

constexpr std::string_view kPage =
    R"(<html><head><meta charset="utf-8"><title>维保须知 - 恒远公司</title><script>var x="脚本";</script></head>
<body><nav><a href=1>首页</a><a href=2>产品</a></nav><div class="sidebar">猜你喜欢的内容列表</div>
<div class="article"><h1>维保须知</h1><p>保养人员进入机房前，应当先确认断电，再挂牌上锁，并由两人同行。</p>
<p>保养结束后，应当清点工具，恢复护栏，并在保养单上签字确认。</p>
<table><tr><th>项目</th><th>周期</th></tr><tr><td>导轨</td><td>半月</td></tr><tr><td>门锁</td><td>一月</td></tr></table></div>
<footer>版权所有 备案号</footer></body></html>)";

TEST(Html, KeepsTheArticleAndDropsTheRest) {
  const auto drafts = read_html({"a.html", kPage});
  const std::string text = text_of(drafts);
  EXPECT_EQ(drafts->drafts[0].title, "维保须知");
  EXPECT_THAT(text, HasSubstr("# 维保须知\n"));
  EXPECT_THAT(text, HasSubstr("应当先确认断电，再挂牌上锁"));
  EXPECT_THAT(text, HasSubstr("| 导轨 | 半月 |"));
  for (const char* gone : {"首页", "猜你喜欢", "版权所有", "脚本"})
    EXPECT_THAT(text, Not(HasSubstr(gone)));
  EXPECT_EQ(drafts->drafts[0].blocks_removed, 3);
}

TEST(Html, MenuWithoutATellingNameGoes) {
  const std::string text =
      text_of(read_html({"a.html",
                         "<body><div><ul><li><a href=1>新闻中心首页</a><li><a "
                         "href=2>公司产品展示</a><li><a href=3>联系我们页面</a></ul></div>"
                         "<div><p>这是一篇正文，讲的是电梯的日常保养，内容并不长，但确实是正文。</"
                         "p><p>第二段继续讲，门锁要看，导轨要擦，钢绳要量。</p></div></body>"}));
  EXPECT_THAT(text, HasSubstr("这是一篇正文"));
  EXPECT_THAT(text, Not(HasSubstr("新闻中心")));
}

TEST(Html, TheOneArticleOfThePageIsTaken) {
  const std::string teaser =
      "<div><p>另一篇文章的摘要写得很长，有逗号，有句号，读起来像正文，可是不是。</p></div>";
  std::string page = "<body><h1>题目</h1><div>" + teaser + teaser + teaser + teaser +
                     "</div><article><p>正文只有一段，说的是门锁，也说导轨，还说钢丝绳的保养。</p>"
                     "<p>第二段接着说，限速器应当每两年校验一次，安全钳应当同时检查，记录存档，"
                     "由维保单位与使用单位共同签字。第三句补足字数，以免太短，不足一百个字，"
                     "那样就看不出是不是正文了。</p></article>";
  const std::string text = text_of(read_html({"a.html", page}));
  EXPECT_THAT(text, HasSubstr("正文只有一段"));
  EXPECT_THAT(text, HasSubstr("# 题目"));
  EXPECT_THAT(text, Not(HasSubstr("另一篇文章")));
  // Posts of a forum are articles too: all of them stay.
  page = "<body>";
  for (const char* who : {"甲", "乙", "丙"})
    page += std::string("<article><p>") + who +
            "楼说，门锁要看，导轨要擦，钢丝绳要量，限速器要校验，记录要保存。</p></article>";
  const std::string posts = text_of(read_html({"a.html", page}));
  for (const char* who : {"甲楼", "乙楼", "丙楼"}) EXPECT_THAT(posts, HasSubstr(who));
}

TEST(Html, LinesOfThePageGo) {
  const std::string text = text_of(read_html(
      {"a.html",
       "<body><div class=article><p>2024-05-20 06:48</p><p>来源：新华社</p><p>分享到：</p>"
       "<p>电梯困人时，乘客应当保持镇静，使用轿厢内的报警装置与外界联系，不要强行扒门，等待专业人员"
       "救援。</p><p>日期：救援人员到达之后，应当先确认轿厢位置，再断开主电源，最后按照规程盘车。</"
       "p>"
       "<p>责任编辑：王一</p><p>相关阅读：</p><p>别的文章，别的标题。</p></div>"}));
  EXPECT_THAT(text, HasSubstr("电梯困人时"));
  EXPECT_THAT(text, HasSubstr("日期：救援人员"));
  for (const char* gone : {"06:48", "新华社", "分享", "王一", "相关阅读", "别的文章"})
    EXPECT_THAT(text, Not(HasSubstr(gone)));
}

// Captions, bylines and teasers are named so even where their names also say "article".
TEST(Html, WhatStandsInsideAnArticleButIsNotOfItGoes) {
  const std::string sentence =
      "The council met on Tuesday, Wednesday and Thursday to discuss the lifts of the town hall, "
      "which are forty years old, slow and loud. ";
  const std::string text = text_of(read_html(
      {"a.html",
       "<body><article class=article><h1>Lifts</h1><p class=summary>" + sentence +
           "</p><p class=article-byline>Jo Do</p><p>By Jo Do</p><p>Updated Nov. 19, 2019 8:03 am "
           "ET</p>"
           "<p>" +
           sentence + sentence +
           "</p><figure><figcaption>The old lift, seen from below.</figcaption></figure>"
           "<div class='article-related content'><p>Stairs, ramps, and other ways up.</p></div>"
           "<p><a href=x>WHY STAIRS ARE BACK</a></p><p>" +
           sentence +
           "</p><p>Read more: Stairs of the world</p><h3><a href=y>What follows</a></h3><p>" +
           sentence +
           "</p>"
           "<ul><li><a href=z>A list item of linked things, all of it one "
           "link</a></li></ul></article></body>"}));
  for (const char* gone : {"Jo Do", "8:03", "from below", "ramps", "STAIRS", "Read more"})
    EXPECT_EQ(text.find(gone), text.npos) << gone << "\n" << text;
  for (const char* stays : {"# Lifts", "### What follows", "linked things"})
    EXPECT_NE(text.find(stays), text.npos) << stays << "\n" << text;
}

TEST(Html, CommentsGoWhereThereIsAnArticleAndStayWhereTheyAreAllThereIs) {
  std::string article, comments;
  for (int i = 0; i < 8; ++i) {
    article +=
        "<p>The lift was inspected, repaired, and then inspected once more by the firm that had "
        "built it.</p>";
    comments += "<div class=comment><p>I think, and others agree, that comment number " +
                std::to_string(i) +
                " is the best of all of these comments, by far and away.</p></div>";
  }
  const auto page = [&](const std::string& above) {
    return text_of(
        read_html({"a.html", "<body><div class=page>" + above + "</div><div id=comments>" +
                                 comments + "</div></body>"}));
  };
  EXPECT_EQ(page(article).find("number 3"), std::string::npos);
  EXPECT_NE(page(article).find("inspected once more"), std::string::npos);
  EXPECT_NE(page("<p>A short question, no more.</p>").find("number 3"), std::string::npos);
}

TEST(Html, ALetterKeepsItsDateAtTheEnd) {
  const std::string text = text_of(read_html(
      {"a.html",
       "<body><div class=article><h1>通知</h1><p>各单位应当在十月底以前完成电梯的年度自检，并将报告"
       "送交特种设备管理科，逾期不交的按照考核办法处理，请遵照执行。</p><p>设备管理科</p>"
       "<p>2024年5月20日</p></div>"}));
  EXPECT_THAT(text, HasSubstr("设备管理科\n\n2024年5月20日"));
}

TEST(Html, DeepNestingIsReadOrRefusedNeverFatal) {
  const auto nested = [](int depth) {
    std::string out;
    for (int i = 0; i < depth; ++i) out += "<div>";
    return text_of(read_html({"a.html", out + "底部的文字在这里，很深很深。"}));
  };
  EXPECT_THAT(nested(200), HasSubstr("底部的文字"));
  EXPECT_THAT(nested(50'000), HasSubstr("底部的文字"));  // folded into the deepest allowed element
}

TEST(Docx, HeadingsListsTablesAndDeletions) {
  const std::string document =
      R"(<w:document xmlns:w="x"><w:body><w:p><w:pPr><w:pStyle w:val="a1"/></w:pPr><w:r><w:t>一、目的</w:t></w:r></w:p>)"
      R"(<w:p><w:r><w:t>正文 &lt;甲&gt;</w:t></w:r><w:del><w:r><w:delText>删去</w:delText></w:r></w:del></w:p>)"
      R"(<w:tbl><w:tr><w:tc><w:p><w:r><w:t>项</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>值</w:t></w:r></w:p></w:tc></w:tr>)"
      R"(<w:tr><w:tc><w:p><w:r><w:t>间隙</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>0.35毫米</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>)";
  const std::string text =
      text_of(read_docx({"a.docx", zip_of({{"word/document.xml", document},
                                           {"word/styles.xml", std::string(kStyles)}})}));
  EXPECT_EQ(text, "## 一、目的\n\n正文 <甲>\n\n| 项 | 值 |\n| --- | --- |\n| 间隙 | 0.35毫米 |\n");
}

TEST(Docx, CellsThatGoOnFromAboveRepeatIt) {
  const std::string row =
      R"(<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/>{}</w:tcPr><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>)"
      R"(<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc></w:tr>)";
  const auto table = [&](std::string_view first, int rows) {
    std::string xml = "<w:document><w:body><w:tbl>";
    for (int i = 0; i < rows; ++i)
      xml +=
          fmt::format(fmt::runtime(row), i == 0 ? R"(<w:vMerge w:val="restart"/>)" : "<w:vMerge/>",
                      i == 0 ? first : "", i);
    return *docx_text(xml + "</w:tbl></w:body></w:document>", "");
  };
  EXPECT_EQ(
      table("a|b", 3),
      "| a\\|b | a\\|b | 0 |\n| --- | --- | --- |\n| a\\|b | a\\|b | 1 |\n| a\\|b | a\\|b | 2 |");
  // 2 MB by 6000 cells would be 12 GB.
  EXPECT_LT(table(std::string(2 << 20, 'x'), 3000).size(), size_t{3} << 20);
}

TEST(Docx, DamageIsAnErrorThatSaysWhat) {
  EXPECT_THAT(text_of(read_docx({"a.docx", "PK\x03\x04 nothing"})), HasSubstr("error: "));
  EXPECT_THAT(text_of(read_docx({"a.docx", zip_of({{"other.xml", "x"}})})),
              HasSubstr("no word/document.xml"));
  EXPECT_THAT(
      text_of(read_docx({"a.docx", zip_of({{"word/document.xml", "<w:document><w:body>"}})})),
      HasSubstr("word/document.xml"));
}

TEST(Docx, AZipBombStopsAtTheBound) {
  const std::string zeros(130 << 20, ' ');
  std::string bomb = zip_of({{"word/document.xml", zeros}});
  EXPECT_LT(bomb.size(), size_t{1} << 20);
  EXPECT_THAT(text_of(read_docx({"a.docx", bomb})), HasSubstr("unpacks to more than"));
}

TEST(Pdf, GarbageIsAnError) {
  EXPECT_THAT(text_of(read_pdf({"a.pdf", "%PDF-1.7 this is none"})), HasSubstr("error: "));
}

TEST(Csv, QuotesSeparatorsAndLineBreaks) {
  EXPECT_EQ(csv_separator("a;b;c\n1;2;3\n"), ';');
  EXPECT_EQ(csv_separator("a\tb\n1\t2\n"), '\t');
  const auto rows = parse_csv("名称,说明\r\n\"甲,乙\",\"两\n行 \"\"引\"\"\"\r\n", ',');
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[1].cells, ElementsAre("甲,乙", "两\n行 \"引\""));
}

TEST(Csv, RowsBecomeLinesThatStandAlone) {
  EXPECT_EQ(text_of(read_csv({"价目/备件.csv", "备件,单价\n闸瓦,368元\n皮带,142元\n"}, {})),
            "# 备件\n\n备件：闸瓦；单价：368元。\n备件：皮带；单价：142元。\n\n");
}

TEST(Csv, LongTablesBecomeSeveralDocumentsWithTheirRanges) {
  RefineRecipe recipe;
  recipe.csv_rows_per_document = 2;
  const std::string csv = "a,b\nx1,y1\nx2,y2\nx3,y3\n";
  const auto drafts = read_csv({"t.csv", csv}, recipe);
  ASSERT_EQ(drafts->drafts.size(), 2u);
  EXPECT_EQ(csv.substr(drafts->drafts[1].begin, drafts->drafts[1].end - drafts->drafts[1].begin),
            "x3,y3\n");
}

TEST(Csv, QuestionColumnsBecomePairs) {
  EXPECT_THAT(text_of(read_csv(
                  {"t.csv", "department,title,ask,answer\n心内科,标题,能吃吗？,可以。\n"}, {})),
              HasSubstr("问：能吃吗？\n答：可以。"));
}

TEST(Jsonl, ABadRowDoesNotStopItsNeighbours) {
  const std::string rows =
      "{\"text\":\"甲\",\"title\":\"题\"}\n{broken\n{\"other\":1}\n{\"question\":\"问\",\"answer\":"
      "\"答\"}\n";
  const auto drafts = read_jsonl({"a.jsonl", rows}, {});
  ASSERT_EQ(drafts->drafts.size(), 2u);
  EXPECT_EQ(drafts->drafts[0].title, "题");
  EXPECT_EQ(drafts->drafts[1].text, "问：问\n答：答\n");
  ASSERT_EQ(drafts->bad.size(), 2u);
  EXPECT_EQ(rows.substr(drafts->bad[0].begin, drafts->bad[0].end - drafts->bad[0].begin),
            "{broken");
}

TEST(Table, MergedCellsDoNotMultiplyALongText) {
  TableBuilder builder;
  for (int row = 0; row < 60; ++row) {
    builder.begin_row();
    if (row == 0) builder.cell(std::string(100'000, 'x'), 60, 60);
    builder.cell("y");
  }
  const std::string markdown = builder.markdown();
  EXPECT_LT(markdown.size(), 150'000u);  // filled in, 360 MB
  EXPECT_EQ(std::count(markdown.begin(), markdown.end(), 'x'), 100'000);
  EXPECT_EQ(std::count(markdown.begin(), markdown.end(), 'y'), 60);
}

TEST(Table, SpansAreFilledInAndCellsReadBack) {
  TableBuilder builder;
  builder.begin_row();
  builder.cell("a|b");
  builder.cell("c", 2);
  builder.begin_row();
  builder.cell("d", 1, 2);
  builder.cell("e");
  builder.cell("f");
  builder.begin_row();
  builder.cell("g");
  builder.cell("h");
  EXPECT_EQ(builder.markdown(),
            "| a\\|b | c | c |\n| --- | --- | --- |\n| d | e | f |\n| d | g | h |\n");
  EXPECT_THAT(table_cells("| a\\|b | c |"), ElementsAre("a|b", "c"));
  EXPECT_TRUE(is_table_rule("| --- | :-: |"));
}

TEST(FuzzSeeds, OfWhatPeopleAndRunsLeaveBehind) {
  FileOutcome file;
  file.outcomes.resize(2);
  file.outcomes[0].document.text = "正文";
  file.outcomes[0].pii["phone"] = {1, 1, 0, 11};
  file.outcomes[1].drop = Drop{"length", "短"};
  PieceBuilder builder;
  builder.add(*encode("a.txt", file));
  const std::string piece = builder.finish(true);
  for (size_t at = 0; at < piece.size(); at += 3) {
    std::string damaged = piece;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x81);
    fuzz_piece(damaged);  // its sum is set right: every part must be checked by itself
    fuzz_piece(std::string_view(piece).substr(at));
  }
  // Records that are well formed and mean nothing.
  for (const char* text : {"D", "F", "x", "D{}\n{\"pii\":{\"a\":[\"1\",{},null]}}",
                           "D[]\n{\"effects\":[[1,2,3,4],[]]}", "D\n\n"}) {
    EncodedFile one;
    ASSERT_TRUE(append_record(text, one.records));
    PieceEntry entry;
    entry.at = sizeof(uint32_t);
    entry.bytes = static_cast<uint32_t>(one.records.size() - sizeof(uint32_t));
    one.entries.push_back(entry);
    PieceBuilder other;
    other.add(one);
    fuzz_piece(other.finish(true));
  }
  for (const char* seed :
       {"{\"text\":\"甲\"}\n{\"text\":1}\n[]\n{", "{\"question\":\"\\ud800\",\"answer\":\"b\"}",
        "\xff\xfe{\0", "%PDF-1.4\n1 0 obj<<", "[refine]\nmemory = \"1 GB\"\n",
        "[refine]\nmemory = -1\n[refine.pii]\nemail = \"drop\"\n", "\x8e\xa1 \x1b$B"}) {
    fuzz_jsonl(seed);
    fuzz_pdf(seed);
    fuzz_plain(seed);
    fuzz_recipe(seed);
  }
  for (const std::string& seed :
       {std::string(
            "[[class]]\nid = \"a\"\nwords = [\"ab\\u0000c\", \"甲乙\", \"甲乙丙\"]\n甲乙丙"),
        std::string("class = 1"), std::string("[[class]]\nid=\"a b\""), std::string("plinthQ2"),
        std::string("plinthQ2\0\0\x80\x3f\0\0\xc0\x7f\0\0\0\0x", 21),
        std::string("verdict,source\npass,a/b\n合格,\nfail\n\"x\",\n"), std::string("verdict"),
        std::string("\xEF\xBB\xBFverdict;risk_class\nfail;a\n")}) {
    fuzz_keywords(seed);
    fuzz_quality_model(seed);
    fuzz_verdicts(seed);
    fuzz_piece(seed);
  }
}

TEST(FuzzSeeds, FilesRun) {
  const Path corpus = Path(PLINTH_SOURCE_DIR) / "fuzz" / "corpus";
  int run = 0;
  for (const auto& [folder, fuzz] :
       {std::pair("jsonl", &fuzz_jsonl), std::pair("keywords", &fuzz_keywords),
        std::pair("pdf", &fuzz_pdf), std::pair("piece", &fuzz_piece),
        std::pair("plain", &fuzz_plain), std::pair("quality_model", &fuzz_quality_model),
        std::pair("recipe", &fuzz_recipe), std::pair("verdicts", &fuzz_verdicts)})
    for (const auto& entry : std::filesystem::directory_iterator(corpus / folder)) {
      const std::string seed = *read_file(entry.path());
      fuzz(seed);
      fuzz(std::string_view(seed).substr(0, seed.size() / 2));
      ++run;
    }
  EXPECT_GE(run, 10);
}

TEST(FuzzSeeds, AllRun) {
  for (const std::string& seed :
       {std::string(kPage), std::string("<table><tr><td rowspan=9999 colspan=-1>x<table>"),
        std::string("<a"), std::string("\xFF\xFE<\0h\0", 6), std::string("a,\"b\n"),
        std::string("\"\"\"\"\n;;;"), std::string("PK\x03\x04\xFF\xFF\xFF"),
        zip_of({{"word/document.xml", "<w:p/>"}}),
        archive_of({{"a", "x"}, {"b/c.txt", "y"}}, Packing::kTarGzip),
        archive_of({{"a", "x"}}, Packing::kSevenZip),
        std::string("WARC/1.0\r\nContent-Length: 99999999\r\n\r\nx"),
        std::string("filedesc://x 0 1 t 3\nabc\nhttp://x/ 0 1 text/plain 4\ntext\n")}) {
    fuzz_html(seed);
    fuzz_csv(seed);
    fuzz_docx(seed);
    fuzz_xlsx(seed);
    fuzz_pptx(seed);
    fuzz_epub(seed);
    fuzz_unpack(seed);
    fuzz_web_archive(seed);
  }
}

}  // namespace
}  // namespace plinth::corpus
