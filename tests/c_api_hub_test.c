/* quern/hub.h from C99: c_api_hub_test FOLDER …: without a network, over caches of its own. Says what failed and returns 1. */
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_api_expect.h"

static int cancel(void *user, quern_hub_phase phase, const char *what, double done, double total) {
  (void)user, (void)phase, (void)what, (void)done, (void)total;
  return 1;
}

int main(int argc, char **argv) {
  quern_hub_options o = quern_hub_options_default();
  char *text = NULL;
  const char *nothing[] = {NULL};
  if (argc < 2) return 2;
  setenv("HF_HOME", "c_api_hub_test.hf", 1);
  setenv("QUERN_CACHE", "c_api_hub_test.own", 1);
  setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
  setenv("QUERN_HUB_RETRIES", "1", 1);
  EXPECT(o.size == sizeof o);
  EXPECT(quern_hub_known(&text) == QUERN_OK && strstr(text, "\"name\":\"minilm\"") && strstr(text, "\"dimensions\":384"));
  quern_string_free(text);
  EXPECT(quern_hub_list(&text) == QUERN_OK && strcmp(text, "[]") == 0);
  quern_string_free(text);
  /* A path is itself, whatever the options say. */
  EXPECT(quern_hub_model(argv[1], NULL, &text) == QUERN_OK && strcmp(text, argv[1]) == 0);
  quern_string_free(text);
  o.offline = 1;
  EXPECT(quern_hub_model("org/name", &o, &text) == QUERN_NOT_FOUND && text == NULL && strstr(quern_last_error(), "org/name"));
  EXPECT(quern_hub_pull("org/name", &o, &text) == QUERN_UNSUPPORTED && text == NULL);
  o.offline = 0;
  o.progress = cancel;
  EXPECT(quern_hub_model("minilm", &o, &text) == QUERN_CANCELLED && text == NULL);
  o.progress = NULL;
  EXPECT(quern_hub_pull("org/name", &o, &text) == QUERN_IO && strstr(quern_last_error(), "127.0.0.1:1"));
  o.type = "q99";
  EXPECT(quern_hub_model("minilm", &o, &text) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "q99"));
  o.type = NULL;
  o.include = nothing;
  o.n_include = 1;
  EXPECT(quern_hub_pull("org/name", &o, &text) == QUERN_BAD_ARGUMENT);
  quern_hub_files *files = NULL;
  EXPECT(quern_hub_files_open("hf://datasets/org/name/x", &o, &files) == QUERN_IO && files == NULL && strstr(quern_last_error(), "127.0.0.1:1"));
  o.offline = 1;
  EXPECT(quern_hub_files_open("hf://datasets/org/name/x", &o, &files) == QUERN_UNSUPPORTED && strstr(quern_last_error(), "datasets/org/name"));
  EXPECT(quern_hub_files_open("org/name", NULL, &files) == QUERN_BAD_ARGUMENT && strstr(quern_last_error(), "hf://datasets/"));
  EXPECT(quern_hub_files_open(NULL, NULL, &files) == QUERN_BAD_ARGUMENT && quern_hub_files_open("hf://datasets/o/n", NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_hub_files_list(NULL, &text) == QUERN_BAD_ARGUMENT && quern_hub_files_fetch(NULL, 0, 1) == QUERN_BAD_ARGUMENT);
  quern_hub_files_free(NULL);
  EXPECT(quern_hub_model(NULL, NULL, &text) == QUERN_BAD_ARGUMENT && quern_hub_model("x", NULL, NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_hub_model("", NULL, &text) == QUERN_BAD_ARGUMENT && quern_hub_pull("a b", NULL, &text) == QUERN_NOT_FOUND);
  EXPECT(quern_hub_list(NULL) == QUERN_BAD_ARGUMENT && quern_hub_known(NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_hub_remove("org/name", NULL) == QUERN_NOT_FOUND && quern_hub_remove("..", NULL) == QUERN_BAD_ARGUMENT);
  EXPECT(quern_hub_remove(NULL, NULL) == QUERN_BAD_ARGUMENT);
  return failures;
}
