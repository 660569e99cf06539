#include "server/plinth_corpora.h"

#include <system_error>
#include <utility>

#include "server/own_jobs.h"
#include "server/replies.h"
#include "server/request_fields.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr size_t kFilesMax = 10'000;
constexpr size_t kNameMax = 128;

Json tell(const store::Job& job, Json head) {
  const Json spec = object_of(job.spec);
  const Json result = object_of(job.result);
  head["name"] = string_or(spec, "name", "");
  head["files"] = spec.value("files", Json::array());
  head["folder"] = spec.contains("folder") ? spec["folder"] : Json();
  for (const char* count : {"documents_in", "documents", "rejects", "bytes_in", "found"})
    head[count] = result.contains(count) ? result[count] : Json();
  return head;
}

constexpr JobKind kCorpora = {kRefineJob, "corpus", tell};

Result<Json> own_files(const Services& services, const Call& call, const Fields& fields,
                       const char* name) {
  const Json* list = fields.find(name);
  if (list == nullptr) return Json::array();
  if (!list->is_array() || list->size() > kFilesMax)
    return invalid("{}: an array of at most {} ids of files is needed", name, kFilesMax);
  for (const Json& id : *list) {
    if (!id.is_string()) return invalid("{}: ids of files are needed", name);
    PLINTH_TRY(services.store.file(call.key.tenant_id, id.get<std::string>()));
  }
  return *list;
}

// Links are followed first: what counts is where the folder really is.
Result<std::string> lent_folder(const Services& services, const Call& call,
                                const std::string& named) {
  std::error_code error;
  const Path folder = std::filesystem::canonical(named, error);
  const Error unknown = invalid("folder: {} is not lent to tenant {} (see --settings, [[folder]])",
                                named, call.key.tenant);
  if (error) return unknown;
  for (const Settings::Folder& lent : *services.settings.folders()) {
    if (lent.tenant != call.key.tenant) continue;
    const Path relative = folder.lexically_relative(lent.path);
    if (!relative.empty() && *relative.begin() != "..") return folder.string();
  }
  return unknown;
}

Result<Json> spec_of(const Services& services, const Call& call, std::string& param) {
  PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
  const Fields fields(body, param);
  Json spec;
  PLINTH_TRY(const std::string name, fields.text("name"));
  if (name.empty() || name.size() > kNameMax)
    return invalid("name: {} bytes, 1..{} are needed", name.size(), kNameMax);
  spec["name"] = name;
  PLINTH_TRY(const std::string folder, fields.text_or("folder", ""));
  PLINTH_TRY(const Json files, own_files(services, call, fields, "files"));
  PLINTH_TRY(spec["suites"], own_files(services, call, fields, "suites"));
  PLINTH_TRY(fields.nothing_else());
  param = "files";
  if (folder.empty() == files.empty()) return invalid("files: either files or a folder is needed");
  if (folder.empty()) {
    spec["files"] = files;
  } else {
    param = "folder";
    PLINTH_TRY(spec["folder"], lent_folder(services, call, folder));
  }
  param.clear();
  return spec;
}

}  // namespace

void handle_create_corpus(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json spec, spec_of(services, call, param));
    return start_job(services, call, kCorpora, spec);
  });
}

void handle_list_corpora(const Services& services, const Call& call) {
  reply_jobs(services, call, kCorpora);
}

void handle_corpus(const Services& services, const Call& call) {
  reply_job(services, call, kCorpora);
}

void handle_corpus_report(const Services& services, const Call& call) {
  const auto job = named_job(services, call, kCorpora);
  if (!job) return refuse(call, {.error = job.error()});
  const bool html = query_value(call.exchange->request().query, "format") == "html";
  const auto text = read_file(job_folder(services.store, job->id) / "corpus" /
                              (html ? "report.html" : "report.json"));
  if (!text) return refuse(call, {.error = not_found("corpus {} has no report yet", job->id)});
  call.exchange->reply({.content_type = html ? "text/html; charset=utf-8" : "application/json",
                        .headers = {{"content-security-policy", "sandbox"}},
                        .body = *text});
}

void handle_cancel_corpus(const Services& services, const Call& call) {
  reply_cancelled(services, call, kCorpora);
}

}  // namespace plinth::server
