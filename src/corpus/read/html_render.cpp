#include "corpus/read/html_render.h"

#include "corpus/read/table.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Appends with runs of white space as one blank, none at the start of a line.
void append_inline(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size();) {
    const size_t from = i;
    const char32_t c = next_char(text, i);
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r' && c != 0xA0) {
      out.append(text.substr(from, i - from));
    } else if (!out.empty() && out.back() != ' ' && out.back() != '\n') {
      out.push_back(' ');
    }
  }
}

class Renderer {
 public:
  Renderer(std::span<const HtmlNode> nodes, const std::vector<bool>& keep)
      : nodes_(nodes), keep_(keep) {}

  std::string run() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      close_blocks(i);
      if (!keep_[i]) continue;
      const HtmlNode& node = nodes_[i];
      if (node.is_text()) {
        text(node);
      } else if (node.tag == "br") {
        line_ += '\n';
      } else if (node.tag == "table" && is_data_table(i)) {
        table(i);
        i = static_cast<size_t>(node.end) - 1;
      } else if (node.block) {
        open_block(node);
      }
    }
    flush();
    return std::move(out_);
  }

 private:
  void text(const HtmlNode& node) {
    if (pre_ > 0)
      line_ += node.text;
    else
      append_inline(node.text, line_);
  }

  void open_block(const HtmlNode& node) {
    flush();
    if (node.tag.size() == 2 && node.tag[0] == 'h' && node.tag[1] >= '1' && node.tag[1] <= '6')
      prefix_ = std::string(static_cast<size_t>(node.tag[1] - '0'), '#') + " ";
    else if (node.tag == "li")
      prefix_ = "- ";
    if (node.tag == "pre") ++pre_;
    open_.push_back(&node);
  }

  void close_blocks(size_t i) {
    while (!open_.empty() && static_cast<size_t>(open_.back()->end) <= i) {
      flush();
      if (open_.back()->tag == "pre") --pre_;
      open_.pop_back();
    }
  }

  void flush() {
    std::string_view body = line_;
    if (pre_ == 0) body = trim(body);
    if (!trim(body).empty()) {
      const bool item = prefix_ == "- ";
      if (!out_.empty()) out_ += item && last_item_ ? "\n" : "\n\n";
      if (prefix_.starts_with("#")) {
        std::string heading(body);
        for (char& c : heading)
          if (c == '\n') c = ' ';
        out_ += prefix_ + heading;
      } else {
        out_ += prefix_;
        out_ += body;
      }
      last_item_ = item;
      prefix_.clear();
    }
    line_.clear();
  }

  // Facts, not layout: at least two rows and columns, short cells, few links, no table inside.
  bool is_data_table(size_t i) const {
    int rows = 0, cells = 0, links = 0, deep = 0;
    size_t bytes = 0;
    for (size_t k = i + 1; k < static_cast<size_t>(nodes_[i].end); ++k) {
      const HtmlNode& node = nodes_[k];
      if (node.tag == "tr") ++rows;
      if (node.tag == "td" || node.tag == "th") ++cells;
      if (node.tag == "a") ++links;
      if (node.tag == "table" || node.tag == "form") ++deep;
      if (node.is_text()) bytes += trim(node.text).size();
    }
    return deep == 0 && rows >= 2 && cells >= 2 * rows && links * 2 <= cells &&
           bytes <= static_cast<size_t>(cells) * 240;
  }

  void table(size_t i) {
    flush();
    TableBuilder builder;
    for (size_t k = i + 1; k < static_cast<size_t>(nodes_[i].end); ++k) {
      if (nodes_[k].tag == "tr") builder.begin_row();
      if (nodes_[k].tag == "td" || nodes_[k].tag == "th")
        builder.cell(inline_text(nodes_, k), nodes_[k].colspan, nodes_[k].rowspan);
    }
    const std::string markdown = builder.markdown();
    if (markdown.empty()) return;
    if (!out_.empty()) out_ += "\n\n";
    out_ += trim(markdown);
    last_item_ = false;
  }

  std::span<const HtmlNode> nodes_;
  const std::vector<bool>& keep_;
  std::vector<const HtmlNode*> open_;
  std::string out_;
  std::string line_;
  std::string prefix_;
  int pre_ = 0;
  bool last_item_ = false;
};

}  // namespace

std::string inline_text(std::span<const HtmlNode> nodes, size_t i) {
  std::string out;
  for (size_t k = i; k < static_cast<size_t>(nodes[i].end);) {
    if (nodes[k].tag == "script" || nodes[k].tag == "style") {
      k = static_cast<size_t>(nodes[k].end);
      continue;
    }
    if (nodes[k].tag == "br" || (k > i && nodes[k].block)) append_inline(" ", out);
    append_inline(nodes[k].text, out);
    ++k;
  }
  return std::string(trim(out));
}

std::string render_html(std::span<const HtmlNode> nodes, const std::vector<bool>& keep) {
  return Renderer(nodes, keep).run();
}

}  // namespace plinth::corpus
