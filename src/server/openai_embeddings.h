// POST /v1/embeddings and POST /v1/rerank, from the base itself.
//
// The vector of a text is the mean, over its tokens, of the last layer's normalised output, scaled
// to length 1. A base that was trained to continue text was not trained to compare texts: such
// vectors know topics, not fine shades. Relevance is the cosine of two of them, no more.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_embeddings(const Services& services, const Call& call);
void handle_rerank(const Services& services, const Call& call);

}  // namespace plinth::server
