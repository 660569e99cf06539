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
  "prompt_tokens_details": {"type": "object", "additionalProperties": false, "properties": {"cached_tokens": {"type": "integer"}}}}},
"Health": {"type": "object", "required": ["status", "ready"], "additionalProperties": false, "properties": {
  "status": {"type": "string"}, "ready": {"type": "boolean"}}},
"OpenApi": {"type": "object", "additionalProperties": true, "required": ["openapi", "paths"]},

"Sampling": {"type": "object", "properties": {
  "temperature": {"type": "number", "minimum": 0, "maximum": 2}, "top_p": {"type": "number"}, "top_k": {"type": "integer"},
  "min_p": {"type": "number"}, "typical_p": {"type": "number"}, "repetition_penalty": {"type": "number"},
  "presence_penalty": {"type": "number"}, "frequency_penalty": {"type": "number"}, "logit_bias": {"type": "object"},
  "seed": {"type": "integer"}, "stop": {"type": ["string", "array"]}, "stop_token_ids": {"type": "array"},
  "n": {"type": "integer", "minimum": 1, "maximum": 128}, "ignore_eos": {"type": "boolean"},
  "priority": {"type": "integer", "minimum": -1000, "maximum": 1000}, "deadline_ms": {"type": "integer", "minimum": 0},
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
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "logprobs": {"$ref": "#/components/schemas/ChatLogprobs"},
    "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
    "message": {"type": "object", "required": ["role", "content"], "additionalProperties": false, "properties": {
      "role": {"const": "assistant"}, "content": {"type": ["string", "null"]}, "refusal": {"type": ["string", "null"]},
      "citations": {"$ref": "#/components/schemas/Citations"}, "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/ToolCall"}}}}}}}}},
"Citations": {"type": "array", "items": {"type": "object", "additionalProperties": true}},
"TokenLogprob": {"type": "object", "required": ["token", "logprob", "bytes"], "additionalProperties": false, "properties": {
  "token": {"type": "string"}, "logprob": {"type": "number"}, "bytes": {"type": ["array", "null"], "items": {"type": "integer"}},
  "top_logprobs": {"type": "array", "items": {"type": "object", "required": ["token", "logprob", "bytes"], "additionalProperties": false,
    "properties": {"token": {"type": "string"}, "logprob": {"type": "number"}, "bytes": {"type": ["array", "null"], "items": {"type": "integer"}}}}}}},
"ChatLogprobs": {"type": ["object", "null"], "required": ["content"], "additionalProperties": false, "properties": {
  "content": {"type": "array", "items": {"$ref": "#/components/schemas/TokenLogprob"}}}},
"ChatChunk": {"type": "object", "required": ["id", "object", "created", "model", "choices"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "object": {"const": "chat.completion.chunk"}, "created": {"type": "integer"}, "model": {"type": "string"},
  "system_fingerprint": {"type": "string"}, "usage": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Usage"}]},
  "choices": {"type": "array", "items": {"type": "object", "required": ["index", "delta", "finish_reason"], "additionalProperties": false,
    "properties": {"index": {"type": "integer"}, "logprobs": {"$ref": "#/components/schemas/ChatLogprobs"},
    "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter", null]},
    "delta": {"type": "object", "additionalProperties": false, "properties": {"role": {"const": "assistant"}, "content": {"type": "string"},
      "citations": {"$ref": "#/components/schemas/Citations"}, "tool_calls": {"type": "array", "items": {"type": "object",
        "required": ["index", "function"], "additionalProperties": false, "properties": {"index": {"type": "integer"}, "id": {"type": "string"},
        "type": {"const": "function"}, "function": {"type": "object", "required": ["arguments"], "additionalProperties": false, "properties": {
          "name": {"type": "string"}, "arguments": {"type": "string"}}}}}}}}}}}}},

"CompletionRequest": {"allOf": [{"$ref": "#/components/schemas/Sampling"}], "type": "object", "required": ["model", "prompt"],
  "properties": {"model": {"type": "string"}, "prompt": {"type": ["string", "array"]}, "max_tokens": {"type": "integer"},
  "echo": {"type": "boolean"}, "logprobs": {"type": "integer", "minimum": 0, "maximum": 20}}},
