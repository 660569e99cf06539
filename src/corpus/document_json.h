// A document as one JSON line of a shard, and back.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "corpus/corpus.h"

namespace plinth::corpus {

// Appends the line, without a line break.
void append_line(const Document& document, std::string& out);
Result<Document> document_from_json(const Json& json);

}  // namespace plinth::corpus
