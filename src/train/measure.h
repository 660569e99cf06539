// The loss of a base, with or without an adapter, on rows of data: what a change has done.
#pragma once

#include <memory>
#include <span>

#include "core/result.h"
#include "model/model.h"
#include "train/train.h"

namespace plinth::train {

class MeasuredRows {
 public:
  // Rows as `plinth tune` reads them, at the base's full context. `chat` may be empty where no row
  // is a conversation.
  static Result<MeasuredRows> read(const model::Model& base, std::span<const Path> paths,
                                   const ChatRenderer& chat);
  MeasuredRows(MeasuredRows&&) noexcept;
  ~MeasuredRows();

  // Mean nats over the tokens with loss; `adapter` may be null.
  double loss(const model::Model& base, const model::Adapter* adapter) const;

 private:
  struct Rows;
  explicit MeasuredRows(std::unique_ptr<Rows> rows);

  std::unique_ptr<Rows> rows_;
};

}  // namespace plinth::train
