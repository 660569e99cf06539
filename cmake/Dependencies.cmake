# Every library Plinth stands on, by its Debian 12 package. Modules name the imported targets.
# Why each was chosen: docs/decisions/0001-dependencies.md.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)                       # libfmt-dev
find_package(spdlog REQUIRED)                    # libspdlog-dev
find_package(nlohmann_json REQUIRED)             # nlohmann-json3-dev
find_package(CLI11 REQUIRED)                     # libcli11-dev
find_package(OpenSSL REQUIRED)                   # libssl-dev
find_package(SQLite3 REQUIRED)                   # libsqlite3-dev
find_package(ICU REQUIRED COMPONENTS uc i18n)    # libicu-dev
find_package(ZLIB REQUIRED)                      # zlib1g-dev
find_package(LibArchive REQUIRED)                # libarchive-dev
find_package(Boost 1.81 REQUIRED)                # libboost1.81-dev (headers: Beast, Asio)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)                   # libhwy-dev
pkg_check_modules(BROTLI REQUIRED IMPORTED_TARGET libbrotlidec)         # libbrotli-dev
pkg_check_modules(OPENCC REQUIRED IMPORTED_TARGET opencc)               # libopencc-dev, libopencc-data
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)                 # libzstd-dev
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)             # libxxhash-dev
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)             # libpcre2-dev
pkg_check_modules(PUGIXML REQUIRED IMPORTED_TARGET pugixml)              # libpugixml-dev
pkg_check_modules(POPPLER REQUIRED IMPORTED_TARGET poppler-cpp)          # libpoppler-cpp-dev
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)          # libtomlplusplus-dev
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)                     # libpq-dev
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)                 # libcurl4-openssl-dev
find_package(prometheus-cpp REQUIRED COMPONENTS core)                    # prometheus-cpp-dev
find_package(GTest REQUIRED)                     # libgtest-dev, libgmock-dev
find_package(benchmark REQUIRED)                 # libbenchmark-dev

# Faster links where the linker is there; nothing depends on it.
find_program(PLINTH_MOLD mold)
if(PLINTH_MOLD AND NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=mold)
endif()
find_program(PLINTH_CCACHE ccache)
if(PLINTH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PLINTH_CCACHE})
endif()
