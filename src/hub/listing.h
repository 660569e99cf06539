// What a hub says about a repository, as JSON from outside: read, bounded, checked. No network
// here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plinth::hub {

// A file of a repository. Hashes are lower-case hexadecimal digits; empty: the hub doesn't tell.
struct File {
  std::string path = {};
  int64_t size = 0;
  std::string sha256 = {};    // of the content
  std::string git_sha1 = {};  // of the git blob: SHA-1("blob SIZE\0" + content)
};

struct Listing {
  std::string commit = {};  // empty: not told
  std::vector<File> files = {};
};

// The commit in Hugging Face's /api/models/ORG/NAME/revision/REVISION.
Result<std::string> parse_hugging_face_commit(std::string_view json);

// Appends one page of Hugging Face's /api/models/ORG/NAME/tree/COMMIT?recursive=true. A path that
// leads out of the repository makes the whole listing invalid.
Status append_hugging_face_page(std::string_view json, Listing& listing);

// ModelScope's /api/v1/models/ORG/NAME/repo/files?Recursive=true. It answers 200 with no files for
// a revision that does not exist: kNotFound.
Result<Listing> parse_modelscope_listing(std::string_view json);

// The files that a base needs: `file` when it is named; else configuration, tokenizer, template and
// safetensors; else the only GGUF file. kInvalidArgument when there is a choice to make,
// kNotFound when there is nothing that Plinth reads. Every path returned is safe (names.h) and
// comes once. Small files come first: what is wrong with a repository shows before its gigabytes.
Result<std::vector<File>> files_of_base(const Listing& listing, std::string_view file);

}  // namespace plinth::hub
