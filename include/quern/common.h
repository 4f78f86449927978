/* Versions, errors, the machine. Included by quern.h. */
#ifndef QUERN_COMMON_H
#define QUERN_COMMON_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define QUERN_API __declspec(dllexport)
#else
#define QUERN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define QUERN_VERSION_MAJOR 0
#define QUERN_VERSION_MINOR 1
#define QUERN_VERSION_PATCH 0

typedef enum quern_status {
  QUERN_OK = 0,
  QUERN_BAD_ARGUMENT = 1,  /* wrong use: an option, a name, a size */
  QUERN_NOT_FOUND = 2,     /* a file or folder is missing */
  QUERN_IO = 3,            /* reading or writing failed: disk full, permissions */
  QUERN_BAD_FILE = 4,      /* a file is there, but is not what it should be */
  QUERN_UNSUPPORTED = 5,   /* well-formed, but quern cannot run it */
  QUERN_OUT_OF_MEMORY = 6,
  QUERN_INTERNAL = 7,      /* a bug in quern */
  QUERN_OVERLOADED = 8,    /* a scheduler has as much to do as it may: try again later */
  QUERN_DEADLINE_EXCEEDED = 9,
  QUERN_CANCELLED = 10
} quern_status;

typedef struct quern_model quern_model;
typedef struct quern_session quern_session;

/* "0.1.0" */
QUERN_API const char *quern_version(void);
/* Why the calling thread's last failed call failed; "" before any. Valid until the thread's next failing call. */
QUERN_API const char *quern_last_error(void);
/* The kernels that will run, e.g. "avx512_vnni". NULL when QUERN_ISA names what cannot run here (see quern_last_error). */
QUERN_API const char *quern_isa(void);
/* CPUs that this process may use: affinity and cgroup quota respected. */
QUERN_API int quern_usable_cpus(void);
/* Whose matrix products will run: "native" or what QUERN_BACKEND names. NULL when that is not in this build. */
QUERN_API const char *quern_backend(void);
/* The CPU's name as the operating system tells it. */
QUERN_API const char *quern_cpu(void);
/* Frees a string that this library handed out. */
QUERN_API void quern_string_free(char *string);

#ifdef __cplusplus
}
#endif
#endif
