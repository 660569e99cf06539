// /plinth/v1/corpora: refining, from a tenant's uploads or from a folder that the settings lend it.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_create_corpus(const Services& services, const Call& call);
void handle_list_corpora(const Services& services, const Call& call);
void handle_corpus(const Services& services, const Call& call);
// report.json as refine wrote it; ?format=html: the page.
void handle_corpus_report(const Services& services, const Call& call);
void handle_cancel_corpus(const Services& services, const Call& call);

}  // namespace plinth::server
