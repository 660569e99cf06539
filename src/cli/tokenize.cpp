#include <cstdio>
#include <iterator>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/ids.h"
#include "core/json.h"

namespace plinth::cli {
namespace {

struct Options {
  std::string model;
  Path file;
  std::string ids;
  bool special = false;
  bool whole = false;
};

Result<std::string> read_input(const Path& file) {
  if (file != "-") return read_file(file);
  std::string text;
  char chunk[65536];
  while (const size_t n = std::fread(chunk, 1, sizeof chunk, stdin)) text.append(chunk, n);
  return text;
}

Status tokenize(const Options& options, const Context& context) {
  PLINTH_TRY(const auto tokenizer, open_tokenizer(options.model, context.home));
  PLINTH_TRY(const auto text, read_input(options.file));
  const auto ids = options.whole ? tokenizer->encode_whole(text, options.special)
                                 : tokenizer->encode(text, options.special);
  if (context.json) {
    fmt::print("{}\n", to_text({{"ids", ids}}));
  } else {
    for (size_t i = 0; i < ids.size(); ++i) fmt::print("{}{}", i == 0 ? "" : ",", ids[i]);
    fmt::print("\n");
  }
  return {};
}

Status detokenize(const Options& options, const Context& context) {
  PLINTH_TRY(const auto tokenizer, open_tokenizer(options.model, context.home));
  std::string ids_text = options.ids;
  if (!options.file.empty()) {
    PLINTH_TRY(const auto text, read_input(options.file));
    ids_text = text;
  }
  PLINTH_TRY(const auto ids, parse_ids(ids_text, tokenizer->size()));
  const std::string bytes = tokenizer->decode(ids, options.special);
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  return {};
}

}  // namespace

void add_tokenize(Command& root, const Context& context) {
  auto options = std::make_shared<Options>();
  auto command = root.add("tokenize", "token ids of a text",
                          "plinth tokenize plinth-zh-base --file README.md --json");
  command.option("MODEL", options->model,
                 "a base's name or path, a tokenizer.json or tokenizer.model", true);
  command.option("--file", options->file, "the text, - for standard input", true);
  command.flag("--special", options->special, "recognise special tokens in the text");
  command.flag("--whole", options->whole, "add what the model expects around a text (BOS, EOS)");
  command.action([options, &context] { return tokenize(*options, context); });

  auto back = root.add("detokenize", "the bytes of token ids",
                       "plinth detokenize plinth-zh-base --ids 312,87,9");
  back.option("MODEL", options->model, "a base's name or path, a tokenizer.json or tokenizer.model",
              true);
  back.option("--ids", options->ids,
              "ids separated by commas or spaces, or what tokenize --json printed");
  back.option("--file", options->file, "the same from a file, - for standard input");
  back.flag("--special", options->special, "write special tokens out");
  back.action([options, &context] { return detokenize(*options, context); });
}

}  // namespace plinth::cli
