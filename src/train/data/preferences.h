// Preference rows to pairs of samples: a prompt, the answer that is preferred and the one that is
// not. Shapes of a row:
//
//   {"prompt": text or messages, "chosen": answer, "rejected": answer}
//   {"messages": messages, "chosen": answer, "rejected": answer}
//   {"conversations": turns, "chosen": turn, "rejected": turn}    ShareGPT's "from" and "value"
//   {"chosen": messages, "rejected": messages}    whole conversations; the prompt is what they
//   share
//   {"input": {"messages"}, "preferred_output": answer, "non_preferred_output": answer}    OpenAI's
//
// An answer is a text, a message or a list of messages; "tools" and "system" are read as in
// conversation.h. Texts are turns of a conversation where the
// base has a chat template; without one they are plain text, ended by the end-of-text token.
#pragma once

#include <span>
#include <vector>

#include "core/file.h"
#include "core/result.h"
#include "text/chat_template.h"
#include "train/data/dataset.h"

namespace plinth::train {

// Samples 2i and 2i + 1 are the preferred and the other answer of one row; what is learnt are the
// tokens of the answers. Both are cut at options.sequence, which is counted; a pair of which one
// has nothing left, or whose answers no longer differ, is dropped, which is counted, too. Paths and
// errors as of read_dataset().
Result<Dataset> read_preferences(std::span<const Path> paths, const DatasetOptions& options);

// The pair of one row.
Result<std::vector<Sample>> preference_samples(const text::OrderedJson& row,
                                               const DatasetOptions& options);

}  // namespace plinth::train