"Completion": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "text_completion"}, "created": {"type": "integer"},
  "model": {"type": "string"}, "system_fingerprint": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "choices": {"type": "array", "items": {"type": "object", "required": ["index", "text", "logprobs", "finish_reason"],
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "text": {"type": "string"},
    "logprobs": {"$ref": "#/components/schemas/LogprobLists"}, "finish_reason": {"enum": ["stop", "length", "content_filter"]}}}}}},
"LogprobLists": {"type": ["object", "null"], "required": ["tokens", "token_logprobs", "top_logprobs", "text_offset"], "additionalProperties": false,
  "properties": {"tokens": {"type": "array", "items": {"type": "string"}}, "token_logprobs": {"type": "array", "items": {"type": ["number", "null"]}},
  "text_offset": {"type": "array", "items": {"type": "integer"}}, "top_logprobs": {"type": "array", "items": {"type": ["object", "null"],
    "additionalProperties": {"type": "number"}}}}},
"CompletionChunk": {"type": "object", "required": ["id", "object", "created", "model", "choices"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "object": {"const": "text_completion"}, "created": {"type": "integer"}, "model": {"type": "string"},
  "system_fingerprint": {"type": "string"}, "usage": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Usage"}]},
  "choices": {"type": "array", "items": {"type": "object", "required": ["index", "text", "logprobs", "finish_reason"],
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "text": {"type": "string"},
    "logprobs": {"$ref": "#/components/schemas/LogprobLists"}, "finish_reason": {"enum": ["stop", "length", "content_filter", null]}}}}}},
"ResponseRequest": {"type": "object", "required": ["model", "input"], "properties": {"model": {"type": "string"},
  "input": {"type": ["string", "array"]}, "instructions": {"type": "string"}, "max_output_tokens": {"type": "integer"},
  "temperature": {"type": "number"}, "top_p": {"type": "number"}, "seed": {"type": "integer"}, "stop": {"type": ["string", "array"]},
  "text": {"type": "object"}, "tools": {"type": "array"}, "tool_choice": {"type": ["string", "object"]},
  "parallel_tool_calls": {"type": "boolean"}, "stream": {"type": "boolean"}, "metadata": {"type": "object"}, "user": {"type": "string"}}},
"Response": {"type": "object", "required": ["id", "object", "created_at", "model", "status", "output", "usage"], "additionalProperties": false,
  "properties": {"id": {"type": "string"}, "object": {"const": "response"}, "created_at": {"type": "integer"}, "model": {"type": "string"},
  "system_fingerprint": {"type": "string"}, "status": {"enum": ["in_progress", "completed", "incomplete"]}, "error": {"type": "null"},
  "incomplete_details": {"type": ["object", "null"], "required": ["reason"], "additionalProperties": false, "properties": {
    "reason": {"enum": ["max_output_tokens", "content_filter"]}}}, "instructions": {"type": ["string", "null"]},
  "max_output_tokens": {"type": ["integer", "null"]}, "metadata": {"type": "object", "additionalProperties": true},
  "parallel_tool_calls": {"type": "boolean"}, "previous_response_id": {"type": "null"}, "reasoning": {"type": "object",
    "additionalProperties": false, "properties": {"effort": {"type": "null"}, "summary": {"type": "null"}}},
  "store": {"const": false}, "temperature": {"type": "number"}, "top_p": {"type": "number"}, "text": {"type": "object", "additionalProperties": true},
  "tool_choice": {"type": ["string", "object"], "additionalProperties": true}, "tools": {"type": "array", "items": {"type": "object",
    "additionalProperties": true}},
  "truncation": {"const": "disabled"}, "user": {"type": ["string", "null"]}, "usage": {"type": ["object", "null"],
    "required": ["input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"], "additionalProperties": false,
    "properties": {"input_tokens": {"type": "integer"}, "output_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"},
    "input_tokens_details": {"type": "object", "additionalProperties": false, "properties": {"cached_tokens": {"type": "integer"}}},
    "output_tokens_details": {"type": "object", "additionalProperties": false, "properties": {"reasoning_tokens": {"type": "integer"}}}}},
  "output": {"type": "array", "items": {"$ref": "#/components/schemas/ResponseItem"}}}},
