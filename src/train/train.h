// The trainer: a base from nothing (pretrain), adapters over a frozen base (tune).
//
// A run is a folder. It holds everything the run wrote and everything needed to go on: kill the
// process at any moment, call again with the same recipe and folder, and the losses are those of an
// uninterrupted run, bit for bit (same machine, same number of rows per micro-batch). All files are
// written whole or not at all.
//
//   RUN/metrics.jsonl     a line per step: step, loss, heldout and general (when measured), lr,
//                         grad_norm, tokens, tokens_per_s, peak_bytes
//   RUN/metrics.prom      where the run is, for Prometheus (train/metrics_prom.h)
//   RUN/report.html       curves, recipe and data (train/run_report.h)
//   RUN/checkpoint-*.bin  the last two checkpoints (train/checkpoint.h)
//   RUN/lineage.json      what the result was made of: recipe, data, base, seed, losses
//
// Threads: a run belongs to the calling thread; its work is spread over compute_pool(). Two runs in
// one folder are refused (a lock). Interruption (core/interrupt.h, or the `stop` hook) is looked at
// after every step: a checkpoint is written and the run returns kCancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/file.h"
#include "core/result.h"
#include "model/model.h"
#include "text/chat_text.h"
#include "train/math/lora.h"
#include "train/math/optimizer.h"
#include "train/math/schedule.h"

namespace plinth::train {

class Peers;  // train/peers.h

// One line of metrics.jsonl.
struct StepReport {
  int64_t step = 0;  // from 1
  int64_t steps = 0;
  double loss = 0;      // nats per token with loss, before the update
  double heldout = -1;  // the same on the held-out set, after the update; -1: not measured here
  double general = -1;  // likewise on general rows that are not trained on
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t tokens = 0;  // read since step 1
  double seconds = 0;  // of this step, without measuring and saving
  double tokens_per_s = 0;
  int64_t peak_bytes = 0;  // largest resident size of the process so far
};

// All may be empty. Called on the calling thread: on_step after every step, stop also inside long
// ones.
struct TrainHooks {
  std::function<void(const StepReport&)> on_step;
  std::function<bool()> stop;  // true: save and return kCancelled
  // What must be said aloud: a run that went back, or stops early. Empty: a warning in the log.
  std::function<void(const std::string&)> on_event;
};

// ---- pretrain
// ------------------------------------------------------------------------------------

enum class SourceKind : uint8_t {
  kText,    // documents separated by blank lines
  kPlain,   // one document per file
  kJsonl,   // one JSON object per line, text under `key`
  kMdTree,  // one document per .md file
  kChat,    // one JSON object per line: "messages", or "instruction"/"input"/"output";
            // written in the chat template's form
};

struct Source {
  std::string name;
  // A file, or a folder whose files of the kind's suffix (.txt, .jsonl, .md) are read in the order
  // of their paths. A further .zst means zstd, window up to 2^27. Relative to the recipe's folder.
  Path path;
  SourceKind kind = SourceKind::kText;
  std::string key = "text";
  double weight = 1.0;    // times its windows are read in an epoch, 0.01..100
  int64_t chars_max = 0;  // stop after this many characters (0: read everything)
};

struct PretrainRecipe {
  // [model]: a Qwen3-style decoder (RMSNorm, RoPE, grouped queries, q/k norm, SwiGLU, tied).
  //   layers, width, heads, kv_heads, head_dim, ffn, context, rope_theta (10000), rms_eps (1e-6),
  //   name ("plinth-base": general.name of the GGUF file)
  model::ModelConfig model;

  // [tokenizer]
  int32_t vocabulary = 6144;  // including 256 bytes and the special tokens
  std::vector<std::string> special = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  int64_t tokenizer_chars = 40'000'000;  // size of the sample that the tokenizer is trained on

  // [data]
  std::vector<Source> sources;  // [[data.source]] name, path, kind, key, weight, max_chars
  // A document is held out when xxh3(text) mod heldout_mod == 0: a property of the text alone, so
  // that other programs can tell, too. Such documents are never trained on.
  int64_t heldout_mod = 200;
  // At most so many characters are measured; each source gives its fair part.
  int64_t heldout_chars = 200'000;

