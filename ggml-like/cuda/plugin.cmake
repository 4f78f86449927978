# The build id, which the library and its plug-in for CUDA have to share: a hash of the headers that both are built from. With
# QUERN_CUDA, the plug-in itself: nvcc is called by rules of its own, since nothing else is CUDA.
set(cuda ${CMAKE_CURRENT_SOURCE_DIR}/cuda)
set(shared_headers ${cuda}/runtime.h ${cuda}/arguments.h ${cuda}/kernel_list.h ${CMAKE_CURRENT_SOURCE_DIR}/kernels.h)
set(hashes ${PROJECT_VERSION})
foreach(header ${shared_headers})
  file(SHA256 ${header} hash)
  string(APPEND hashes ${hash})
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shared_headers})
string(SHA256 QUERN_CUDA_BUILD_ID "${hashes}")
string(SUBSTRING ${QUERN_CUDA_BUILD_ID} 0 16 QUERN_CUDA_BUILD_ID)

if(NOT QUERN_CUDA)
  return()
endif()
find_program(QUERN_NVCC nvcc PATHS /usr/local/cuda/bin)
if(NOT QUERN_NVCC)
  message(FATAL_ERROR "QUERN_CUDA: nvcc is not here: install NVIDIA's CUDA toolkit 12.8 or newer, or name it in -DQUERN_NVCC")
endif()
set(QUERN_CUDA_TARGETS "80;86;89;90;100;120" CACHE STRING "compute capabilities that machine code is made for; PTX of the first serves all others")
list(GET QUERN_CUDA_TARGETS 0 lowest)
set(codes -gencode arch=compute_${lowest},code=compute_${lowest})
foreach(target ${QUERN_CUDA_TARGETS})
  list(APPEND codes -gencode arch=compute_${target},code=sm_${target})
endforeach()
# --fmad=false: no a·b + c becomes a fused operation unless the code says so, as on the host.
set(options -std=c++17 -O3 --fmad=false --expt-relaxed-constexpr -DNDEBUG "-DQUERN_CUDA_BUILD_ID=\"${QUERN_CUDA_BUILD_ID}\""
  -I${CMAKE_CURRENT_SOURCE_DIR} -Xcompiler=-fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics,-Wall,-Wno-unknown-pragmas -Xptxas=-v,-warn-spills)
if(QUERN_WERROR)
  list(APPEND options -Werror=all-warnings)
endif()
file(GLOB cuda_headers CONFIGURE_DEPENDS ${cuda}/*.h ${cuda}/*.cuh)
list(APPEND cuda_headers ${CMAKE_CURRENT_SOURCE_DIR}/isa/functions.h ${CMAKE_CURRENT_SOURCE_DIR}/kernels.h
  ${CMAKE_CURRENT_SOURCE_DIR}/quants/tiles.h)
set(objects "")
foreach(name plugin instances_row instances_q8 instances_float instances_split)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/cuda_${name}.o)
  # What ptxas says of registers and spills is kept beside the object: scripts/check-cuda reads it.
  add_custom_command(OUTPUT ${object}
    COMMAND sh -c "\"$@\" > ${object}.log 2>&1 || { cat ${object}.log; exit 1; }" nvcc ${QUERN_NVCC} ${options} ${codes} -c ${cuda}/${name}.cu -o ${object}
    DEPENDS ${cuda}/${name}.cu ${cuda_headers} VERBATIM COMMENT "nvcc ${name}.cu")
  list(APPEND objects ${object})
endforeach()
# libc and the CUDA runtime, linked in; the driver is opened when a device is asked for.
set(plugin ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libquern-cuda.so)
add_custom_command(OUTPUT ${plugin}
  COMMAND ${QUERN_NVCC} -shared -cudart static -Xlinker=--exclude-libs,ALL,-s,--as-needed,--version-script,${cuda}/exports.map -o ${plugin} ${objects}
  DEPENDS ${objects} ${cuda}/exports.map VERBATIM COMMENT "libquern-cuda.so")
add_custom_target(quern_cuda ALL DEPENDS ${plugin})
if(QUERN_INSTALL)
  include(GNUInstallDirs)
  install(PROGRAMS ${plugin} DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