"ResponseText": {"type": "object", "required": ["type", "text", "annotations", "logprobs"], "additionalProperties": false, "properties": {
  "type": {"const": "output_text"}, "text": {"type": "string"}, "annotations": {"type": "array", "maxItems": 0, "items": {"type": "object",
    "additionalProperties": false}}, "logprobs": {"type": "array", "maxItems": 0, "items": {"type": "object", "additionalProperties": false}}}},
"ResponseItem": {"anyOf": [
  {"type": "object", "required": ["type", "id", "status", "role", "content"], "additionalProperties": false, "properties": {
    "type": {"const": "message"}, "id": {"type": "string"}, "status": {"enum": ["in_progress", "completed", "incomplete"]}, "role": {"const": "assistant"},
    "content": {"type": "array", "items": {"$ref": "#/components/schemas/ResponseText"}}, "citations": {"$ref": "#/components/schemas/Citations"}}},
  {"type": "object", "required": ["type", "id", "status", "call_id", "name", "arguments"], "additionalProperties": false, "properties": {
    "type": {"const": "function_call"}, "id": {"type": "string"}, "status": {"enum": ["in_progress", "completed", "incomplete"]}, "call_id": {"type": "string"},
    "name": {"type": "string"}, "arguments": {"type": "string"}}}]},
"ResponseEvent": {"type": "object", "required": ["type", "sequence_number"], "additionalProperties": false, "properties": {
  "type": {"enum": ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.function_call_arguments.delta",
    "response.function_call_arguments.done", "response.output_item.done", "response.completed", "response.incomplete"]},
  "sequence_number": {"type": "integer"}, "response": {"$ref": "#/components/schemas/Response"}, "item_id": {"type": "string"},
  "output_index": {"type": "integer"}, "content_index": {"type": "integer"}, "item": {"$ref": "#/components/schemas/ResponseItem"},
  "part": {"$ref": "#/components/schemas/ResponseText"}, "delta": {"type": "string"}, "text": {"type": "string"}, "name": {"type": "string"},
  "arguments": {"type": "string"}, "logprobs": {"type": "array", "maxItems": 0, "items": {"type": "object", "additionalProperties": false}}}},
"EmbeddingsRequest": {"type": "object", "required": ["model", "input"], "properties": {"model": {"type": "string"},
  "input": {"type": ["string", "array"]}, "encoding_format": {"enum": ["float", "base64"]}, "dimensions": {"type": "integer"}}},
"Embeddings": {"type": "object", "required": ["object", "data", "model", "usage"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "model": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "data": {"type": "array", "items": {"type": "object", "required": ["object", "index", "embedding"],
    "additionalProperties": false, "properties": {"object": {"const": "embedding"}, "index": {"type": "integer"},
    "embedding": {"type": ["array", "string"], "items": {"type": "number"}}}}}}},
"RerankRequest": {"type": "object", "required": ["model", "query", "documents"], "properties": {"model": {"type": "string"},
  "query": {"type": "string"}, "documents": {"type": "array"}, "top_n": {"type": "integer"}, "return_documents": {"type": "boolean"}}},
"Rerank": {"type": "object", "required": ["model", "results", "usage"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "model": {"type": "string"}, "usage": {"$ref": "#/components/schemas/Usage"},
  "results": {"type": "array", "items": {"type": "object", "required": ["index", "relevance_score"],
    "additionalProperties": false, "properties": {"index": {"type": "integer"}, "relevance_score": {"type": "number"}, "document": {"type": "object",
      "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string"}}}}}}}},
"TokenizeRequest": {"type": "object", "properties": {"model": {"type": "string"}, "prompt": {"type": "string"},
  "messages": {"type": "array"}, "tools": {"type": "array"}, "add_special_tokens": {"type": "boolean"}, "return_token_strs": {"type": "boolean"}}},
