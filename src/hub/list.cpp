#include "hub/list.h"

#include "hub/url.h"

namespace plinth::hub {
namespace {

constexpr int kPagesMax = 1000;

std::string revision_of(const Reference& reference) {
  if (!reference.revision.empty()) return reference.revision;
  return reference.kind == Kind::kHuggingFace ? "main" : "master";
}

Result<Listing> list_hugging_face(Client& client, const Access& access,
                                  const Reference& reference) {
  const std::string api = access.address + "/api/models/" + reference.repository;
  PLINTH_TRY(const auto about,
             client.page(api + "/revision/" + percent_encode(revision_of(reference))));
  Listing listing;
  PLINTH_TRY(listing.commit, parse_hugging_face_commit(about.text));
  const std::string tree = api + "/tree/" + listing.commit + "?";
  std::string query = "recursive=true";
  for (int pages = 0; pages < kPagesMax; ++pages) {
    PLINTH_TRY(const auto page, client.page(tree + query));
    PLINTH_TRY(append_hugging_face_page(page.text, listing));
    if (page.next.empty()) return listing;
    // Only the query of the next page's address is taken: a mirror may pass on its source's host.
    query = page.next;
  }
  return exhausted("{}: the listing has more than {} pages", name_of(reference), kPagesMax);
}

Result<Listing> list_modelscope(Client& client, const Access& access, const Reference& reference) {
  PLINTH_TRY(const auto page,
             client.page(fmt::format("{}/api/v1/models/{}/repo/files?Revision={}&Recursive=true",
                                     access.address, reference.repository,
                                     percent_encode(revision_of(reference)))));
  return parse_modelscope_listing(page.text);
}

}  // namespace

Result<Listing> list(Client& client, const Access& access, const Reference& reference) {
  auto listing = reference.kind == Kind::kHuggingFace ? list_hugging_face(client, access, reference)
                                                      : list_modelscope(client, access, reference);
  // What the reader of JSON says does not know whose it is.
  if (!listing &&
      (listing.error().code == Code::kInvalidArgument || listing.error().code == Code::kNotFound) &&
      !listing.error().message.starts_with(name_of(reference)))
    return Error{listing.error().code,
                 fmt::format("{}: {}", name_of(reference), listing.error().message)};
  return listing;
}

std::string file_url(const Access& access, const Reference& reference, const Listing& listing,
                     const std::string& path) {
  const std::string revision = listing.commit.empty() ? revision_of(reference) : listing.commit;
  if (reference.kind == Kind::kHuggingFace)
    return fmt::format("{}/{}/resolve/{}/{}", access.address, reference.repository,
                       percent_encode(revision), percent_encode_path(path));
  return fmt::format("{}/api/v1/models/{}/repo?Revision={}&FilePath={}", access.address,
                     reference.repository, percent_encode(revision), percent_encode(path));
}

}  // namespace plinth::hub
