// Ctrl-C and SIGTERM: long work polls interrupted() at its safe points, saves, and returns
// kCancelled; the command line turns that into exit code 130. A second signal ends the process.
#pragma once

#include "core/result.h"

namespace plinth {

void install_interrupt_handler();
bool interrupted();

// kCancelled once interrupted: PLINTH_TRY(check_interrupted());
Status check_interrupted();

}  // namespace plinth
