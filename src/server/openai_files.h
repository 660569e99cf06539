// /v1/files: uploads for batches (and tuning), and what batches write.
#pragma once

#include <string_view>

#include "server/services.h"

namespace plinth::server {

inline constexpr std::string_view kSuitePurpose = "suite";  // Plinth's own: see plinth_proofs.h

void handle_upload_file(const Services& services, const Call& call);
void handle_list_files(const Services& services, const Call& call);
void handle_file(const Services& services, const Call& call);
void handle_file_content(const Services& services, const Call& call);
void handle_delete_file(const Services& services, const Call& call);

}  // namespace plinth::server
