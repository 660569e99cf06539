// SentencePiece model files: a protocol buffer (ModelProto) with the pieces, the trainer's and the
// normaliser's settings. The few fields that matter are read by hand: the input is hostile, every
// length is checked against what is left.
// Source: src/sentencepiece_model.proto of google/sentencepiece; the wire format:
// https://protobuf.dev/programming-guides/encoding/
#include <bit>
#include <cstring>
#include <optional>

#include "text/tokenizer.h"

namespace plinth::text {

namespace {

// Far beyond any published model; bounds what the merges of its pieces may cost.
constexpr size_t kModelBytesMax = size_t{32} << 20;
constexpr size_t kPiecesMax = size_t{1} << 22;

// One field of a message. `bytes` for length-delimited ones, `number` for all others.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

// Reads the fields of a message one after the other.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }

  Result<Field> next() {
    Field field;
    PLINTH_TRY(const uint64_t tag, varint());
    field.number = tag >> 3;
    switch (tag & 7) {
      case 0: {
        PLINTH_TRY(field.value, varint());
        return field;
      }
      case 1:
        return fixed(field, 8);
      case 2: {
        PLINTH_TRY(const uint64_t size, varint());
        if (size > rest_.size())
          return data_loss("tokenizer.model: field {} of {} bytes, {} are left", field.number, size,
                           rest_.size());
        field.bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return field;
      }
      case 5:
        return fixed(field, 4);
      default:
        return data_loss("tokenizer.model: field {} of the unknown wire type {}", field.number,
                         tag & 7);
    }
  }

 private:
  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      value |= uint64_t{byte & 0x7Fu} << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return data_loss("tokenizer.model: a number without an end");
  }

  Result<Field> fixed(Field field, size_t size) {
    if (size > rest_.size())
      return data_loss("tokenizer.model: ends inside field {}", field.number);
    std::memcpy(&field.value, rest_.data(), size);
    rest_.remove_prefix(size);
    return field;
  }

  std::string_view rest_;
};

enum PieceType : uint64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct Trainer {
  uint64_t model_type = 1;  // 1 Unigram, 2 BPE, 3 words, 4 characters
  bool space_at_end = false;
  bool byte_fallback = false;
  std::string bos = "<s>";
  std::string eos = "</s>";
  std::string pad = "<pad>";
  std::string unknown_surface = " \xE2\x81\x87 ";  // " ⁇ "
};

Result<Trainer> read_trainer(std::string_view bytes) {
  Trainer trainer;
  for (Message message(bytes); !message.done();) {
    PLINTH_TRY(const Field field, message.next());
    switch (field.number) {
      case 3:
        trainer.model_type = field.value;
        break;
      case 24:
        trainer.space_at_end = field.value != 0;
        break;
      case 35:
        trainer.byte_fallback = field.value != 0;
        break;
      case 44:
        trainer.unknown_surface = field.bytes;
        break;
      case 46:
        trainer.bos = field.bytes;
        break;
      case 47:
        trainer.eos = field.bytes;
        break;
      case 48:
        trainer.pad = field.bytes;
        break;
      default:
        break;
    }
  }
  return trainer;
}

struct Spaces {
  bool prefix = true;
  bool trim = true;
  bool escape = true;
  std::string charsmap;
};

Result<Spaces> read_normalizer(std::string_view bytes) {
  Spaces spaces;
  for (Message message(bytes); !message.done();) {
    PLINTH_TRY(const Field field, message.next());
    switch (field.number) {
      case 2:
        spaces.charsmap = field.bytes;
        break;
      case 3:
        spaces.prefix = field.value != 0;
        break;
      case 4:
        spaces.trim = field.value != 0;
        break;
      case 5:
        spaces.escape = field.value != 0;
        break;
      default:
        break;
    }
  }
  return spaces;
}

