#include "server/routes.h"

#include "server/admin.h"
#include "server/admin_state.h"
#include "server/moderator.h"
#include "server/openai_batches.h"
#include "server/openai_chat.h"
#include "server/openai_completions.h"
#include "server/openai_embeddings.h"
#include "server/openai_files.h"
#include "server/openai_jobs.h"
#include "server/openai_models.h"
#include "server/openai_responses.h"
#include "server/openai_tokens.h"
#include "server/openapi.h"
#include "server/operations.h"
#include "server/plinth_corpora.h"
#include "server/plinth_proofs.h"
#include "server/plinth_runs.h"

namespace plinth::server {
namespace {

constexpr bool kMetered = true;

class Table {
 public:
  explicit Table(const Services& services) : services_(services) {}

  void add(const char* method, const char* path, Action action, Handle handle, const char* summary,
           const char* request, const char* response, bool metered = false) {
    routes.push_back({.method = method,
                      .path = path,
                      .action = action,
                      .metered = metered,
                      .handle =
                          [services = services_, handle, metered](const Call& call) {
                            // What asks for an answer is looked at before.
                            metered ? moderate(services, call, handle) : handle(services, call);
                          },
                      .summary = summary,
                      .request = request,
                      .response = response});
  }

  // Of the newest route: what else it answers, takes and refuses with.
  void streams(const char* events) { routes.back().events = events; }

  void replies(const char* content_type) { routes.back().content_type = content_type; }

  void asks(std::vector<std::string> query) { routes.back().query = std::move(query); }

  void refuses(int status) { routes.back().refusals.push_back(status); }

  std::vector<Route> routes;

