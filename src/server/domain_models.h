// The catalogue: what a model name means right now.
//
// A name is looked up in the store's aliases for every request, so that a publish or a rollback by
// any process holds from the next request on. What it takes to serve a release (adapter, template,
// knowledge) is kept by digest, never by name: nothing stale can be served. Template and knowledge
// are loaded here, once; the adapter is only registered with the engine, whose pool loads it when a
// request wants it.
// The base is served under its own name, which no alias can take from it.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "engine/engine.h"
#include "knowledge/knowledge.h"
#include "model/model.h"
#include "server/tools.h"
#include "store/store.h"
#include "text/chat_template.h"

namespace plinth::server {

// A release made ready to answer. Immutable; requests in flight share it.
struct DomainModel {
  std::string name = {};
  std::string digest = {};                // of the release; of the base for the base itself
  engine::AdapterSourcePtr adapter = {};  // null: the plain base
  std::shared_ptr<const text::ChatTemplate> chat_template = {};  // null: there is none
  ToolStyle tool_style = ToolStyle::kPrompted;                   // of the template
  std::string system_prompt = {};
  std::shared_ptr<const knowledge::Index> knowledge = {};  // null: none
  bool knowledge_in_prompt = false;
};

using DomainModelPtr = std::shared_ptr<const DomainModel>;

struct ModelEntry {
  std::string name;
  std::string digest;
  int64_t created_ms = 0;
};

// Any thread. One release is loaded at a time; requests for others wait for that long.
class DomainModels {
 public:
  // `store` and `adapters`, the engine's pool, outlive the catalogue. Fails when the base's own
  // chat template is broken.
  static Result<std::unique_ptr<DomainModels>> create(const store::Store& store,
                                                      std::shared_ptr<const model::Model> base,
                                                      engine::AdapterPool& adapters);

  // kNotFound for a name that is neither the base nor an alias, or whose release stands on another
  // base; kDataLoss when a knowledge artifact is broken.
  Result<DomainModelPtr> resolve(std::string_view name);
  // What may be asked for, the base first. Releases of other bases are not listed.
  Result<std::vector<ModelEntry>> list() const;

  const std::string& base_name() const { return base_model_->name; }

 private:
  DomainModels(const store::Store& store, std::shared_ptr<const model::Model> base,
               engine::AdapterPool& adapters)
      : store_(store), base_(std::move(base)), adapters_(adapters) {}

  Result<DomainModelPtr> load(const store::Release& release) const;
  Result<engine::AdapterSourcePtr> register_adapter(const store::Release& release) const;

  const store::Store& store_;
  std::shared_ptr<const model::Model> base_;
  engine::AdapterPool& adapters_;
  DomainModelPtr base_model_;

  std::mutex mutex_;                  // guards loaded_
  std::list<DomainModelPtr> loaded_;  // most recently used first
};

}  // namespace plinth::server