"Tokens": {"type": "object", "required": ["count", "max_model_len", "tokens"], "additionalProperties": false, "properties": {
  "count": {"type": "integer"}, "max_model_len": {"type": "integer"}, "tokens": {"type": "array", "items": {"type": "integer"}},
  "token_strs": {"type": "array", "items": {"type": "string"}}}},
"DetokenizeRequest": {"type": "object", "required": ["tokens"], "properties": {"model": {"type": "string"}, "tokens": {"type": "array"}}},
"DetokenizedText": {"type": "object", "required": ["prompt"], "additionalProperties": false, "properties": {"prompt": {"type": "string"}}},
"TokenizerInfo": {"type": "object", "required": ["tokenizer_class", "eos_token"], "additionalProperties": false, "properties": {
  "tokenizer_class": {"type": "string"}, "model_max_length": {"type": "integer"}, "vocab_size": {"type": "integer"},
  "bos_token": {"type": ["string", "null"]}, "eos_token": {"type": ["string", "null"]}, "chat_template": {"type": "string"}}},
"Model": {"type": "object", "required": ["id", "object", "created", "owned_by"], "additionalProperties": false, "properties": {
  "id": {"type": "string"}, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": {"type": "string"}, "digest": {"type": "string"}}},
"ModelList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}},

"FileUpload": {"type": "object", "required": ["file", "purpose"], "properties": {"file": {"type": "string"},
  "purpose": {"enum": ["batch", "fine-tune", "user_data", "suite"]}}},
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
  "properties": {"id": {"type": "string"}, "object": {"const": "batch"}, "endpoint": {"type": "string"}, "errors": {"type": ["object", "null"], "required": ["object", "data"],
    "additionalProperties": false, "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
      "required": ["code", "message"], "additionalProperties": false, "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}}}},
  "input_file_id": {"type": "string"}, "completion_window": {"type": "string"},
  "status": {"enum": ["in_progress", "cancelling", "completed", "cancelled", "failed", "expired"]},
  "output_file_id": {"type": ["string", "null"]}, "error_file_id": {"type": ["string", "null"]}, "created_at": {"type": "integer"},
  "in_progress_at": {"type": "integer"}, "expires_at": {"type": "integer"}, "completed_at": {"type": ["integer", "null"]},
  "failed_at": {"type": ["integer", "null"]}, "expired_at": {"type": ["integer", "null"]}, "cancelled_at": {"type": ["integer", "null"]},
  "request_counts": {"type": "object", "required": ["total", "completed", "failed"], "additionalProperties": false, "properties": {
    "total": {"type": "integer"}, "completed": {"type": "integer"}, "failed": {"type": "integer"}}},
  "metadata": {"type": ["object", "null"], "additionalProperties": true}}},
"BatchList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Batch"}}, "has_more": {"type": "boolean"}}},

"JobRequest": {"type": "object", "required": ["model", "training_file"], "properties": {"model": {"type": "string"},
  "training_file": {"type": "string"}, "validation_file": {"type": ["string", "null"]}, "suffix": {"type": "string"}, "seed": {"type": "integer"}, "metadata": {"type": "object"},
  "hyperparameters": {"$ref": "#/components/schemas/Hyperparameters"}, "method": {"type": "object", "required": ["type"], "properties": {
    "type": {"enum": ["supervised", "dpo"]}, "supervised": {"type": "object", "properties": {
      "hyperparameters": {"$ref": "#/components/schemas/Hyperparameters"}}}, "dpo": {"type": "object", "properties": {
      "hyperparameters": {"$ref": "#/components/schemas/Hyperparameters"}}}}}}},
"Hyperparameters": {"type": "object", "additionalProperties": false, "properties": {"n_epochs": {"type": ["number", "string"]},
  "batch_size": {"type": ["integer", "string"]}, "learning_rate_multiplier": {"type": ["number", "string"]},
  "beta": {"type": ["number", "string"]}, "rank": {"type": ["integer", "string"]}, "sequence": {"type": ["integer", "string"]}}},
