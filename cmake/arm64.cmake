# Cross-compiling for 64-bit Arm on Debian 12: g++-aarch64-linux-gnu, the libraries in a folder that
# tools/test-arm fills, programs run under qemu-user. The preset `arm64` uses it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

get_filename_component(PLINTH_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot ABSOLUTE)
set(CMAKE_SYSROOT ${PLINTH_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${PLINTH_SYSROOT})

set(ENV{PKG_CONFIG_SYSROOT_DIR} ${PLINTH_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${PLINTH_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${PLINTH_SYSROOT}/usr/share/pkgconfig)
