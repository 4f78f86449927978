/* Models by name, and files of datasets, from the Hugging Face Hub and the local caches. Included by quern.h.
 *
 * A name is org/name[:file][@revision], or a short one of quern_hub_known. The Hub cache is huggingface_hub's, by its variables
 * (HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE …: docs/hub.md); converted files are under QUERN_CACHE. Nothing
 * else of this library uses the network. */
#ifndef QUERN_HUB_H
#define QUERN_HUB_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum quern_hub_phase {
  QUERN_HUB_ASKING = 0,      /* the Hub is asked what there is */
  QUERN_HUB_WAITING = 1,     /* for another process, or as long as the Hub asks for; done of total seconds */
  QUERN_HUB_CHECKING = 2,    /* what an earlier download has left, what is to be pushed; done of total bytes */
  QUERN_HUB_DOWNLOADING = 3, /* done of total bytes */
  QUERN_HUB_CONVERTING = 4,  /* done of total, of the work */
  QUERN_HUB_UPLOADING = 5    /* done of total bytes of one file */
} quern_hub_phase;

typedef struct quern_hub_options {
  size_t size;
  const char *type; /* that a model is converted to, one of quern_written_type; "source": it is not; NULL: q8 */
  int offline;      /* non-zero: the caches alone, as with HF_HUB_OFFLINE */
  int refresh;      /* non-zero: asks where a branch or tag is now; else what the cache knows is good enough */
  const char *const *include; /* patterns of files, for quern_hub_pull: NULL: those that the model needs */
  size_t n_include;
  const char *const *exclude;
  size_t n_exclude;
  int n_threads; /* of a conversion; 0: quern_usable_cpus() */
  /* Called several times a second, total 0: unknown; a return of non-zero cancels (QUERN_CANCELLED). May be NULL. */
  int (*progress)(void *user, quern_hub_phase phase, const char *what, double done, double total);
  void *user;
} quern_hub_options;
QUERN_API quern_hub_options quern_hub_options_default(void);

/* What quern_model_load takes for a path or a name. A path that exists is itself. Else the converted file in quern's cache, or the
 * GGUF file in the Hub cache: from there without network, where it is not yet by downloading and converting it, once. Two
 * processes that want the same model at once wait for each other. Free *path with quern_string_free. options may be NULL. */
QUERN_API quern_status quern_hub_model(const char *name, const quern_hub_options *options, char **path);

/* Downloads the files that a model needs, or those that match, and converts nothing. *json: {"name", "commit", "folder", "gguf"
 * (path or ""), "files", "bytes", "downloaded"}. options may be NULL. */
QUERN_API quern_status quern_hub_pull(const char *name, const quern_hub_options *options, char **json);

/* What is in the caches, as JSON: [{"name", "commit", "revisions", "downloaded", "files", "bytes", "converted": [{"type", "path",
 * "bytes"}]}]. */
QUERN_API quern_status quern_hub_list(char **json);

/* Removes a model from both caches, with "@revision" that commit alone. *json: {"removed": [paths], "bytes"}; may be NULL. */
QUERN_API quern_status quern_hub_remove(const char *name, char **json);

/* Files of a dataset on the Hub, for whoever reads them once: nothing of them goes into a cache. Of one thread at a time. */
typedef struct quern_hub_files quern_hub_files;

/* Asks for what an address means, all of one commit: hf://datasets/org/name[@revision]/PATH, of which PATH is a file, a folder (the
 * files in it) or a pattern (*, ? and [a-z] within a folder, ** for any number of folders). Of the options, offline refuses, and
 * progress is called until the files are freed. options may be NULL. */
QUERN_API quern_status quern_hub_files_open(const char *address, const quern_hub_options *options, quern_hub_files **files);
/* As JSON, in the order of their paths: {"repo": "datasets/org/name", "commit", "folder": whether PATH is one, "files": [{"path",
 * "bytes", "hash"}]}; hash: SHA-256, or of small files Git's SHA-1. */
QUERN_API quern_status quern_hub_files_list(const quern_hub_files *files, char **json);
/* Downloads file i of the list into a file that is open for reading and writing, in place of what is in it. It is whole and has its
 * hash, or this fails. */
QUERN_API quern_status quern_hub_files_fetch(quern_hub_files *files, size_t i, int descriptor);
QUERN_API void quern_hub_files_free(quern_hub_files *files);

typedef struct quern_hub_push_options {
  size_t size;
  int is_private;      /* non-zero: a repository that is made is private */
  const char *tag;     /* that the commit gets; NULL: none */
  const char *message; /* of the commit; NULL: one that says how many files */
  const char *card;    /* README.md, where the folder has none; NULL: none */
  const char *const *include; /* patterns of files, as in quern_hub_options; NULL: all but hidden ones */
  size_t n_include;
  const char *const *exclude;
  size_t n_exclude;
  int (*progress)(void *user, quern_hub_phase phase, const char *what, double done, double total); /* may be NULL */
  void *user;
} quern_hub_push_options;
QUERN_API quern_hub_push_options quern_hub_push_options_default(void);

/* Puts a folder's files into the repository of a model, "org/name" or "org/name@branch", which is made where it is missing, as one
 * commit: all of them or none. HF_TOKEN has to have the right to write. Files that are not in the folder stay; those that the Hub
 * has are not sent again. *json: {"commit" ("": nothing had changed), "url", "files", "bytes", "uploaded"}. options may be NULL. */
QUERN_API quern_status quern_hub_push(const char *folder, const char *name, const quern_hub_push_options *options, char **json);

/* The models with short names, as JSON: [{"name", "repo", "task", "good_for", "dimensions", "tokens", "parameters", "license"}]. */
QUERN_API quern_status quern_hub_known(char **json);

#ifdef __cplusplus
}
#endif
#endif
