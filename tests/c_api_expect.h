/* What the programs that test quern.h from C share: each says what failed, and ends with 1 if anything has. */
#ifndef QUERN_TESTS_C_API_EXPECT_H
#define QUERN_TESTS_C_API_EXPECT_H

#include <quern.h>
#include <stdio.h>

static int failures = 0;
#define EXPECT(condition)                                                                \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      printf("line %d: %s; last error: %s\n", __LINE__, #condition, quern_last_error()); \
      ++failures;                                                                        \
    }                                                                                    \
  } while (0)

#endif