 private:
  Services services_;
};

// Lists that come in pages.
const std::vector<std::string> kPage = {"after", "limit"};

void add_openai(Table& table) {
  table.add("POST", "/v1/chat/completions", Action::kInfer, handle_chat,
            "An answer in a conversation, whole or streamed", "ChatRequest", "ChatCompletion",
            kMetered);
  table.streams("ChatChunk");
  table.refuses(412);  // a base without a chat template
  table.add("POST", "/v1/completions", Action::kInfer, handle_completions,
            "Text that goes on from a prompt, whole or streamed", "CompletionRequest", "Completion",
            kMetered);
  table.streams("CompletionChunk");
  table.add("POST", "/v1/responses", Action::kInfer, handle_responses,
            "The same as items, whole or as events", "ResponseRequest", "Response", kMetered);
  table.streams("ResponseEvent");
  table.refuses(412);
  table.add("POST", "/v1/embeddings", Action::kInfer, handle_embeddings,
            "Vectors of texts: hidden states of the base, averaged", "EmbeddingsRequest",
            "Embeddings", kMetered);
  table.add("POST", "/v1/rerank", Action::kInfer, handle_rerank,
            "Documents in the order of their vectors' cosine to the query's", "RerankRequest",
            "Rerank", kMetered);
  table.add("POST", "/v1/tokenize", Action::kInfer, handle_tokenize,
            "The tokens of a text or of a conversation", "TokenizeRequest", "Tokens");
  table.refuses(412);
  table.add("POST", "/v1/detokenize", Action::kInfer, handle_detokenize, "The text of tokens",
            "DetokenizeRequest", "DetokenizedText");
  // Where vLLM has them: evaluation harnesses look there.
  table.add("POST", "/tokenize", Action::kInfer, handle_tokenize,
            "The tokens of a text or of a conversation", "TokenizeRequest", "Tokens");
  table.refuses(412);
  table.add("POST", "/detokenize", Action::kInfer, handle_detokenize, "The text of tokens",
            "DetokenizeRequest", "DetokenizedText");
  table.add("GET", "/tokenizer_info", Action::kModels, handle_tokenizer_info,
            "Special tokens and chat template of the base", "", "TokenizerInfo");
  table.add("GET", "/v1/models", Action::kModels, handle_models,
            "The base and the published domain models", "", "ModelList");
  table.add("GET", "/v1/models/*", Action::kModels, handle_model, "One model", "", "Model");
  table.add("POST", "/v1/files", Action::kFiles, handle_upload_file, "Upload a file", "FileUpload",
            "File");
  table.add("GET", "/v1/files", Action::kFiles, handle_list_files, "All files", "", "FileList");
  table.asks({"after", "limit", "purpose", "order"});
  table.add("GET", "/v1/files/*/content", Action::kFiles, handle_file_content,
            "The bytes of a file", "", "");
  table.replies("application/octet-stream");
  table.add("GET", "/v1/files/*", Action::kFiles, handle_file, "One file", "", "File");
  table.add("DELETE", "/v1/files/*", Action::kFiles, handle_delete_file, "Delete a file", "",
            "Deleted");
  table.add("POST", "/v1/batches", Action::kFiles, handle_create_batch,
            "Answer the requests of a file in the background", "BatchRequest", "Batch");
  table.add("GET", "/v1/batches", Action::kFiles, handle_list_batches, "All batches", "",
            "BatchList");
  table.asks(kPage);
  table.add("POST", "/v1/batches/*/cancel", Action::kFiles, handle_cancel_batch, "Cancel a batch",
            "", "Batch");
  table.add("GET", "/v1/batches/*", Action::kFiles, handle_batch, "One batch", "", "Batch");
  const char* jobs = "/v1/fine_tuning/jobs";
  const std::string job = std::string(jobs) + "/*";
  table.add("POST", jobs, Action::kTune, handle_create_job, "Tune the base in the background",
            "JobRequest", "Job");
  table.add("GET", jobs, Action::kTune, handle_list_jobs, "All tuning jobs", "", "JobList");
  table.asks(kPage);
  table.add("POST", (job + "/cancel").c_str(), Action::kTune, handle_cancel_job, "End a job", "",
            "Job");
  table.add("POST", (job + "/pause").c_str(), Action::kTune, handle_pause_job,
            "Save a job and let it rest", "", "Job");
  table.add("POST", (job + "/resume").c_str(), Action::kTune, handle_resume_job,
            "Go on with a paused job", "", "Job");
  table.add("GET", (job + "/events").c_str(), Action::kTune, handle_job_events,
            "What happened to a job, the newest first", "", "JobEventList");
  table.asks(kPage);
  table.add("GET", (job + "/checkpoints").c_str(), Action::kTune, handle_job_checkpoints,
            "Models that a job has made", "", "JobCheckpointList");
  table.add("GET", job.c_str(), Action::kTune, handle_job, "One tuning job", "", "Job");
}

void add_admin(Table& table) {
  table.add("GET", "/plinth/v1/tenants", Action::kAdmin, handle_list_tenants, "All tenants", "",
            "TenantList");
  table.add("POST", "/plinth/v1/tenants", Action::kAdmin, handle_create_tenant, "A new tenant",
            "TenantRequest", "Tenant");
  table.refuses(409);
  table.add("GET", "/plinth/v1/keys", Action::kKeys, handle_list_keys, "A tenant's keys", "",
            "KeyList");
  table.asks({"tenant"});
  table.add("POST", "/plinth/v1/keys", Action::kKeys, handle_create_key, "A new key, shown once",
            "KeyRequest", "Key");
  table.add("DELETE", "/plinth/v1/keys/*", Action::kKeys, handle_revoke_key, "End a key at once",
            "", "RevokedKey");
  table.add("GET", "/plinth/v1/quotas/*", Action::kUsage, handle_get_quota, "A tenant's quota", "",
            "Quota");
  table.add("PUT", "/plinth/v1/quotas/*", Action::kAdmin, handle_set_quota,
            "Set limits of a tenant; 0: none", "Quota", "Quota");
  table.add("GET", "/plinth/v1/prices", Action::kUsage, handle_list_prices,
            "Prices of a million tokens", "", "PriceList");
  table.add("POST", "/plinth/v1/prices", Action::kAdmin, handle_set_price, "Set a model's price",
            "Price", "Price");
  table.add("GET", "/plinth/v1/usage", Action::kUsage, handle_usage,
            "Tokens and cost by tenant and model; ?month=2026-11&tenant=NAME", "", "UsageList");
  table.asks({"month", "tenant"});
  table.add("GET", "/plinth/v1/statement", Action::kUsage, handle_statement,
            "The same as CSV; ?month=2026-11&tenant=NAME", "", "");
  table.asks({"month", "tenant"});
  table.replies("text/csv");
  table.add("GET", "/plinth/v1/releases", Action::kAdmin, handle_list_releases,
            "All releases, the newest first", "", "ReleaseList");
  table.add("POST", "/plinth/v1/releases/*/rollback", Action::kAdmin, handle_rollback,
            "Point a name at its release before", "", "Release");
  table.refuses(412);
  table.add("GET", "/plinth/v1/adapters", Action::kAdmin, handle_list_adapters,
            "Registered adapters", "", "AdapterList");
  table.add("GET", "/plinth/v1/jobs", Action::kAdmin, handle_list_all_jobs,
            "Jobs of all tenants, the newest first", "", "AdminJobList");
  table.add("GET", "/plinth/v1/audit", Action::kAdmin, handle_audit,
            "The newest entries of the audit log, and whether its chain is whole; ?limit=100", "",
            "Audit");
  table.asks({"limit"});
  table.add("GET", "/plinth/v1/engine", Action::kAdmin, handle_engine, "The engine's state", "",
            "Engine");
}

// Jobs that make corpora and proofs, and what tuning jobs leave: a tenant's own.
void add_work(Table& table) {
  table.add("POST", "/plinth/v1/corpora", Action::kTune, handle_create_corpus,
            "Refine uploaded files, or a folder that the settings lend", "CorpusRequest", "Corpus");
  table.add("GET", "/plinth/v1/corpora", Action::kTune, handle_list_corpora,
            "All corpora, the newest first", "", "CorpusList");
  table.add("GET", "/plinth/v1/corpora/*/report", Action::kTune, handle_corpus_report,
            "What refining found; ?format=html for people", "", "CorpusReport");
  table.asks({"format"});
  table.replies("text/html");
  table.add("POST", "/plinth/v1/corpora/*/cancel", Action::kTune, handle_cancel_corpus,
            "End the refining of a corpus", "", "Corpus");
  table.add("GET", "/plinth/v1/corpora/*", Action::kTune, handle_corpus, "One corpus", "",
            "Corpus");
  table.add("GET", "/plinth/v1/runs", Action::kTune, handle_list_runs,
            "Training runs of tuning jobs, the newest first", "", "RunList");
  table.add("GET", "/plinth/v1/runs/*", Action::kTune, handle_run,
            "One run with its lineage and every step", "", "Run");
  table.add("GET", "/plinth/v1/suites", Action::kTune, handle_list_suites,
            "Uploads of purpose suite, the newest first", "", "SuiteList");
  table.add("GET", "/plinth/v1/suites/*", Action::kTune, handle_suite,
            "One suite with its kind and number of items", "", "Suite");
  table.add("POST", "/plinth/v1/proofs", Action::kTune, handle_create_proof,
            "Examine a domain model against its base", "ProofRequest", "Proof");
  table.add("GET", "/plinth/v1/proofs", Action::kTune, handle_list_proofs,
            "All proofs, the newest first", "", "ProofList");
  table.add("POST", "/plinth/v1/proofs/*/cancel", Action::kTune, handle_cancel_proof, "End a proof",
            "", "Proof");
  table.add("GET", "/plinth/v1/proofs/*", Action::kTune, handle_proof, "One proof with its verdict",
            "", "Proof");
}

}  // namespace

std::vector<Route> routes(const Services& services, const Condition& condition) {
  Table table(services);
  add_openai(table);
  add_admin(table);
  add_work(table);
  table.add("GET", "/metrics", Action::kAdmin, handle_metrics, "Prometheus metrics", "", "");
  table.routes.back().access = Access::kLoopback;
  table.replies("text/plain");
  table.routes.push_back(
      {.method = "GET",
       .path = "/healthz",
       .access = Access::kOpen,
       .handle = [services,
                  &condition](const Call& call) { handle_health(services, condition, call); },
       .summary = "Whether the server takes work",
       .response = "Health"});
  table.add("GET", "/openapi.json", Action::kModels, nullptr, "This document", "", "OpenApi");
  table.routes.back().handle =
      [document = std::make_shared<std::string>(openapi_document(table.routes))](const Call& call) {
        call.exchange->reply({.body = *document});
      };
  return std::move(table.routes);
}

}  // namespace plinth::server
