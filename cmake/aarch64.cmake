# Cross compiling to aarch64 with Debian's compiler; tests run under qemu-user. Header-only libraries come from the host.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-cpu;max;-L;/usr/aarch64-linux-gnu")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# Only these headers of the host are seen, through links, so that its own C library's are not.
set(QUERN_HOST_HEADERS ${CMAKE_BINARY_DIR}/host-include)
file(MAKE_DIRECTORY ${QUERN_HOST_HEADERS})
foreach(name xsimd nlohmann catch2)
  file(CREATE_LINK /usr/include/${name} ${QUERN_HOST_HEADERS}/${name} SYMBOLIC)
endforeach()
