// An entry of the audit log as the API and the command line tell it.
#pragma once

#include "core/json.h"
#include "store/audit.h"

namespace plinth::server {

inline Json audit_json(const store::AuditEntry& entry) {
  return {{"id", entry.id},         {"at", entry.at_ms / 1000},       {"actor", entry.actor},
          {"tenant", entry.tenant}, {"action", entry.action},         {"detail", entry.detail},
          {"status", entry.status}, {"request_id", entry.request_id}, {"hash", entry.hash}};
}

}  // namespace plinth::server
