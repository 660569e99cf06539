#include "corpus/read/html_tree.h"

#include <gtest/gtest.h>

#include "corpus/read/html_entities.h"

namespace plinth::corpus {
namespace {

// The tree as "html(body(p('text')))", blank texts left out.
std::string shape(std::string_view page) {
  const auto nodes = parse_html(page);
  if (!nodes) return nodes.error().message;
  std::string out;
  const auto render = [&](auto&& self, size_t i) -> void {
    const HtmlNode& node = (*nodes)[i];
    if (node.is_text()) {
      if (node.text != " ") out += "'" + node.text + "'";
      return;
    }
    out += node.tag + "(";
    for (size_t k = i + 1; k < static_cast<size_t>(node.end);
         k = static_cast<size_t>((*nodes)[k].end))
      self(self, k);
    out += ")";
  };
  render(render, 0);
  return out;
}

TEST(HtmlTree, HeadAndBodyAreThere) {
  EXPECT_EQ(
      shape("<!DOCTYPE html><html><head><title>a &lt; b</title></head><body><p>x</body></html>"),
      "html(head(title('a < b'))body(p('x')))");
  EXPECT_EQ(shape("x<p>y"), "html(body('x'p('y')))");
  EXPECT_EQ(shape("<title>t</title><div>x"), "html(title('t')body(div('x')))");
  EXPECT_EQ(shape(""), "html()");
}

TEST(HtmlTree, OmittedEndTags) {
  EXPECT_EQ(shape("<p>a<p>b<div>c</div>"), "html(body(p('a')p('b')div('c')))");
  EXPECT_EQ(shape("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e"),
            "html(body(ul(li('a')li('b'ul(li('c')))li('d'))'e'))");
  EXPECT_EQ(shape("<dl><dt>a<dd>b<dt>c</dl>"), "html(body(dl(dt('a')dd('b')dt('c'))))");
  EXPECT_EQ(shape("<table><tr><td>a<td>b<tr><th>c</table>d"),
            "html(body(table(tr(td('a')td('b'))tr(th('c')))'d'))");
  EXPECT_EQ(shape("<table><tr><td><table><tr><td>x</table>y<td>z</table>"),
            "html(body(table(tr(td(table(tr(td('x')))'y')td('z')))))");
}

TEST(HtmlTree, TagsThatDoNotMatch) {
  EXPECT_EQ(shape("<b>a<p>b</b>c</p>d</b>e"), "html(body(b('a'p('bc')'d')'e'))");
  EXPECT_EQ(shape("<a>one<a>two</a>three"), "html(body(a('one')a('two')'three'))");
  EXPECT_EQ(shape("<div><td>x</div></td></span>y"), "html(body(div(td('x')'y')))");
  EXPECT_EQ(shape("<x-y><z>a</x-y>b"), "html(body(x-y(z('a'))'b'))");
  EXPECT_EQ(shape("a < b </ c> <3"), "html(body('a < b  <3'))");
}

TEST(HtmlTree, ScriptsCommentsAndRawText) {
  EXPECT_EQ(shape("<script>if (a<b) '</scripts>' </script >x<!-- <p> --><!-->y<style>p{}"),
            "html(script()body('xy'style()))");
  EXPECT_EQ(shape("<textarea><p>x</textarea>y"), "html(body(textarea()'y'))");
  EXPECT_EQ(shape("<![CDATA[a<b&lt;]]>"), "html(body('a<b&lt;'))");
  EXPECT_EQ(shape("<script"), "html()");
}

TEST(HtmlTree, XhtmlTagsThatCloseThemselves) {
  EXPECT_EQ(
      shape("<?xml version='1.0'?><html><head><title/><script src='x'/></head><body><a id='p1'/>x"),
      "html(head(title()script())body(a()'x'))");
  EXPECT_EQ(shape("<div/>x"), "html(body(div('x')))");
}

TEST(HtmlTree, AttributesThatMatter) {
  const auto nodes = parse_html(
      "<div class=siteNav id='top_bar' STYLE=\"color:red; Display: NONE\" title='a>b'><td "
      "colspan=3 rowspan='x'>");
  ASSERT_TRUE(nodes);
  const HtmlNode& div = (*nodes)[2];
  EXPECT_EQ(div.label, "site nav top bar ");
  EXPECT_TRUE(div.hidden);
  EXPECT_EQ((*nodes)[3].colspan, 3);
  EXPECT_EQ((*nodes)[3].rowspan, 1);
}

TEST(HtmlEntities, AreReplacedOrStay) {
  const auto plain = [](std::string_view text) {
    std::string out;
    append_unescaped(text, out);
    return out;
  };
  EXPECT_EQ(plain("&lt;&amp;&nbsp;&#20013;&#x6587;&#150;"), "<&\u00A0中文–");
  EXPECT_EQ(plain("&lt b &copy2 &x; & &#; &#xZ; ?a=1&copy=2"),
            "< b &copy2 &x; & &#; &#xZ; ?a=1&copy=2");
  EXPECT_EQ(plain("&#0;&#xD800;&#99999999999;"), "\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace plinth::corpus
