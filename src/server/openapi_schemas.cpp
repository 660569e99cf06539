#include "server/openapi.h"

namespace plinth::server {
namespace {

// Requests list what is understood; answers allow nothing else than what stands here.
constexpr std::string_view kSchemas = R"json({
"Error": {"type": "object", "required": ["error"], "additionalProperties": false, "properties": {
  "error": {"type": "object", "required": ["message", "type", "param", "code"], "additionalProperties": false, "properties": {
    "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
    "code": {"type": ["string", "null"]}}}}},
"Usage": {"type": "object", "required": ["prompt_tokens", "total_tokens"], "additionalProperties": false, "properties": {
  "prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"},
  "prompt_tokens_details": {"type": "object", "properties": {"cached_tokens": {"type": "integer"}}}}},
"Health": {"type": "object", "required": ["status", "ready"], "additionalProperties": false, "properties": {
  "status": {"type": "string"}, "ready": {"type": "boolean"}}},
"OpenApi": {"type": "object", "required": ["openapi", "paths"]},

"Sampling": {"type": "object", "properties": {
  "temperature": {"type": "number", "minimum": 0, "maximum": 2}, "top_p": {"type": "number"}, "top_k": {"type": "integer"},
  "min_p": {"type": "number"}, "typical_p": {"type": "number"}, "repetition_penalty": {"type": "number"},
  "presence_penalty": {"type": "number"}, "frequency_penalty": {"type": "number"}, "logit_bias": {"type": "object"},
  "seed": {"type": "integer"}, "stop": {"type": ["string", "array"]}, "stop_token_ids": {"type": "array"},
  "n": {"type": "integer", "minimum": 1, "maximum": 128}, "ignore_eos": {"type": "boolean"},
  "stream": {"type": "boolean"}, "stream_options": {"type": "object"}, "user": {"type": "string"}}},
"Message": {"type": "object", "required": ["role"], "properties": {
  "role": {"enum": ["system", "developer", "user", "assistant", "tool"]}, "content": {"type": ["string", "array", "null"]},
  "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/ToolCall"}}, "tool_call_id": {"type": "string"}}},
"ToolCall": {"type": "object", "required": ["id", "type", "function"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "type": {"const": "function"},
  "function": {"type": "object", "required": ["name", "arguments"], "additionalProperties": false, "properties": {
    "name": {"type": "string"}, "arguments": {"type": "string"}}}}},
"ChatRequest": {"allOf": [{"$ref": "#/components/schemas/Sampling"}], "type": "object", "required": ["model", "messages"],
  "properties": {"model": {"type": "string"}, "messages": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}},
  "max_tokens": {"type": "integer"}, "max_completion_tokens": {"type": "integer"}, "logprobs": {"type": "boolean"},
  "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20}, "response_format": {"type": "object"},
  "tools": {"type": "array"}, "tool_choice": {"type": ["string", "object"]}, "parallel_tool_calls": {"type": "boolean"},
  "metadata": {"type": "object"}}},
"ChatCompletion": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "chat.completion"}, "created": {"type": "integer"},
  "model": {"type": "string"}, "system_fingerprint": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "choices": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["index", "message", "logprobs", "finish_reason"],
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "logprobs": {"type": ["object", "null"]},
    "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
    "message": {"type": "object", "required": ["role", "content"], "additionalProperties": false, "properties": {
      "role": {"const": "assistant"}, "content": {"type": ["string", "null"]}, "refusal": {"type": ["string", "null"]},
      "citations": {"type": "array"}, "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/ToolCall"}}}}}}}}},

"CompletionRequest": {"allOf": [{"$ref": "#/components/schemas/Sampling"}], "type": "object", "required": ["model", "prompt"],
  "properties": {"model": {"type": "string"}, "prompt": {"type": ["string", "array"]}, "max_tokens": {"type": "integer"},
  "echo": {"type": "boolean"}, "logprobs": {"type": "integer", "minimum": 0, "maximum": 20}}},
"Completion": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "text_completion"}, "created": {"type": "integer"},
  "model": {"type": "string"}, "system_fingerprint": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "choices": {"type": "array", "items": {"type": "object", "required": ["index", "text", "logprobs", "finish_reason"],
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "text": {"type": "string"},
    "logprobs": {"type": ["object", "null"]}, "finish_reason": {"enum": ["stop", "length"]}}}}}},
"EmbeddingsRequest": {"type": "object", "required": ["model", "input"], "properties": {"model": {"type": "string"},
  "input": {"type": ["string", "array"]}, "encoding_format": {"enum": ["float", "base64"]}, "dimensions": {"type": "integer"}}},
"Embeddings": {"type": "object", "required": ["object", "data", "model", "usage"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "model": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "data": {"type": "array", "items": {"type": "object", "required": ["object", "index", "embedding"], "properties": {
    "object": {"const": "embedding"}, "index": {"type": "integer"}, "embedding": {"type": ["array", "string"]}}}}}},
"RerankRequest": {"type": "object", "required": ["model", "query", "documents"], "properties": {"model": {"type": "string"},
  "query": {"type": "string"}, "documents": {"type": "array"}, "top_n": {"type": "integer"}, "return_documents": {"type": "boolean"}}},
"Rerank": {"type": "object", "required": ["model", "results", "usage"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "model": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "results": {"type": "array", "items": {"type": "object", "required": ["index", "relevance_score"], "properties": {
    "index": {"type": "integer"}, "relevance_score": {"type": "number"}, "document": {"type": "object"}}}}}},