class Reader {
 public:
  Result<TokenizerSpec> read(std::string_view model) {
    if (model.size() > kModelBytesMax)
      return make_error(Code::kResourceExhausted, "tokenizer.model: {} bytes are more than {}",
                        model.size(), kModelBytesMax);
    for (Message message(model); !message.done();) {
      PLINTH_TRY(const Field field, message.next());
      if (field.number == 1) PLINTH_TRY(add_piece(field.bytes));
      if (field.number == 2) {
        PLINTH_TRY(trainer_, read_trainer(field.bytes));
      }
      if (field.number == 3) {
        PLINTH_TRY(spaces_, read_normalizer(field.bytes));
      }
      if (field.number == 5) {
        PLINTH_TRY(const Spaces back, read_normalizer(field.bytes));
        if (!back.charsmap.empty())
          return make_error(Code::kUnimplemented,
                            "tokenizer.model: a denormaliser is not supported");
      }
    }
    return finish();
  }

 private:
  Status add_piece(std::string_view bytes) {
    if (spec_.tokens.size() == kPiecesMax)
      return make_error(Code::kResourceExhausted, "tokenizer.model: more than {} pieces",
                        kPiecesMax);
    std::string text;
    float score = 0;
    uint64_t type = kNormal;
    for (Message message(bytes); !message.done();) {
      PLINTH_TRY(const Field field, message.next());
      if (field.number == 1) text = field.bytes;
      if (field.number == 2) score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
      if (field.number == 3) type = field.value;
    }
    const auto id = static_cast<int32_t>(spec_.tokens.size());
    if (text.empty()) return invalid("tokenizer.model: piece {} has no text", id);
    if (!(score == score)) return invalid("tokenizer.model: the score of piece {} is NaN", id);
    switch (type) {
      case kNormal:
      case kByte:
        break;
      case kUnknown:
        if (spec_.unknown >= 0)
          return invalid("tokenizer.model: pieces {} and {} are both the unknown one",
                         spec_.unknown, id);
        spec_.unknown = id;
        break;
      case kControl:
        spec_.special.push_back(id);
        break;
      case kUserDefined:
        spec_.user_defined.push_back(id);
        break;
      case kUnused:
        spec_.unused.push_back(id);
        break;
      default:
        return invalid("tokenizer.model: piece {} is of the unknown type {}", id, type);
    }
    // The reference, too, makes nothing of a piece that is a zero byte: its byte token serves.
    if (type == kNormal && text == std::string_view("\0", 1)) spec_.unused.push_back(id);
    spec_.tokens.push_back(std::move(text));
    spec_.scores.push_back(score);
    return {};
  }

  Result<TokenizerSpec> finish() {
    if (trainer_.model_type != 1 && trainer_.model_type != 2)
      return make_error(Code::kUnimplemented,
                        "tokenizer.model: model type {} is neither Unigram (1) nor BPE (2)",
                        trainer_.model_type);
    if (spec_.unknown < 0) return invalid("tokenizer.model: no unknown piece");
    spec_.algorithm = trainer_.model_type == 1 ? Algorithm::kUnigram : Algorithm::kBpe;
    spec_.pre.clear();
    spec_.sentencepiece = true;
    spec_.byte_fallback = trainer_.byte_fallback;
    spec_.fuse_unknown = true;
    spec_.unknown_text = trainer_.unknown_surface;
    spec_.charsmap = std::move(spaces_.charsmap);
    spec_.trim_spaces = spaces_.trim;
    spec_.escape_spaces = spaces_.escape;
    spec_.prefix = spaces_.prefix ? SpacePrefix::kAlways : SpacePrefix::kNone;
    spec_.prefix_at_end = trainer_.space_at_end;
    spec_.drop_first_space = spaces_.prefix || spaces_.trim;
    spec_.bos = control(trainer_.bos);
    spec_.eos = control(trainer_.eos);
    spec_.pad = control(trainer_.pad);
    return std::move(spec_);
  }

  int32_t control(std::string_view text) const {
    for (const int32_t id : spec_.special)
      if (spec_.tokens[static_cast<size_t>(id)] == text) return id;
    return -1;
  }

  TokenizerSpec spec_;
  Trainer trainer_;
  Spaces spaces_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_sentencepiece(std::string_view model) {
  PLINTH_TRY(auto spec, Reader().read(model));
  return from_spec(std::move(spec));
}

}  // namespace plinth::text
