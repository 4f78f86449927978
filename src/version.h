// "0.1.0", from quern/common.h.
#pragma once
#include "quern/common.h"

#define QUERN_QUOTED_AS_IS(x) #x
#define QUERN_QUOTED(x) QUERN_QUOTED_AS_IS(x)
#define QUERN_VERSION_TEXT \
  QUERN_QUOTED(QUERN_VERSION_MAJOR) "." QUERN_QUOTED(QUERN_VERSION_MINOR) "." QUERN_QUOTED(QUERN_VERSION_PATCH)
