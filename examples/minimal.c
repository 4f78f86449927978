/* The smallest program: minimal MODEL TEXT prints the text's vector. Build: cc minimal.c -lquern */
#include <quern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(void) {
  fprintf(stderr, "%s\n", quern_last_error());
  return 1;
}

int main(int argc, char **argv) {
  quern_model *model = NULL;
  quern_session *session = NULL;
  int64_t width = 0, i;
  float *vector;
  if (argc != 3) {
    fprintf(stderr, "usage: minimal MODEL TEXT\n");
    return 2;
  }
  if (quern_model_load(argv[1], &model) || quern_session_new(model, 0, &session) || quern_embed_width(session, NULL, &width)) return failed();
  const char *text = argv[2];
  const size_t length = strlen(text);
  vector = malloc((size_t)width * sizeof *vector);
  if (!vector || quern_embed(session, &text, &length, 1, NULL, vector, (size_t)width, NULL)) return failed();
  for (i = 0; i < width; ++i) printf("%g\n", vector[i]);
  free(vector);
  quern_session_free(session);
  quern_model_free(model);
  return 0;
}