  // [train]
  int64_t sequence = 256;       // tokens of a window; attention never leaves it
  int64_t batch_tokens = 8192;  // tokens of a step, a multiple of sequence
  int64_t micro_tokens = 2048;  // tokens at once, a multiple of sequence: bounds memory
  int64_t steps = 1000;
  // "adamw" | "muon": matrices of the layers by Muon, the rest by AdamW, at the same lr
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  double lr = 2e-3;
  int64_t warmup_steps = 100;
  ScheduleKind schedule = ScheduleKind::kWsd;  // "wsd" | "cosine"
  double decay_fraction = 0.2;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double clip = 1.0;
  uint64_t seed = 1;
  int64_t checkpoint_every = 200;
  int64_t eval_every = 200;
  int64_t divergences_max = 3;  // times the run may go back to a checkpoint; 0: it never does

  // Reads a TOML recipe; a wrong or unknown key is an error that names file and line.
  static Result<PretrainRecipe> read(const Path& path);
  Status check() const;
  // Every field as text by its dotted key: what a checkpoint must agree with.
  std::map<std::string, std::string> fields() const;
};

struct PretrainOptions {
  tensor::DType type = tensor::DType::kF16;  // of the matrices in base.gguf
};

struct PretrainSummary {
  Path base;  // RUN/base.gguf
  int64_t steps = 0;
  int64_t tokens = 0;
  double loss = 0;          // of the last step, nats per token
  double heldout_nats = 0;  // per token
  double heldout_bpc = 0;   // bits per character of RUN/heldout.txt
  double tokens_per_s = 0;  // mean of this call's steps
};

// Trains a base into `run_dir`, going on from its last checkpoint if there is one. Beside the files
// named above it writes
//
//   RUN/tokenizer.json  trained on a sample of the documents; one that lies there is used as it is
//   RUN/tokens.bin      uint16 tokens, documents separated by <|endoftext|>
//   RUN/heldout.bin, RUN/heldout.txt  the held-out documents, as tokens and as text
//   RUN/data.json       what was read, counted; the digests of the above
//   RUN/base.gguf       the result
//
// A checkpoint made by another recipe is refused by the name of the key that differs; train.steps,
// the schedule, checkpoint_every, eval_every and divergences_max may differ: extending a run is
// legitimate.
Result<PretrainSummary> pretrain(const PretrainRecipe& recipe, const Path& run_dir,
                                 const PretrainOptions& options, const TrainHooks& hooks);

// The documents of a recipe as pretrain() sees them: exact duplicates removed, held-out ones apart.
// What a baseline must be given to be compared fairly.
struct Texts {
  std::vector<std::string> training;
  std::vector<std::string> heldout;
};

Result<Texts> read_texts(const PretrainRecipe& recipe);

// The chat template (Jinja) that pretrain() writes into its bases: ChatML.
std::string_view chatml_template();

// ---- tune
// ----------------------------------------------------------------------------------------

// A conversation in OpenAI's shape, as templates read it: the arguments of tool calls are objects.
struct Conversation {
  text::OrderedJson messages = {};
  text::OrderedJson tools = {};  // null: none
};

// A conversation to the text that the model reads, by the model's own chat template
// (text/chat_text.h): the same for training and serving, so that both see the same tokens.
using ChatRenderer = std::function<Result<text::ChatText>(const Conversation& conversation,
                                                          bool add_generation_prompt)>;

// What is learnt from replay rows: their text, or to say what the plain base says there (the base
// run beside the adapter gives the distribution). The second forgets far less. Source: Li and
// Hoiem, "Learning without Forgetting", ECCV 2016.
enum class ReplayTarget : uint8_t { kText, kBase };

// What learns, and from what.
enum class TuneMethod : uint8_t {
  kLora,  // an adapter over the frozen base, from what the rows say
  // The base itself, in F32: five times its parameters in memory (values, gradients, the
  // optimiser's two, the best so far). With {"text"} rows this is continued pretraining.
  kFull,
  kDpo,  // an adapter, from pairs of answers of which one is preferred (math/dpo.h)
};

// What may be wrong with the rows of data.files before a run refuses to begin, as shares. Below,
// everything is still counted and named. Keys of [data] by these names.
struct DataLimits {
  double bad_rows_max = 0.01;    // rows that cannot be used
  double truncated_max = 0.1;    // samples that lose their end to train.sequence
  double empty_max = 0.01;       // samples that so lose everything there was to learn
  double duplicates_max = 0.25;  // rows whose tokens are those of an earlier row
  // Held-out rows that are trained on as well (they leave the held-out set), and rows that share
  // text with a suite (they are not used).
  double leaked_max = 0.1;

