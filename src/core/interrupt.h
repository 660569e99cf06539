// Ctrl-C and SIGTERM: long work polls interrupted() at its safe points, saves, and returns
// kCancelled; the command line turns that into exit code 130. A second signal ends the process.
#pragma once

#include <functional>

#include "core/result.h"

namespace plinth {

void install_interrupt_handler();

// For work that keeps nothing: from here on the first signal ends the process.
void uninstall_interrupt_handler();

bool interrupted();

// kCancelled once interrupted: PLINTH_TRY(check_interrupted());
Status check_interrupted();

// While it lives, long work of this thread is interrupted also when `stop` says so, as when the job
// that it is done for was cancelled. Asked often: it should be cheap.
class StopWhen {
 public:
  explicit StopWhen(std::function<bool()> stop);
  ~StopWhen();
  StopWhen(const StopWhen&) = delete;
  StopWhen& operator=(const StopWhen&) = delete;

 private:
  std::function<bool()> stop_;
  const std::function<bool()>* before_;
};

}  // namespace plinth
