// HTML pages: charset, title, main content.
#include "corpus/read/html_content.h"
#include "corpus/read/html_render.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// The value of charset= in the first bytes: <meta charset="gbk"> or content="text/html;
// charset=gbk".
std::string declared_charset(std::string_view bytes) {
  std::string head;
  for (const char c : bytes.substr(0, 4096))
    head.push_back(static_cast<char>(fold_char(static_cast<unsigned char>(c) & 0x7F)));
  size_t at = head.find("charset=");
  if (at == head.npos) return {};
  at += 8;
  while (at < head.size() && (head[at] == '"' || head[at] == '\'' || head[at] == ' ')) ++at;
  const size_t end = head.find_first_of("\"'> ;/", at);
  return head.substr(at, std::min<size_t>(end == head.npos ? 0 : end - at, 32));
}

// "维保须知 - 恒屿电梯" or "维保须知_新闻中心_某网": the part that a heading of the page repeats,
// else the first part.
std::string page_title(std::span<const HtmlNode> nodes) {
  std::string title, heading;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (title.empty() && nodes[i].tag == "title") title = inline_text(nodes, i);
    if (heading.empty() && nodes[i].tag == "h1") heading = inline_text(nodes, i);
  }
  if (!heading.empty() && (title.empty() || title.find(heading) != title.npos)) return heading;
  for (const std::string_view mark : {" - ", " | ", "_", "－", "—", " – "}) {
    const size_t cut = title.find(mark);
    if (cut != title.npos && count_chars(std::string_view(title).substr(0, cut)) >= 4)
      title.resize(cut);
  }
  return std::string(trim(title.empty() ? heading : title));
}

}  // namespace

Result<Drafts> read_html(const RawFile& file) {
  const std::string declared = declared_charset(file.bytes);
  PLINTH_TRY(auto decoded, decode_text(file.bytes, declared.empty() ? file.charset : declared));
  PLINTH_TRY(const auto nodes, parse_html(decoded.text));
  const HtmlContent content = find_content(nodes);
  Draft draft;
  draft.end = file.bytes.size();
  if (decoded.charset != "utf-8" && decoded.charset != "ascii")
    draft.rules.push_back("charset:" + decoded.charset);
  draft.title = page_title(nodes);
  draft.text = render_html(nodes, content.keep);
  draft.blocks_removed = content.blocks_removed;
  if (content.blocks_removed > 0)
    draft.rules.push_back(fmt::format("html:boilerplate:{}", content.blocks_removed));
  if (trim(draft.text).empty())
    return invalid("no text in the HTML page of {} bytes", file.bytes.size());
  Drafts out;
  out.drafts.push_back(std::move(draft));
  return out;
}

}  // namespace plinth::corpus
