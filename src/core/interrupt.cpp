#include "core/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <utility>

namespace plinth {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "the handler may touch lock-free atomics only");

thread_local const std::function<bool()>* stop_when = nullptr;

void on_signal(int) {
  if (flag.exchange(true)) _exit(130);
}

void handle_signals(void (*handler)(int)) {
  struct sigaction action {};

  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void install_interrupt_handler() {
  handle_signals(on_signal);
}

void uninstall_interrupt_handler() {
  handle_signals(SIG_DFL);
}

bool interrupted() {
  return flag.load(std::memory_order_relaxed) || (stop_when != nullptr && (*stop_when)());
}

Status check_interrupted() {
  if (interrupted()) return Error{Code::kCancelled, "interrupted"};
  return {};
}

StopWhen::StopWhen(std::function<bool()> stop) : stop_(std::move(stop)), before_(stop_when) {
  stop_when = &stop_;
}

StopWhen::~StopWhen() {
  stop_when = before_;
}

}  // namespace plinth