"Job": {"type": "object", "required": ["id", "object", "created_at", "status", "model", "fine_tuned_model", "training_file", "error"],
  "additionalProperties": false, "properties": {"id": {"type": "string"}, "object": {"const": "fine_tuning.job"},
  "created_at": {"type": "integer"}, "finished_at": {"type": ["integer", "null"]}, "estimated_finish": {"type": ["integer", "null"]},
  "status": {"enum": ["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]}, "model": {"type": "string"},
  "fine_tuned_model": {"type": ["string", "null"]}, "organization_id": {"type": "string"}, "training_file": {"type": "string"},
  "validation_file": {"type": ["string", "null"]}, "result_files": {"type": "array", "items": {"type": "string"}}, "seed": {"type": "integer"},
  "trained_tokens": {"type": ["integer", "null"]}, "hyperparameters": {"$ref": "#/components/schemas/Hyperparameters"},
  "method": {"type": "object", "required": ["type"], "additionalProperties": false, "properties": {"type": {"enum": ["supervised", "dpo"]},
    "supervised": {"$ref": "#/components/schemas/JobMethod"}, "dpo": {"$ref": "#/components/schemas/JobMethod"}}},
  "metadata": {"type": "object", "additionalProperties": true}, "suffix": {"type": ["string", "null"]}, "error": {"type": ["object", "null"],
    "required": ["code", "message", "param"], "additionalProperties": false, "properties": {"code": {"type": "string"}, "message": {"type": "string"},
    "param": {"type": ["string", "null"]}}}}},
"JobMethod": {"type": "object", "required": ["hyperparameters"], "additionalProperties": false, "properties": {
  "hyperparameters": {"$ref": "#/components/schemas/Hyperparameters"}}},
"JobList": {"type": "object", "required": ["object", "data", "has_more"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}, "has_more": {"type": "boolean"}}},
"JobEventList": {"type": "object", "required": ["object", "data", "has_more"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "has_more": {"type": "boolean"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["id", "object", "created_at", "level", "message", "type"], "additionalProperties": false, "properties": {
    "id": {"type": "string"}, "object": {"const": "fine_tuning.job.event"}, "created_at": {"type": "integer"}, "level": {"enum": ["info", "warn", "error"]},
    "message": {"type": "string"}, "type": {"enum": ["message", "metrics"]}, "data": {"type": "object", "additionalProperties": {"type": "number"}}}}}}},
"JobCheckpointList": {"type": "object", "required": ["object", "data", "has_more"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "has_more": {"type": "boolean"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["id", "object", "created_at", "fine_tuning_job_id", "fine_tuned_model_checkpoint", "step_number", "metrics"],
    "additionalProperties": false, "properties": {"id": {"type": "string"}, "object": {"const": "fine_tuning.job.checkpoint"},
    "created_at": {"type": "integer"}, "fine_tuning_job_id": {"type": "string"}, "fine_tuned_model_checkpoint": {"type": "string"},
    "step_number": {"type": "integer"}, "metrics": {"type": "object", "additionalProperties": {"type": "number"}}}}}}},
"Release": {"type": "object", "required": ["object", "name", "digest", "live"], "additionalProperties": false, "properties": {
  "object": {"const": "release"}, "name": {"type": "string"}, "digest": {"type": "string"}, "base": {"type": "string"}, "adapter": {"type": "string"},
  "knowledge": {"type": "string"}, "live": {"type": "boolean"}, "created": {"type": "integer"}, "verdict": {"type": ["object", "null"], "additionalProperties": true}}},
"ReleaseList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Release"}}}},
"AdapterList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
  "required": ["object", "digest", "name", "base", "created"], "additionalProperties": false, "properties": {"object": {"const": "adapter"},
  "digest": {"type": "string"}, "name": {"type": "string"}, "base": {"type": "string"}, "created": {"type": "integer"}}}}}},
"AdminJobList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
  "required": ["object", "id", "kind", "tenant", "status", "model", "error", "created", "heartbeat"], "additionalProperties": false, "properties": {
  "object": {"const": "job"}, "id": {"type": "string"}, "kind": {"enum": ["tune", "refine", "prove"]}, "tenant": {"type": "string"},
  "status": {"enum": ["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]}, "model": {"type": "string"},
  "error": {"type": "string"}, "created": {"type": "integer"}, "heartbeat": {"type": "integer"}}}}}},
