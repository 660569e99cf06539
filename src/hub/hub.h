// Model repositories on a hub: Hugging Face, ModelScope, or a mirror of either.
//
//   hf://ORG/NAME[@REVISION]      https://huggingface.co/ORG/NAME[/tree/REVISION]
//   ms://ORG/NAME[@REVISION]      https://modelscope.cn/models/ORG/NAME[/tree/REVISION]
//   ...and the address of one GGUF file in it (/blob/REVISION/FILE, /resolve/REVISION/FILE)
//
// pull() asks the hub once which commit the revision is, lists that commit's files, and fetches
// what a base needs: configuration, tokenizer, chat template and safetensors, or one GGUF file.
// Pickled weights (.bin, .pt) are never fetched. Everything lands under
//
//   ROOT/huggingface/ORG/NAME/COMMIT/    (or modelscope/)
//     config.json ...                    under its own name only once its size and hash are right
//     model.safetensors.part             what has arrived so far; the next pull goes on behind it
//     origin.json                        where all this came from; written last
//
// so killing the process at any moment loses only what had not been written yet. The listing, the
// file names and every byte are foreign input and are checked; a pull never writes outside ROOT.
//
// The token goes to the hub's own address, over https or to this machine only: never to another
// host that the hub redirects to, never into a message, a log or a file.
//
// Threads: pull() belongs to its caller's thread, and polls interrupted(). A second process pulling
// the same commit gets kFailedPrecondition.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/result.h"

namespace plinth::hub {

enum class Kind { kHuggingFace, kModelScope };

struct Reference {
  Kind kind = Kind::kHuggingFace;
  std::string repository = {};  // "Qwen/Qwen2.5-0.5B-Instruct"
  std::string revision = {};    // branch, tag or commit; empty: the hub's main branch
  std::string file = {};        // one GGUF file; empty: what the repository offers
};

// Whether `text` asks for a hub at all; a path on this machine does not.
bool is_reference(std::string_view text);

Result<Reference> parse_reference(std::string_view text);

// kInvalidArgument for a revision or a file that no repository can have: they may come from
// elsewhere than parse_reference().
Status check(const Reference& reference);

// "hf://ORG/NAME@REVISION", for messages.
std::string name_of(const Reference& reference);

// How to reach a hub.
struct Access {
  std::string address = {};         // "https://huggingface.co": no slash at the end
  std::string token = {};           // empty: anonymous
  std::string token_variable = {};  // where the token comes from, for messages: "HF_TOKEN"

  // A request that fails in a way that may pass (connection, 5xx, 429) is repeated after 1, 2, 4
  // ... seconds, `attempts_max` times in all; a file that has grown in between starts counting
  // anew.
  int attempts_max = 6;
  double first_wait_seconds = 1.0;
  double wait_seconds_max = 60.0;  // a hub that asks for a longer pause is an error
  double stall_seconds = 30.0;     // no byte for so long: the connection is given up
};

// `address` (empty: HF_ENDPOINT or MODELSCOPE_DOMAIN, else the public hub), and the token in
// HF_TOKEN or MODELSCOPE_API_TOKEN.
Result<Access> access_from_environment(Kind kind, const std::string& address);

// Where a pull stands.
struct Moment {
  int64_t bytes_done = 0;
  int64_t bytes_total = 0;
  std::string_view file;  // the one that is arriving; valid during the call
};

struct Pulled {
  Path path;                  // what Model::open takes: the folder, or the GGUF file
  std::string commit;         // empty when the hub does not tell
  int64_t bytes_fetched = 0;  // 0: everything was there already
};

// kResourceExhausted when the disk is too small, before the first file; kDataLoss when a file is
// not what the hub's listing says (its part is removed); kUnavailable when the hub stays away.
Result<Pulled> pull(const Reference& reference, const Access& access, const Path& root,
                    const std::function<void(const Moment&)>& on_progress);

// What origin.json tells about a base that was pulled.
struct Origin {
  std::string address;
  std::string repository;
  std::string revision;
  std::string commit;
};

// The commit's folder under `root` that `path` lies in; nothing for a path from elsewhere.
std::optional<Path> snapshot_of(const Path& root, const Path& path);

Result<Origin> read_origin(const Path& snapshot);

}  // namespace plinth::hub
