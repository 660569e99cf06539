// libarchive hands out names in the charset of the locale; a program starts in "C", where a name
// beyond ASCII that an archive marks as Unicode (ZIP by a flag, 7z and pax always) is none at all.
#pragma once

#include <locale.h>

namespace plinth::corpus {

// While it lives, names that libarchive reads or writes on this thread are UTF-8. Nothing else of
// the thread's locale changes. Names without a charset stay the bytes that they are.
class Utf8Names {
 public:
  Utf8Names() : own_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (own_ != nullptr) before_ = uselocale(own_);
  }

  ~Utf8Names() {
    if (own_ == nullptr) return;
    uselocale(before_);
    freelocale(own_);
  }

  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t own_;
  locale_t before_ = nullptr;
};

}  // namespace plinth::corpus