"Audit": {"type": "object", "required": ["object", "data", "entries", "last_hash", "whole", "broken_at"], "additionalProperties": false,
  "properties": {"object": {"const": "list"}, "entries": {"type": "integer"}, "last_hash": {"type": "string"}, "whole": {"type": "boolean"},
  "broken_at": {"type": "integer"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["id", "at", "actor", "tenant", "action", "detail", "status", "request_id", "hash"], "additionalProperties": false,
    "properties": {"id": {"type": "integer"}, "at": {"type": "integer"}, "actor": {"type": "string"}, "tenant": {"type": "string"},
    "action": {"type": "string"}, "detail": {"type": "string"}, "status": {"type": "integer"}, "request_id": {"type": "string"},
    "hash": {"type": "string"}}}}}},

"TenantRequest": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
"Tenant": {"type": "object", "required": ["object", "name", "created"], "additionalProperties": false, "properties": {
  "object": {"const": "tenant"}, "name": {"type": "string"}, "created": {"type": "integer"}}},
"TenantList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Tenant"}}}},
"KeyRequest": {"type": "object", "properties": {"tenant": {"type": "string"}, "label": {"type": "string"},
  "role": {"enum": ["owner", "developer", "viewer", "billing"]}, "models": {"type": "array"}, "actions": {"type": "array"},
  "expires_in": {"type": "integer"}}},
"Key": {"type": "object", "required": ["object", "prefix", "tenant", "role"], "additionalProperties": false, "properties": {
  "object": {"const": "key"}, "key": {"type": "string"}, "prefix": {"type": "string"}, "tenant": {"type": "string"}, "label": {"type": "string"},
  "role": {"type": "string"}, "models": {"type": "array", "items": {"type": "string"}},
  "actions": {"type": "array", "items": {"type": "string"}}, "created": {"type": "integer"},
  "expires": {"type": ["integer", "null"]}, "revoked": {"type": ["integer", "null"]}}},
"KeyList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}}},
"RevokedKey": {"type": "object", "required": ["object", "prefix", "revoked"], "additionalProperties": false, "properties": {
  "object": {"const": "key.revoked"}, "prefix": {"type": "string"}, "revoked": {"const": true}}},
"Quota": {"type": "object", "additionalProperties": false, "properties": {"object": {"const": "quota"},
  "requests_per_minute": {"type": "integer"}, "tokens_per_minute": {"type": "integer"}, "requests_per_month": {"type": "integer"},
  "tokens_per_month": {"type": "integer"}, "concurrent": {"type": "integer"}, "storage_bytes": {"type": "integer"}}},
"Price": {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {"object": {"const": "price"},
  "model": {"type": "string"}, "prompt": {"type": "number"}, "cached": {"type": "number"}, "completion": {"type": "number"}, "trained": {"type": "number"}}},
"PriceList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Price"}}}},
"UsageList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {
  "type": "object", "required": ["object", "tenant", "model", "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "trained_tokens", "core_seconds", "cost"],
  "additionalProperties": false, "properties": {"object": {"const": "usage"}, "core_seconds": {"type": "number"}, "tenant": {"type": "string"}, "model": {"type": "string"},
  "requests": {"type": "integer"}, "prompt_tokens": {"type": "integer"}, "cached_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"},
  "trained_tokens": {"type": "integer"}, "cost": {"type": "number"}}}}}},
"CorpusRequest": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": {"type": "string"},
  "files": {"type": "array", "items": {"type": "string"}}, "folder": {"type": "string"}, "suites": {"type": "array", "items": {"type": "string"}}}},
