# make install: the program, both libraries, the headers, and what find_package(quern) and pkg-config read. Everything stays where it is
# relative to the prefix, so that the prefix may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

file(RELATIVE_PATH QUERN_PREFIX_FROM_PC "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
# What the static library needs of others: as flags, and for find_package.
set(QUERN_STATIC_FLAGS "-lquern_tensor -lstdc++ -lm -ldl -pthread")
set(QUERN_STATIC_LIBRARIES "stdc++;m;${CMAKE_DL_LIBS};Threads::Threads")
foreach(name ONEDNN:dnnl ONEDNN:gomp)
  string(REPLACE ":" ";" name ${name})
  list(GET name 0 option)
  list(GET name 1 library)
  if(QUERN_${option})
    string(APPEND QUERN_STATIC_FLAGS " -l${library}")
    list(APPEND QUERN_STATIC_LIBRARIES ${library})
  endif()
endforeach()
if(QUERN_SANITIZE)
  string(APPEND QUERN_STATIC_FLAGS " -fsanitize=${QUERN_SANITIZE}")
  list(APPEND QUERN_STATIC_LIBRARIES -fsanitize=${QUERN_SANITIZE})
endif()

set(here ${CMAKE_CURRENT_LIST_DIR})
set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
configure_file(${here}/quern.pc.in ${CMAKE_BINARY_DIR}/quern.pc @ONLY)
configure_package_config_file(${here}/quern-config.cmake.in ${CMAKE_BINARY_DIR}/quern-config.cmake INSTALL_DESTINATION ${folder}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/quern-config-version.cmake COMPATIBILITY SameMinorVersion)  # until 1.0

install(TARGETS quern_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(NOT QUERN_BUNDLE)  # a static library wants the C++ library that it was compiled for, which other machines may lack
  install(TARGETS quern quern_tensor ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/include/quern.h ${PROJECT_SOURCE_DIR}/include/quern.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/quern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/quern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/quern-config.cmake ${CMAKE_BINARY_DIR}/quern-config-version.cmake DESTINATION ${folder})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(QUERN_CLI)
  install(TARGETS quern_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(QUERN_BUNDLE)
    install(DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/quern DESTINATION lib)  # where the program's run path leads
    foreach(what "notices THIRD-PARTY.txt" "sbom quern.spdx.json")
      separate_arguments(what)
      list(GET what 1 file)
      list(GET what 0 what)
      execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/third-party ${what} ${QUERN_SYSROOT} ${PROJECT_SOURCE_DIR}/build/zig/zig ${PROJECT_VERSION}
        OUTPUT_FILE ${CMAKE_BINARY_DIR}/${file} COMMAND_ERROR_IS_FATAL ANY)
      install(FILES ${CMAKE_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_DOCDIR})
    endforeach()
  endif()
  install(DIRECTORY ${CMAKE_BINARY_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR} OPTIONAL)  # what scripts/describe-program wrote
  install(FILES ${CMAKE_BINARY_DIR}/bin/embed DESTINATION ${CMAKE_INSTALL_BINDIR})  # a link to quern
endif()