  bool operator==(const DataLimits&) const = default;
};

struct TuneRecipe {
  TuneMethod method = TuneMethod::kLora;  // method = "lora" | "full" | "dpo"

  // [data]  Each path is a file or a folder as data/data_files.h says: rows of JSON in the shapes
  // of data/conversation.h, plain text, or a refined corpus. Conversations: loss on what the
  // assistant says, its tool calls and its end of turn. {"text"} and plain text: loss on every
  // token; text longer than train.sequence is cut into several samples.
  // With method "dpo" the rows are pairs instead:
  //   {"prompt" or "messages", "chosen", "rejected"} (data/preferences.h)
  // Paths are relative to the recipe's folder.
  std::vector<Path> files;
  // General rows (same shapes) mixed in so that the tuned model does not forget; `replay_share` of
  // all training tokens. A twentieth of them is never trained on: the general loss is measured
  // there.
  std::vector<Path> replay;
  double replay_share = 0.0;
  ReplayTarget replay_target = ReplayTarget::kText;  // "text" | "base"
  double replay_weight = 1.0;  // factor of the replay rows' loss; above 1 holds the general leg
  // How much the general loss may rise, in nats per token. Where the finished adapter goes beyond,
  // its alpha is lowered to what holds; 0: the alpha stays. The domain keeps most of what it learnt
  // at a fraction of the general loss, which grows with the square of the strength. Source:
  // Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
  double general_rise_max = 0.0;
  double heldout_share = 0.05;  // of the rows, drawn by the hash of the row and the seed
  // Rows (same shapes) that are only measured: then no row of `files` is held out.
  std::vector<Path> heldout;
  DataLimits limits;

  // [lora]
  int64_t rank = 16;
  double alpha = 32;
  LoraScaling scaling = LoraScaling::kStandard;  // "standard" | "rslora": alpha / sqrt(rank)
  // Layers that the base lacks are passed over. Also "embed_tokens" and "lm_head", each for itself
  // even where the base's head is its embedding; their deltas grow with the vocabulary.
  std::vector<std::string> targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                      "gate_proj", "up_proj", "down_proj"};

  // [train]
  int64_t sequence = 512;       // longest sample in tokens; a longer conversation loses its end
  int64_t batch_tokens = 4096;  // of a step, over as many samples as fit
  int64_t micro_tokens = 2048;  // at once, at least `sequence`: bounds memory
  // Bytes ("4GB") that the run may hold: as many layers as need be are computed twice, which
  // changes no bit of the result. 0: none are. Too little is refused before the first step.
  int64_t memory = 0;
  double epochs = 3.0;
  int64_t steps = 0;  // 0: as many as `epochs` asks for
  // A recipe file that names none gets 5e-4 (lora), 5e-5 (dpo), 2e-5 (full).
  double lr = 5e-4;
  double lr_ratio_b = 1.0;     // LoRA+: B's learning rate is so many times A's
  double neftune_alpha = 0.0;  // noise on the embeddings while training (math/noise.h); 0: none
  double warmup_share = 0.05;  // of the steps; a cosine down to zero follows
  double weight_decay = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double clip = 1.0;
  uint64_t seed = 1;

  // [dpo]
  double dpo_beta = 0.1;  // how dearly leaving the base is paid for

  int64_t checkpoint_every = 100;
  int64_t eval_every = 50;
  int64_t patience = 0;         // evaluations without a lower held-out loss; then it ends. 0: never
  int64_t divergences_max = 3;  // times the run may go back to a checkpoint; 0: it never does
  // Above 0: the learning rate grows from here to `lr` (find_lr.h). Not a recipe's key.
  double lr_low = 0;

  // Ranges are checked here, the whole by tune(): the files may still come from elsewhere.
  static Result<TuneRecipe> read(const Path& path);
  Status check() const;
  std::map<std::string, std::string> fields() const;
};

struct BadLine {
  std::string place;  // "file:line"
  std::string reason;
};