"Corpus": {"type": "object", "required": ["object", "id", "tenant", "name", "status", "created", "documents", "rejects", "error"],
  "additionalProperties": false, "properties": {"object": {"const": "corpus"}, "id": {"type": "string"}, "tenant": {"type": "string"},
  "name": {"type": "string"}, "status": {"enum": ["queued", "running", "succeeded", "failed", "cancelled"]}, "created": {"type": "integer"},
  "ended": {"type": ["integer", "null"]}, "error": {"type": ["string", "null"]}, "files": {"type": "array", "items": {"type": "string"}}, "folder": {"type": ["string", "null"]},
  "documents_in": {"type": ["integer", "null"]}, "documents": {"type": ["integer", "null"]}, "rejects": {"type": ["integer", "null"]},
  "bytes_in": {"type": ["integer", "null"]}, "found": {"type": ["object", "null"],
    "additionalProperties": true}}},
"CorpusList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Corpus"}}}},
"CorpusReport": {"type": "object", "additionalProperties": true},
"Run": {"type": "object", "required": ["object", "id", "tenant", "status", "model", "created", "result", "error"], "additionalProperties": false,
  "properties": {"object": {"const": "run"}, "id": {"type": "string"}, "tenant": {"type": "string"}, "status": {"type": "string"},
  "created": {"type": "integer"}, "started": {"type": ["integer", "null"]}, "ended": {"type": ["integer", "null"]},
  "error": {"type": ["string", "null"]}, "model": {"type": ["string", "null"]}, "result": {"type": ["object", "null"],
    "additionalProperties": {"type": "number"}}, "lineage": {"type": ["object", "null"], "additionalProperties": true},
  "metrics": {"type": "array", "items": {"type": "object", "required": ["step", "loss"], "additionalProperties": true}}}},
"RunList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}}}},
"Suite": {"type": "object", "required": ["object", "id", "name", "bytes", "sha256", "created"], "additionalProperties": false, "properties": {
  "object": {"const": "suite"}, "id": {"type": "string"}, "name": {"type": "string"}, "bytes": {"type": "integer"}, "sha256": {"type": "string"},
  "created": {"type": "integer"}, "kind": {"enum": ["choice", "short", "text", "exam", null]}, "items": {"type": ["integer", "null"]},
  "error": {"type": ["string", "null"]}}},
"SuiteList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Suite"}}}},
"ProofRequest": {"type": "object", "required": ["model", "domain", "general"], "additionalProperties": false, "properties": {
  "model": {"type": "string"}, "domain": {"type": "string"}, "general": {"type": "string"}, "tolerance": {"type": "number"},
  "seed": {"type": "integer"}}},
"Proof": {"type": "object", "required": ["object", "id", "tenant", "model", "status", "created", "passed", "verdict", "error"],
  "additionalProperties": false, "properties": {"object": {"const": "proof"}, "id": {"type": "string"}, "tenant": {"type": "string"},
  "model": {"type": "string"}, "release": {"type": "string"}, "status": {"enum": ["queued", "running", "succeeded", "failed", "cancelled"]},
  "created": {"type": "integer"}, "ended": {"type": ["integer", "null"]}, "error": {"type": ["string", "null"]}, "domain": {"type": "string"},
  "general": {"type": "string"}, "tolerance": {"type": "number"}, "passed": {"type": ["boolean", "null"]},
  "verdict": {"type": ["object", "null"], "additionalProperties": true}}},
"ProofList": {"type": "object", "required": ["object", "data"], "additionalProperties": false, "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Proof"}}}},
"Engine": {"type": "object", "required": ["object", "base", "digest", "running", "waiting", "kv_blocks", "kv_blocks_free", "memory_bytes", "adapters"],
  "additionalProperties": false, "properties": {"object": {"const": "engine"}, "base": {"type": "string"}, "digest": {"type": "string"},
  "running": {"type": "integer"}, "waiting": {"type": "integer"}, "kv_blocks": {"type": "integer"}, "kv_blocks_free": {"type": "integer"},
  "memory_bytes": {"type": "integer"}, "adapters": {"type": "object", "required": ["registered", "resident", "resident_bytes", "budget_bytes"],
    "additionalProperties": false, "properties": {"registered": {"type": "integer"}, "resident": {"type": "integer"},
    "resident_bytes": {"type": "integer"}, "budget_bytes": {"type": "integer"}}}}}
})json";

}  // namespace

std::string_view openapi_schemas() {
  return kSchemas;
}

}  // namespace plinth::server
