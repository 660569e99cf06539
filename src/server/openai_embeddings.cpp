#include "server/openai_embeddings.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "server/reading_batch.h"
#include "server/text_input.h"
#include "text/base64.h"

namespace plinth::server {
namespace {

constexpr size_t kInputsMax = 2048;  // OpenAI's limit

using Vectors = std::vector<std::vector<float>>;
using Respond = std::function<Json(const Vectors& vectors, int64_t tokens)>;

std::vector<float> unit(std::vector<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * x;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (float& x : vector) x = static_cast<float>(x * scale);
  return vector;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Reads the inputs, bills them, and replies with what `respond` makes of their vectors.
void embed(const Services& services, const Call& call, const std::string& name,
           const std::vector<TextOrTokens>& inputs, const std::string& param, Respond respond) {
  const DomainModelPtr model = find_model(services, call, name);
  if (model == nullptr) return;
  const engine::Engine& engine = services.engine;
  std::vector<engine::ReadRequest> reads;
  int64_t total = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto tokens = to_tokens(engine.model().tokenizer(), inputs[i], false,
                            engine.model().config().context, fmt::format("{}[{}]", param, i));
    if (!tokens) return refuse(call, {.error = tokens.error(), .param = param});
    total += std::ssize(*tokens);
    reads.push_back({.tokens = *std::move(tokens), .pooled = true, .registered = model->adapter});
  }
  ReadingBatch::start(
      services, call, std::move(reads),
      [services, call, name, model, total, respond = std::move(respond)](
          const Result<std::vector<engine::Reading>>& readings, const engine::Usage& used) {
        if (!readings) {
          ReadingBatch::bill_failed(services, call, name, model->digest, used);
          return refuse(call, {.error = readings.error()});
        }
        Vectors vectors;
        for (const engine::Reading& reading : *readings) vectors.push_back(unit(reading.pooled));
        bill(services, call,
             {.model = name, .digest = model->digest, .usage = used, .outcome = "stop"},
             [call, json = respond(vectors, total)](const Status& written) {
               if (!written)
                 return refuse(call, {.error = not_written("the usage ledger", written.error())});
               call.exchange->reply({.body = to_text(json)});
             });
      });
}

std::string little_endian(const std::vector<float>& vector) {
  std::string bytes;
  for (const float x : vector) {
    const auto bits = std::bit_cast<uint32_t>(x);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return bytes;
}

struct EmbeddingsRequest {
  std::string model = {};
  std::vector<TextOrTokens> inputs = {};
  bool base64 = false;
};

Result<EmbeddingsRequest> parse_embeddings(std::string_view body, int64_t width,
                                           std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  EmbeddingsRequest request;
  PLINTH_TRY(request.model, fields.text("model"));
  PLINTH_TRY(request.inputs, parse_inputs(fields, "input", kInputsMax));
  if (const Json* format = fields.find("encoding_format")) {
    if (*format != "float" && *format != "base64")
      return invalid("encoding_format: float or base64 is needed");
    request.base64 = *format == "base64";
  }
  PLINTH_TRY(const int64_t dimensions, fields.integer("dimensions", width, 1, kNumberMax));
  if (dimensions != width)
    return invalid("dimensions: this model has {}, and shorter vectors of it mean nothing", width);
  PLINTH_TRY(fields.text_or("user", ""));
  PLINTH_TRY(fields.nothing_else());
  return request;
}

struct RerankRequest {
  std::string model = {};
  std::vector<TextOrTokens> inputs = {};  // the query, then the documents
  std::vector<std::string> documents = {};
  size_t top = 0;
  bool return_documents = true;
};

Result<RerankRequest> parse_rerank(std::string_view body, std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  RerankRequest request;
  PLINTH_TRY(request.model, fields.text("model"));
  PLINTH_TRY(request.inputs.emplace_back().text, fields.text("query"));
  const Json* documents = fields.find("documents");
  if (documents == nullptr || !documents->is_array() || documents->empty() ||
      documents->size() > kInputsMax)
    return invalid("documents: an array of 1..{} texts is needed", kInputsMax);
  for (size_t i = 0; i < documents->size(); ++i) {
    const Json& document = (*documents)[i];
    const Json* text = &document;
    if (document.is_object() && document.contains("text")) text = &document["text"];
    if (!text->is_string())
      return invalid("documents[{}]: a text, or an object with a text, is needed", i);
    request.documents.push_back(text->get<std::string>());
    request.inputs.push_back({.text = request.documents.back()});
  }
  const auto n = static_cast<int64_t>(request.documents.size());
  PLINTH_TRY(const int64_t top, fields.integer("top_n", n, 1, kNumberMax));
  request.top = static_cast<size_t>(std::min(top, n));
  PLINTH_TRY(request.return_documents, fields.flag("return_documents", true));
  PLINTH_TRY(fields.nothing_else());
  return request;
}

Json usage(int64_t tokens) {
  return {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
}

}  // namespace

void handle_embeddings(const Services& services, const Call& call) {
  std::string param;
  const auto request = parse_embeddings(call.exchange->request().body,
                                        services.engine.model().config().width, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  embed(services, call, request->model, request->inputs, "input",
        [model = request->model, base64 = request->base64](const Vectors& vectors, int64_t tokens) {
          Json data = Json::array();
          for (const auto& vector : vectors)
            data.push_back({{"object", "embedding"},
                            {"index", data.size()},
                            {"embedding", base64 ? Json(text::to_base64(little_endian(vector)))
                                                 : Json(vector)}});
          return Json{{"object", "list"},
                      {"data", std::move(data)},
                      {"model", model},
                      {"usage", usage(tokens)}};
        });
}

void handle_rerank(const Services& services, const Call& call) {
  std::string param;
  const auto request = parse_rerank(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  embed(services, call, request->model, request->inputs, "documents",
        [request = *request](const Vectors& vectors, int64_t tokens) {
          std::vector<std::pair<double, size_t>> order;
          for (size_t i = 1; i < vectors.size(); ++i)
            // Rounding may take a cosine a little over 1.
            order.emplace_back(std::clamp(dot(vectors[0], vectors[i]), -1.0, 1.0), i - 1);
          std::ranges::stable_sort(order,
                                   [](const auto& a, const auto& b) { return a.first > b.first; });
          order.resize(request.top);
          Json results = Json::array();
          for (const auto& [score, index] : order) {
            Json result = {{"index", index}, {"relevance_score", score}};
            if (request.return_documents) result["document"] = {{"text", request.documents[index]}};
            results.push_back(std::move(result));
          }
          return Json{{"object", "list"},
                      {"model", request.model},
                      {"results", std::move(results)},
                      {"usage", usage(tokens)}};
        });
}

}  // namespace plinth::server
