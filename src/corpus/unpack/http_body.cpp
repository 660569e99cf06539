#include "corpus/unpack/http_body.h"

#include <brotli/decode.h>

#include <algorithm>
#include <memory>

#include "corpus/unpack/inflate.h"
#include "corpus/unpack/web_headers.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// RFC 9112 section 7.1: size in hexadecimal, ';' and extensions, CRLF, the chunk, CRLF, ... 0. On
// the first thing that is no chunk, the rest is taken as it is.
std::string unchunk(std::string_view body) {
  std::string out;
  for (size_t at = 0; at < body.size();) {
    const size_t line_end = body.find('\n', at);
    const auto line = trim(body.substr(at, line_end == body.npos ? line_end : line_end - at));
    const auto digits = line.substr(0, line.find_first_of("; "));
    const bool fine = !digits.empty() && digits.size() <= 8 && line_end != body.npos &&
                      digits.find_first_not_of("0123456789abcdefABCDEF") == digits.npos;
    if (!fine) {
      if (line.empty() && line_end != body.npos) {  // the line end after a chunk
        at = line_end + 1;
        continue;
      }
      return out += body.substr(at);
    }
    const size_t size = std::stoul(std::string(digits), nullptr, 16);
    if (size == 0) return out;
    out += body.substr(line_end + 1, size);
    at = std::min(body.size(), line_end + 1 + size);
  }
  return out;
}

// RFC 7932.
Result<std::string> unbrotli(std::string_view body, size_t bytes_max) {
  const std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance);
  if (!state) return exhausted("brotli: no memory");
  std::string out;
  const auto* in = reinterpret_cast<const uint8_t*>(body.data());
  size_t left = body.size();
  while (true) {
    size_t room = 0;
    const auto result =
        BrotliDecoderDecompressStream(state.get(), &left, &in, &room, nullptr, nullptr);
    size_t ready = 0;
    const uint8_t* bytes = BrotliDecoderTakeOutput(state.get(), &ready);
    out.append(reinterpret_cast<const char*>(bytes), ready);
    if (out.size() > bytes_max)
      return exhausted("the page unpacks to more than {} bytes", bytes_max);
    if (result == BROTLI_DECODER_RESULT_SUCCESS) {
      if (BrotliDecoderHasMoreOutput(state.get()) == BROTLI_FALSE) return out;
    } else if (result != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
      return data_loss("the page's Brotli stream is {}",
                       result == BROTLI_DECODER_RESULT_ERROR ? "damaged" : "cut off");
    }
  }
}

Result<std::string> undo_encoding(std::string body, std::string_view encoding, size_t bytes_max) {
  if (encoding.empty() || encoding == "identity") return body;
  if (encoding == "br") return unbrotli(body, bytes_max);
  const bool gzip = encoding == "gzip" || encoding == "x-gzip";
  if (!gzip && encoding != "deflate")
    return make_error(Code::kUnimplemented, "content encoding {} has no reader", encoding);
  // Some crawlers store the page unpacked and leave the header as it was.
  if (gzip && !body.starts_with("\x1F\x8B")) return body;
  PLINTH_TRY(auto out,
             inflate_stream(body, 0, gzip ? Wrapping::kGzip : Wrapping::kDeflate, bytes_max));
  return std::move(out.bytes);
}

}  // namespace

void read_content_type(std::string_view value, HttpBody& out) {
  out.type = lower_ascii(trim(value.substr(0, value.find(';'))));
  const std::string rest = lower_ascii(value);
  size_t at = rest.find("charset=");
  if (at == rest.npos) return;
  at += 8;
  const size_t end = rest.find_first_of("; ,", at);
  std::string_view charset = std::string_view(rest).substr(at, end == rest.npos ? end : end - at);
  charset = trim(charset);
  while (charset.starts_with('"') || charset.starts_with('\'')) charset.remove_prefix(1);
  while (charset.ends_with('"') || charset.ends_with('\'')) charset.remove_suffix(1);
  out.charset = std::string(charset.substr(0, 32));
}

Result<HttpBody> http_body(std::string_view response, size_t bytes_max) {
  const WebHeaders headers = read_headers(response);
  const std::string_view line = headers.first_line;
  if (!line.starts_with("HTTP/")) return data_loss("the response has no HTTP status line");
  HttpBody out;
  const auto code = trim(line.substr(std::min(line.find(' '), line.size()))).substr(0, 3);
  for (const char c : code) {
    if (c < '0' || c > '9') return data_loss("the HTTP status \"{}\" is no number", code);
    out.status = out.status * 10 + (c - '0');
  }
  read_content_type(headers.value("content-type"), out);
  const std::string_view body = response.substr(headers.end);
  const bool chunked =
      lower_ascii(headers.value("transfer-encoding")).find("chunked") != std::string::npos;
  PLINTH_TRY(out.bytes,
             undo_encoding(chunked ? unchunk(body) : std::string(body),
                           lower_ascii(trim(headers.value("content-encoding"))), bytes_max));
  return out;
}

}  // namespace plinth::corpus
