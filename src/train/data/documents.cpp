#include "train/data/documents.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "core/file.h"
#include "train/data/conversation.h"
#include "train/data/line_stream.h"

namespace plinth::train {
namespace {

// A sink returns false when it has enough.
using Sink = std::function<bool(Document)>;

std::string_view suffix_of(SourceKind kind) {
  switch (kind) {
    case SourceKind::kText:
    case SourceKind::kPlain:
      return ".txt";
    case SourceKind::kJsonl:
    case SourceKind::kChat:
      return ".jsonl";
    case SourceKind::kMdTree:
      return ".md";
  }
  return "";
}

Result<std::vector<Path>> files_of(const Source& source) {
  std::error_code error;
  if (!std::filesystem::exists(source.path, error))
    return not_found("source {}: {} does not exist", source.name, source.path.string());
  if (!std::filesystem::is_directory(source.path, error)) return std::vector{source.path};
  std::vector<Path> files;
  auto it = std::filesystem::recursive_directory_iterator(
      source.path, std::filesystem::directory_options::skip_permission_denied, error);
  for (const auto end = std::filesystem::recursive_directory_iterator(); !error && it != end;
       it.increment(error)) {
    Path name = it->path();
    if (name.extension() == ".zst") name.replace_extension();
    if (it->is_regular_file(error) && name.extension() == suffix_of(source.kind))
      files.push_back(it->path());
  }
  if (error)
    return not_found("source {}: {}: {}", source.name, source.path.string(), error.message());
  if (files.empty())
    return not_found("source {}: no {} file in {}", source.name, suffix_of(source.kind),
                     source.path.string());
  std::sort(files.begin(), files.end());
  return files;
}

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

Result<bool> read_blocks(LineStream& lines, bool split_at_blank, const Sink& sink) {
  std::string text;
  std::string line;
  while (true) {
    PLINTH_TRY(const bool more, lines.next(line));
    const bool end = !more || (split_at_blank && blank(line));
    if (!end) {
      text += line;
      text += '\n';
    } else if (!text.empty() && !sink({std::exchange(text, {}), false})) {
      return false;
    }
    if (!more) return true;
  }
}

// As chatml_template() writes it.
Result<std::string> render_chatml(const Conversation& conversation) {
  std::string text;
  for (const auto& message : conversation.messages) {
    if (message.contains("tool_calls")) return invalid("tool calls, which pretraining cannot read");
    text += fmt::format("<|im_start|>{}\n{}<|im_end|>\n", message["role"].get<std::string>(),
                        message["content"].get<std::string>());
  }
  return text;
}

Result<Document> document_of_row(std::string_view line, const Source& source) {
  if (source.kind == SourceKind::kChat) {
    PLINTH_TRY(const auto row, parse_row(line));
    PLINTH_TRY(const auto conversation, conversation_of(row));
    PLINTH_TRY(auto text, render_chatml(conversation));
    return Document{std::move(text), true};
  }
  PLINTH_TRY(const auto row, parse_json(line, "row"));
  PLINTH_TRY(auto text, get_string(row, source.key));
  return Document{std::move(text), false};
}

Result<bool> read_rows(LineStream& lines, const Source& source, const Path& path,
                       const Sink& sink) {
  std::string line;
  while (true) {
    PLINTH_TRY(const bool more, lines.next(line));
    if (!more) return true;
    if (blank(line)) continue;
    auto document = document_of_row(line, source);
    if (!document)
      return invalid("{}:{}: {}", path.string(), lines.line_number(), document.error().message);
    if (!document->text.empty() && !sink(*std::move(document))) return false;
  }
}

}  // namespace

Result<std::vector<Document>> read_documents(const Source& source) {
  PLINTH_TRY(const auto files, files_of(source));
  std::vector<Document> documents;
  int64_t chars = 0;
  const Sink sink = [&](Document document) {
    chars += count_chars(document.text);
    documents.push_back(std::move(document));
    return source.chars_max == 0 || chars < source.chars_max;
  };
  const bool rows = source.kind == SourceKind::kJsonl || source.kind == SourceKind::kChat;
  for (const auto& path : files) {
    PLINTH_TRY(auto lines, LineStream::open(path));
    PLINTH_TRY(const bool more, rows ? read_rows(lines, source, path, sink)
                                     : read_blocks(lines, source.kind == SourceKind::kText, sink));
    if (!more) break;
  }
  return documents;
}

int64_t count_chars(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace plinth::train
