#include <array>

#include "hub/hub.h"
#include "hub/names.h"

namespace plinth::hub {
namespace {

struct Prefix {
  std::string_view text;
  Kind kind;
  bool
      is_page;  // an address copied from the browser: /tree/REVISION behind the name, not @REVISION
};

constexpr std::array kPrefixes{
    Prefix{"hf://", Kind::kHuggingFace, false},
    Prefix{"ms://", Kind::kModelScope, false},
    Prefix{"https://huggingface.co/", Kind::kHuggingFace, true},
    Prefix{"https://hf.co/", Kind::kHuggingFace, true},
    Prefix{"https://modelscope.cn/models/", Kind::kModelScope, true},
    Prefix{"https://www.modelscope.cn/models/", Kind::kModelScope, true},
};

// Cuts `text` at the first `mark`; returns what stood behind it.
std::string_view cut(std::string_view& text, char mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

// Browsers write a branch called refs/pr/1 as refs%2Fpr%2F1.
std::string with_slashes(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 3) == "%2F" || text.substr(i, 3) == "%2f") {
      plain.push_back('/');
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// What stands behind ORG/NAME in the address of a page.
Status read_page(std::string_view page, Reference& reference) {
  const std::string_view whole = page;
  std::string_view rest = cut(page, '/');
  if (page.empty() || page == "summary" || page == "files") return {};
  if (page != "tree" && page != "blob" && page != "resolve")
    return invalid("'{}' is no page of a repository that names files: tree, blob or resolve",
                   printable(whole));
  const bool is_file = page != "tree";
  const std::string_view file = cut(rest, '/');
  reference.revision = with_slashes(rest);
  if (is_file)
    reference.file = std::string(file);
  else if (!file.empty())
    return invalid("'{}': a base is taken from the root of its repository", printable(whole));
  return {};
}

}  // namespace

bool is_reference(std::string_view text) {
  for (const std::string_view scheme : {"hf://", "ms://", "https://", "http://"})
    if (text.starts_with(scheme)) return true;
  return false;
}

Result<Reference> parse_reference(std::string_view text) {
  for (const Prefix& prefix : kPrefixes) {
    if (!text.starts_with(prefix.text)) continue;
    std::string_view rest = text.substr(prefix.text.size());
    Reference reference{.kind = prefix.kind};
    if (prefix.is_page) {
      (void)cut(rest, '#');
      (void)cut(rest, '?');
      while (rest.ends_with('/')) rest.remove_suffix(1);
      std::string_view name = rest;
      const std::string_view behind_organisation = cut(name, '/');
      std::string_view second = behind_organisation;
      const std::string_view page = cut(second, '/');
      reference.repository = fmt::format("{}/{}", name, second);
      PLINTH_TRY(read_page(page, reference));
    } else {
      const bool has_revision = rest.find('@') != std::string_view::npos;
      reference.revision = cut(rest, '@');
      if (has_revision && reference.revision.empty())
        return invalid("'{}': nothing behind the '@'", printable(text));
      reference.repository = rest;
    }
    PLINTH_TRY(check(reference));
    return reference;
  }
  return invalid(
      "'{}' names no hub that is known: write hf://ORG/NAME or ms://ORG/NAME (a mirror is named by "
      "--hub URL)",
      printable(text));
}

Status check(const Reference& reference) {
  PLINTH_TRY(check_repository(reference.repository));
  if (!reference.revision.empty()) PLINTH_TRY(check_revision(reference.revision));
  if (!reference.file.empty()) {
    PLINTH_TRY(check_path(reference.file));
    if (!reference.file.ends_with(".gguf"))
      return invalid("'{}' is not a GGUF file, the only kind that is a base by itself",
                     reference.file);
  }
  return {};
}

std::string name_of(const Reference& reference) {
  return fmt::format("{}://{}{}{}", reference.kind == Kind::kHuggingFace ? "hf" : "ms",
                     reference.repository, reference.revision.empty() ? "" : "@",
                     reference.revision);
}

}  // namespace plinth::hub
