/* What the quern program and its plug-in for Parquet and Arrow say to each other: the Arrow C data interface, as
 * https://arrow.apache.org/docs/format/CDataInterface.html has it, and a table of functions. The program links nothing
 * of Arrow; the plug-in (plugin.cpp, built by scripts/setup arrow against pyarrow's libraries) links nothing of quern.
 */
#ifndef QUERN_ARROW_H
#define QUERN_ARROW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*);
  void* private_data;
};

#endif

#define QUERN_ARROW_VERSION 1

enum quern_arrow_format { QUERN_ARROW_PARQUET = 0, QUERN_ARROW_FILE = 1 };

/* Functions return 0, or another number with a sentence in `error` (of error_size bytes, NUL-terminated). */
typedef struct quern_arrow {
  int version;           /* QUERN_ARROW_VERSION */
  const char* libraries; /* "arrow 26.0.1" */
  /* A stream of structs of large_utf8 ("U"): the text column, then each of the kept ones as JSON. path: Parquet, an
   * Arrow file or an Arrow stream, by content. text: NULL for "text" or the only column. rows: how many there are, -1
   * if that is not known. */
  int (*read)(const char* path, const char* text, const char* const* kept, size_t n_kept, struct ArrowArrayStream* out,
              int64_t* rows, char* error, size_t error_size);
  /* Writes a stream to a file that is open. Takes the stream. */
  int (*write)(int descriptor, int format, struct ArrowArrayStream* in, char* error, size_t error_size);
} quern_arrow;

/* What the plug-in exports, as "quern_arrow_plugin". */
typedef const quern_arrow* (*quern_arrow_entry)(void);

#ifdef __cplusplus
}
#endif
#endif
