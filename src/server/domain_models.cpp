#include "server/domain_models.h"

#include <algorithm>

namespace plinth::server {
namespace {

// Beyond this many the longest unused is let go: templates and knowledge, small beside the base.
constexpr size_t kLoadedMax = 256;

Result<std::shared_ptr<const text::ChatTemplate>> parse_template(const std::string& source,
                                                                 std::string_view owner) {
  if (source.empty()) return std::shared_ptr<const text::ChatTemplate>();
  auto parsed = text::ChatTemplate::parse(source);
  if (!parsed)
    return Error{parsed.error().code,
                 fmt::format("{}: chat template: {}", owner, parsed.error().message)};
  return std::shared_ptr<const text::ChatTemplate>(
      std::make_shared<text::ChatTemplate>(*std::move(parsed)));
}

}  // namespace

Result<std::unique_ptr<DomainModels>> DomainModels::create(const store::Store& store,
                                                           std::shared_ptr<const model::Model> base,
                                                           engine::AdapterPool& adapters) {
  std::unique_ptr<DomainModels> models(new DomainModels(store, std::move(base), adapters));
  auto own = std::make_shared<DomainModel>();
  own->name = models->base_->config().name.empty() ? "base" : models->base_->config().name;
  own->digest = models->base_->digest();
  PLINTH_TRY(own->chat_template, parse_template(models->base_->chat_template(), own->name));
  own->tool_style = tool_style(models->base_->chat_template());
  models->base_model_ = std::move(own);
  return models;
}

Result<DomainModelPtr> DomainModels::resolve(std::string_view name) {
  if (name == base_model_->name) return base_model_;
  const auto alias = store_.alias(name);
  if (!alias && alias.error().code == Code::kNotFound)
    return not_found("model {} is not known", name);
  if (!alias) return alias.error();
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(loaded_.begin(), loaded_.end(), [&](const DomainModelPtr& model) {
    return model->digest == alias->release_digest;
  });
  if (found != loaded_.end()) {
    loaded_.splice(loaded_.begin(), loaded_, found);
    return loaded_.front();
  }
  PLINTH_TRY(const store::Release release, store_.release(alias->release_digest));
  PLINTH_TRY(auto model, load(release));
  loaded_.push_front(model);
  if (loaded_.size() > kLoadedMax) loaded_.pop_back();
  return model;
}

Result<DomainModelPtr> DomainModels::load(const store::Release& release) const {
  if (release.base_digest != base_->digest())
    return not_found("model {}: its release stands on base {}, this server runs {}", release.name,
                     release.base_digest, base_->digest());
  auto model = std::make_shared<DomainModel>();
  model->name = release.name;
  model->digest = release.digest;
  model->system_prompt = release.system_prompt;
  model->knowledge_in_prompt = release.knowledge_in_prompt;
  model->chat_template = base_model_->chat_template;
  model->tool_style = base_model_->tool_style;
  if (!release.chat_template.empty()) {
    PLINTH_TRY(model->chat_template, parse_template(release.chat_template, release.name));
    model->tool_style = tool_style(release.chat_template);
  }
  if (!release.adapter_digest.empty()) {
    PLINTH_TRY(model->adapter, register_adapter(release));
  }
  if (!release.knowledge_digest.empty()) {
    PLINTH_TRY(std::string bytes, store_.artifacts().read(release.knowledge_digest));
    PLINTH_TRY(auto index, knowledge::Index::parse(std::move(bytes)));
    model->knowledge = std::make_shared<knowledge::Index>(std::move(index));
  }
  return DomainModelPtr(std::move(model));
}

// The engine shares prefixes by the artifact's digest, which covers the scale as well as the
// weights. Finding it hashes it again, each time it is loaded.
Result<engine::AdapterSourcePtr> DomainModels::register_adapter(
    const store::Release& release) const {
  const std::string& digest = release.adapter_digest;
  const auto open = [artifacts = store_.artifacts(), base = base_,
                     digest]() -> Result<std::shared_ptr<const model::Adapter>> {
    PLINTH_TRY(const Path folder, artifacts.find(digest));
    return model::Adapter::open(folder, base->config());
  };
  return adapters_.add({.name = release.name, .digest = digest, .open = open});
}

Result<std::vector<ModelEntry>> DomainModels::list() const {
  PLINTH_TRY(const auto aliases, store_.aliases());
  std::vector<ModelEntry> entries = {{base_model_->name, base_model_->digest, 0}};
  for (const store::Alias& alias : aliases) {
    PLINTH_TRY(const store::Release release, store_.release(alias.release_digest));
    if (release.base_digest != base_->digest() || alias.name == base_model_->name) continue;
    entries.push_back({alias.name, release.digest, release.created_ms});
  }
  return entries;
}

}  // namespace plinth::server