"TokenizeRequest": {"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}, "prompt": {"type": "string"},
  "messages": {"type": "array"}, "tools": {"type": "array"}, "add_special_tokens": {"type": "boolean"}, "return_token_strs": {"type": "boolean"}}},
"Tokens": {"type": "object", "required": ["count", "max_model_len", "tokens"], "additionalProperties": false, "properties": {
  "count": {"type": "integer"}, "max_model_len": {"type": "integer"}, "tokens": {"type": "array", "items": {"type": "integer"}},
  "token_strs": {"type": "array", "items": {"type": "string"}}}},
"DetokenizeRequest": {"type": "object", "required": ["model", "tokens"], "properties": {"model": {"type": "string"}, "tokens": {"type": "array"}}},
"DetokenizedText": {"type": "object", "required": ["prompt"], "additionalProperties": false, "properties": {"prompt": {"type": "string"}}},
"Model": {"type": "object", "required": ["id", "object", "created", "owned_by"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": {"type": "string"}, "digest": {"type": "string"}}},
"ModelList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}},

"FileUpload": {"type": "object", "required": ["file", "purpose"], "properties": {"file": {"type": "string"},
  "purpose": {"enum": ["batch", "fine-tune", "user_data"]}}},
"File": {"type": "object", "required": ["id", "object", "bytes", "created_at", "filename", "purpose"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "file"}, "bytes": {"type": "integer"}, "created_at": {"type": "integer"},
  "filename": {"type": "string"}, "purpose": {"type": "string"}, "status": {"type": "string"}}},
"FileList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/File"}}, "has_more": {"type": "boolean"}}},
"Deleted": {"type": "object", "required": ["id", "object", "deleted"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "object": {"type": "string"}, "deleted": {"const": true}}},
"BatchRequest": {"type": "object", "required": ["input_file_id", "endpoint", "completion_window"], "properties": {
  "input_file_id": {"type": "string"}, "endpoint": {"enum": ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]},
  "completion_window": {"const": "24h"}, "metadata": {"type": "object"}}},
"Batch": {"type": "object", "required": ["id", "object", "endpoint", "input_file_id", "status", "request_counts"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "batch"}, "endpoint": {"type": "string"}, "errors": {"type": ["object", "null"]},
  "input_file_id": {"type": "string"}, "completion_window": {"type": "string"},
  "status": {"enum": ["in_progress", "cancelling", "completed", "cancelled", "failed"]},
  "output_file_id": {"type": ["string", "null"]}, "error_file_id": {"type": ["string", "null"]}, "created_at": {"type": "integer"},
  "in_progress_at": {"type": "integer"}, "expires_at": {"type": "integer"}, "completed_at": {"type": ["integer", "null"]},
  "failed_at": {"type": ["integer", "null"]}, "cancelled_at": {"type": ["integer", "null"]},
  "request_counts": {"type": "object", "required": ["total", "completed", "failed"]}, "metadata": {"type": ["object", "null"]}}},
"BatchList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Batch"}}, "has_more": {"type": "boolean"}}},

"TenantRequest": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
"Tenant": {"type": "object", "required": ["object", "name", "created"], "additionalProperties": false, "properties": {
  "object": {"const": "tenant"}, "name": {"type": "string"}, "created": {"type": "integer"}}},
"TenantList": {"type": "object", "required": ["object", "data"], "properties": {
  "data": {"type": "array", "items": {"$ref": "#/components/schemas/Tenant"}}}},
"KeyRequest": {"type": "object", "properties": {"tenant": {"type": "string"}, "label": {"type": "string"},
  "role": {"enum": ["owner", "developer", "viewer", "billing"]}, "models": {"type": "array"}, "actions": {"type": "array"},
  "expires_in": {"type": "integer"}}},
"Key": {"type": "object", "required": ["object", "prefix", "tenant", "role"], "additionalProperties": false, "properties": {
  "object": {"const": "key"}, "key": {"type": "string"}, "prefix": {"type": "string"}, "tenant": {"type": "string"}, "label": {"type": "string"},
  "role": {"type": "string"}, "models": {"type": "array"}, "actions": {"type": "array"}, "created": {"type": "integer"},
  "expires": {"type": ["integer", "null"]}, "revoked": {"type": ["integer", "null"]}}},
"KeyList": {"type": "object", "required": ["object", "data"], "properties": {
  "data": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}}},
"RevokedKey": {"type": "object", "required": ["prefix", "revoked"], "properties": {"prefix": {"type": "string"}, "revoked": {"const": true}}},
"Quota": {"type": "object", "additionalProperties": false, "properties": {"object": {"const": "quota"},
  "requests_per_minute": {"type": "integer"}, "tokens_per_minute": {"type": "integer"}, "requests_per_month": {"type": "integer"},
  "tokens_per_month": {"type": "integer"}, "concurrent": {"type": "integer"}, "storage_bytes": {"type": "integer"}}},
"Price": {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {"object": {"const": "price"},
  "model": {"type": "string"}, "prompt": {"type": "number"}, "cached": {"type": "number"}, "completion": {"type": "number"}}},
"PriceList": {"type": "object", "required": ["object", "data"], "properties": {
  "data": {"type": "array", "items": {"$ref": "#/components/schemas/Price"}}}},
"UsageList": {"type": "object", "required": ["object", "data"], "properties": {"data": {"type": "array", "items": {
  "type": "object", "required": ["tenant", "model", "requests", "prompt_tokens", "completion_tokens", "cost"]}}}},
"Engine": {"type": "object", "required": ["object", "base", "running", "waiting", "kv_blocks", "kv_blocks_free"]}
})json";

}  // namespace

std::string_view openapi_schemas() {
  return kSchemas;
}

}  // namespace plinth::server
