// /v1/fine_tuning/jobs: tuning in the background, on the base that answers.
#pragma once

#include "server/services.h"

namespace plinth::server {

void handle_create_job(const Services& services, const Call& call);
void handle_list_jobs(const Services& services, const Call& call);
void handle_job(const Services& services, const Call& call);
void handle_cancel_job(const Services& services, const Call& call);
void handle_pause_job(const Services& services, const Call& call);
void handle_resume_job(const Services& services, const Call& call);
void handle_job_events(const Services& services, const Call& call);
// Of a job that succeeded: the step whose adapter was kept, as the one model that can be asked.
void handle_job_checkpoints(const Services& services, const Call& call);

}  // namespace plinth::server
