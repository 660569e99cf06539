#include "corpus/office/office.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus/office/relations.h"
#include "corpus/office/xlsx_cells.h"
#include "corpus/read/readers.h"
#include "corpus/unpack/archive_of_test.h"

namespace plinth::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Entries workbook(const std::string& sheet, const std::string& state = "") {
  return {
      {"xl/workbook.xml",
       R"(<workbook><sheets><sheet name="价目" )" + state + R"( r:id="r1"/></sheets></workbook>)"},
      {"xl/_rels/workbook.xml.rels",
       R"(<Relationships><Relationship Id="r1" Type="http://x/worksheet" Target="/xl/worksheets/s.xml"/></Relationships>)"},
      {"xl/sharedStrings.xml",
       "<sst><si><t>备件</t></si><si><r><t>单</t></r><r><t>价</t></r><rPh><t>dan</t></rPh></si></"
       "sst>"},
      {"xl/styles.xml",
       R"(<styleSheet><numFmts><numFmt numFmtId="170" formatCode="yyyy&quot;年&quot;m"/><numFmt numFmtId="171" formatCode="0&quot;d&quot;"/></numFmts>)"
       R"(<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs></styleSheet>)"},
      {"xl/worksheets/s.xml",
       "<worksheet><sheetData>" + sheet + "</sheetData>" +
           R"(<mergeCells><mergeCell ref="C2:C3"/></mergeCells></worksheet>)"}};
}

std::string text_of(const Result<Drafts>& drafts) {
  if (!drafts) return "error: " + drafts.error().message;
  std::string out;
  for (const Draft& draft : drafts->drafts) out += draft.text;
  return out;
}

TEST(Xlsx, RowsStandAloneAndDatesAreDates) {
  const std::string rows =
      R"(<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>日期</t></is></c></row>)"
      R"(<row r="2"><c r="A2" t="str"><v>闸瓦</v></c><c r="B2"><v>0.30000000000000004</v></c><c r="C2" s="1"><v>45292</v></c></row>)"
      R"(<row r="3"><c r="A3" t="str"><v>皮带</v></c><c r="B3" s="3"><v>142</v></c></row>)";
  const auto drafts = read_xlsx({"a.xlsx", zip_of(workbook(rows))}, {});
  EXPECT_EQ(text_of(drafts),
            "\f# 价目\n\n备件：闸瓦；单价：0.3；日期：2024-01-01。\n"
            "备件：皮带；单价：142；日期：2024-01-01。\n");
  EXPECT_EQ(drafts->drafts[0].first_page, 1);
}

TEST(Xlsx, ATitleAboveTheTableIsItsTitle) {
  const std::string rows =
      R"(<row><c t="str"><v>二〇二四年备件价目</v></c></row><row><c t="str"><v>名</v></c><c t="str"><v>价</v></c></row>)"
      R"(<row><c t="str"><v>闸瓦</v></c><c><v>368</v></c></row>)";
  EXPECT_EQ(text_of(read_xlsx({"a.xlsx", zip_of(workbook(rows))}, {})),
            "\f# 二〇二四年备件价目\n\n名：闸瓦；价：368。\n");
}

TEST(Xlsx, HostileCellsAreBounded) {
  const std::string far =
      R"(<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>)"
      R"(<row r="99999999"><c r="A99999999" t="str"><v>y</v></c></row>)"
      R"(<row r="1"><c r="" t="s"><v>4294967295</v></c><c r="A1B" t="str"><v>z</v></c></row>)";
  EXPECT_EQ(text_of(read_xlsx({"a.xlsx", zip_of(workbook(far))}, {})),
            "error: no text in the XLSX");
  EXPECT_THAT(text_of(read_xlsx({"a.xlsx", zip_of({{"x", "y"}})}, {})), HasSubstr("error"));
  EXPECT_THAT(text_of(read_xlsx({"a.xlsx", zip_of(workbook("x", R"(state="hidden")"))}, {})),
              HasSubstr("no text"));
}

TEST(Xlsx, Dates) {
  EXPECT_EQ(excel_date(45292.5, false), "2024-01-01 12:00");
  EXPECT_EQ(excel_date(0.75, false), "18:00");
  EXPECT_EQ(excel_date(43830, true), "2024-01-01");
  EXPECT_EQ(excel_date(-1, false), "-1");
  EXPECT_EQ(excel_date(1e300, false), "1e+300");
}

Entries show(const std::string& slide) {
  return {
      {"ppt/presentation.xml",
       R"(<p:presentation><p:sldIdLst><p:sldId r:id="r2"/><p:sldId r:id="r1"/></p:sldIdLst></p:presentation>)"},
      {"ppt/_rels/presentation.xml.rels",
       R"(<Relationships><Relationship Id="r1" Type="http://x/slide" Target="slides/a.xml"/><Relationship Id="r2" Type="http://x/slide" Target="slides/b.xml"/></Relationships>)"},
      {"ppt/slides/a.xml", "<p:sld><p:cSld><p:spTree>" + slide + "</p:spTree></p:cSld></p:sld>"},
      {"ppt/slides/_rels/a.xml.rels",
       R"(<Relationships><Relationship Id="n" Type="http://x/notesSlide" Target="../notesSlides/n.xml"/></Relationships>)"},
      {"ppt/notesSlides/n.xml",
       R"(<p:notes><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type="body"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>讲稿</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:notes>)"},
      {"ppt/slides/b.xml",
       R"(<p:sld show="0"><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>藏</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>)"}};
}

TEST(Pptx, SlidesInTheirOrderWithTitlesTablesAndNotes) {
  const std::string slide =
      R"(<p:grpSp><p:sp><p:txBody><a:p><a:r><a:t>要</a:t></a:r><a:r><a:t>点</a:t></a:r></a:p><a:p/></p:txBody></p:sp></p:grpSp>)"
      R"(<p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>题</a:t></a:r></a:p></p:txBody></p:sp>)"
      R"(<p:sp><p:nvSpPr><p:nvPr><p:ph type="sldNum"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>7</a:t></a:r></a:p></p:txBody></p:sp>)"
      R"(<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr><a:tc gridSpan="2"><a:txBody><a:p><a:r><a:t>甲</a:t></a:r></a:p></a:txBody></a:tc><a:tc hMerge="1"/></a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>)";
  const auto drafts = read_pptx({"a.pptx", zip_of(show(slide))});
  EXPECT_EQ(text_of(drafts), "\f\f## 题\n\n要点\n\n| 甲 | 甲 |\n| --- | --- |\n\n备注：讲稿\n\n");
}

TEST(Epub, SpineInItsOrder) {
  const Entries book = {
      {"META-INF/container.xml",
       R"(<container><rootfiles><rootfile full-path="OPS/b.opf"/></rootfiles></container>)"},
      {"OPS/b.opf",
       R"(<opf:package><opf:metadata><dc:title>书</dc:title></opf:metadata><opf:manifest><opf:item id="n" href="nav.xhtml" properties="nav"/>)"
       R"(<opf:item id="b" href="t/%E4%B8%80.xhtml"/><opf:item id="a" href="t/../a.xhtml"/></opf:manifest>)"
       R"(<opf:spine><opf:itemref idref="n"/><opf:itemref idref="b"/><opf:itemref idref="a"/><opf:itemref idref="x"/></opf:spine></opf:package>)"},
      {"OPS/nav.xhtml", "<html><body>目录</body></html>"},
      {"OPS/t/一.xhtml",
       "<html><head><title>x</title></head><body><h1>第一章</h1><p>甲</p></body></html>"},
      {"OPS/a.xhtml", "<html><body><p>乙</p></body></html>"}};
  const auto drafts = read_epub({"a.epub", zip_of(book)});
  EXPECT_EQ(text_of(drafts), "\f\f# 第一章\n\n甲\n\n\f乙\n\n");
  EXPECT_EQ(drafts->drafts[0].title, "书");
  EXPECT_THAT(text_of(read_epub({"a.epub", zip_of({{"x", "y"}})})), HasSubstr("container.xml"));
}

TEST(Relations, PartsAndTargets) {
  EXPECT_EQ(relations_part("xl/workbook.xml"), "xl/_rels/workbook.xml.rels");
  EXPECT_EQ(resolve_part("xl/worksheets", "../media/a.xml"), "xl/media/a.xml");
  EXPECT_EQ(resolve_part("xl", "/ppt/./a.xml"), "ppt/a.xml");
  EXPECT_EQ(resolve_part("xl", "../../../../a.xml"), "a.xml");
}

}  // namespace
}  // namespace plinth::corpus
