#include "server/openai_files.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/json.h"
#include "core/log.h"
#include "server/multipart.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr std::array<std::string_view, 4> kPurposes = {"batch", "fine-tune", "user_data",
                                                       kSuitePurpose};
constexpr size_t kNameMax = 256;

Json file_json(const store::FileInfo& file) {
  return {{"id", file.id},
          {"object", "file"},
          {"bytes", file.bytes},
          {"created_at", file.created_ms / 1000},
          {"filename", file.filename},
          {"purpose", file.purpose},
          {"status", "processed"}};
}

Result<store::FileInfo> upload(const Services& services, const Call& call, std::string& param) {
  const HttpRequest& request = call.exchange->request();
  PLINTH_TRY(const auto parts, parse_multipart(request.content_type, request.body));
  for (const FormPart& part : parts) {
    if (part.name == "purpose" || part.name == "file") continue;
    param = part.name;
    return invalid("{}: there is no such field", part.name);
  }
  param = "purpose";
  const auto purpose = std::ranges::find(parts, "purpose", &FormPart::name);
  if (purpose == parts.end() || std::ranges::find(kPurposes, purpose->content) == kPurposes.end())
    return invalid("purpose: batch, fine-tune, user_data or suite is needed");
  param = "file";
  const auto file = std::ranges::find(parts, "file", &FormPart::name);
  if (file == parts.end() || file->filename.empty()) return invalid("file: a file is needed");
  if (file->filename.size() > kNameMax)
    return invalid("file: its name has {} bytes, the limit is {}", file->filename.size(), kNameMax);
  PLINTH_TRY(const store::Quota quota, services.store.quota(call.key.tenant_id));
  if (quota.storage_bytes > 0) {
    PLINTH_TRY(const int64_t stored, services.store.stored_bytes(call.key.tenant_id));
    if (stored + std::ssize(file->content) > quota.storage_bytes)
      return exhausted("file: {} bytes beside the {} that are stored are over the quota of {}",
                       file->content.size(), stored, quota.storage_bytes);
  }
  auto added =
      services.store.add_file(call.key.tenant_id, file->filename, purpose->content, file->content);
  if (added) return added;
  log_error("file {}: {}", file->filename, added.error().message);
  return not_written("file", added.error());
}

}  // namespace

void handle_upload_file(const Services& services, const Call& call) {
  std::string param;
  const auto file = upload(services, call, param);
  if (!file) {
    // Waiting makes no room in a quota.
    const bool full = file.error().code == Code::kResourceExhausted;
    if (full) call.exchange->add_headers({{"x-should-retry", "false"}});
    return refuse(
        call, {.error = file.error(), .param = param, .code = full ? "insufficient_quota" : ""});
  }
  call.exchange->reply({.body = to_text(file_json(*file))});
}

void handle_list_files(const Services& services, const Call& call) {
  const std::string& query = call.exchange->request().query;
  const std::string order = query_value(query, "order");
  if (!order.empty() && order != "asc" && order != "desc")
    return refuse(call,
                  {.error = invalid("order: {} is neither asc nor desc", order), .param = "order"});
  auto files = services.store.files(call.key.tenant_id);
  if (!files) return refuse(call, {.error = files.error()});
  if (const std::string purpose = query_value(query, "purpose"); !purpose.empty())
    std::erase_if(*files, [&](const auto& one) { return one.purpose != purpose; });
  if (order == "asc") std::ranges::reverse(*files);
  std::vector<std::string> ids;
  for (const auto& one : *files) ids.push_back(one.id);
  const Page page = page_of(query, ids);
  Json data = Json::array();
  for (size_t i = page.begin; i < page.end; ++i) data.push_back(file_json((*files)[i]));
  call.exchange->reply(
      {.body = to_text(
           {{"object", "list"}, {"data", std::move(data)}, {"has_more", page.end < ids.size()}})});
}

void handle_file(const Services& services, const Call& call) {
  const auto file = services.store.file(call.key.tenant_id, call.argument);
  if (!file) return refuse(call, {.error = file.error()});
  call.exchange->reply({.body = to_text(file_json(*file))});
}

void handle_file_content(const Services& services, const Call& call) {
  const auto file = services.store.file(call.key.tenant_id, call.argument);
  if (!file) return refuse(call, {.error = file.error()});
  auto bytes = services.store.artifacts().read(file->digest);
  if (!bytes) return refuse(call, {.error = bytes.error()});
  call.exchange->reply({.content_type = "application/octet-stream", .body = *std::move(bytes)});
}

void handle_delete_file(const Services& services, const Call& call) {
  const auto removed = services.store.remove_file(call.key.tenant_id, call.argument);
  if (!removed) return refuse(call, {.error = removed.error()});
  call.exchange->reply(
      {.body = to_text({{"id", call.argument}, {"object", "file"}, {"deleted", true}})});
}

}  // namespace plinth::server