// What became of the rows. Nothing is dropped without being counted here.
struct DatasetReport {
  int64_t rows = 0;
  int64_t bad_rows = 0;
  std::vector<BadLine> bad;  // the first twenty
  int64_t samples = 0;       // usable; a long text gives several, a row without loss none
  int64_t tokens = 0;
  int64_t loss_tokens = 0;
  int64_t truncated_samples = 0;  // conversations longer than train.sequence
  int64_t truncated_tokens = 0;   // what they lost
  int64_t lost_samples = 0;       // of them, those that lost everything there was to learn
  int64_t template_rows = 0;      // of the bad rows, those that the chat template cannot write
  int64_t duplicate_rows = 0;     // the same tokens as an earlier row; used nevertheless
  int64_t suite_rows = 0;         // share text with a suite; not used
  int64_t heldout_samples = 0;
  int64_t leaked_samples = 0;  // taken out of the held-out set: they are trained on
  std::vector<BadLine> noted;  // the first five of each kind but the bad rows
};

// All of its numbers and named rows.
Json to_json(const DatasetReport& report);

struct TuneHooks {
  ChatRenderer chat;  // needed when rows hold conversations
  // Does a text share a passage with what the model will be examined on? Empty: nothing is looked
  // for. Whoever has the suites plugs it in.
  std::function<bool(std::string_view)> in_suite = {};
  TrainHooks train;
};

struct TuneSummary {
  Path adapter;  // RUN/adapter, a PEFT folder; empty with method "full"
  Path model;    // RUN/model.gguf with method "full": matrices typed like the base's, or F16
  int64_t steps = 0;
  int64_t tokens = 0;
  double loss = 0;            // of the last step, nats per token with loss (dpo: per pair)
  double heldout_before = 0;  // of the plain base
  double heldout = 0;         // of the adapter that was kept, at its strength
  // Of the replay rows that were not trained on: plain base, adapter. -1: there are none.
  double general_before = -1;
  double general = -1;
  double strength = 1;    // the adapter's alpha is the recipe's times this
  int64_t best_step = 0;  // the step it comes from
  // dpo: share of the held-out pairs whose preferred answer has become likelier than the other,
  // measured from the base. -1: no such pairs.
  double preferred = -1;
  double tokens_per_s = 0;
  DatasetReport data, replay;
};

// What the result is and what it was made from: all but paths and speed, which another run of the
// same recipe would have otherwise.
Json to_json(const TuneSummary& summary);

// Trains by the recipe's method, from a base of any architecture and stored type, into `run_dir`,
// going on from its last checkpoint if there is one. The adapter kept is that of the evaluation
// with the lowest held-out loss. A checkpoint of another recipe, dataset or base is refused;
// train.steps, train.epochs, checkpoint_every and eval_every may differ.
Result<TuneSummary> tune(std::shared_ptr<const model::Model> base, const TuneRecipe& recipe,
                         const Path& run_dir, const TuneHooks& hooks);

// One of several adapters that are trained over one base at once.
struct TuneMember {
  std::string name;  // for messages: the recipe's file
  TuneRecipe recipe;
  Path run_dir;
  TuneHooks hooks;
};

// tune() for several recipes, whose micro-batches go through the base together as long as they have
// no more rows than the largest train.micro_tokens among them. Each has its own data, schedule, run
// folder and end, and learns what it would learn alone, bit for bit; so any of them may go on alone
// or in other company. The smallest train.memory that is given holds for all together. Recipes over
// the same rows read them once, with the hooks of the first: chat and in_suite are to be alike.
//
// Returns what became of each, in order: one that fails or is stopped leaves the others going. An
// error of the whole means that nothing was begun: a recipe or its data are refused, run folders
// are the same, or a method ("full") changes the base that the others need.
//
// `peers` (train/peers.h): the processes among which each step is divided; null: this one alone.
// With them this is rank 0, and the others call assist_tuning(). The result does not depend on
// their number.
Result<std::vector<Result<TuneSummary>>> tune_together(std::shared_ptr<const model::Model> base,
                                                       std::span<const TuneMember> members,
                                                       Peers* peers = nullptr);

// How many of the members, from the first on, may go into one tune_together(): as long as no layer
// need be computed twice that is not when the first is alone, within the smallest train.memory
// given or, where none is, `budget` bytes. 1 at least, and 1 for method "full".
Result<size_t> fitting_together(const std::shared_ptr<const model::Model>& base,
                                std::span<const TuneMember> members, int64_t budget);

// What the ranks above 0 do: compute, until rank 0 lets them go. They read no rows and write
// nothing, but base, recipes and data files must be those of rank 0: anything else is refused by
// name, on all ranks.
Status assist_tuning(std::shared_ptr<const model::Model> base, std::span<const TuneMember> members,
                     Peers& peers);

}  // namespace plinth::train
