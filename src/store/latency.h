// How long a tier's operations took (X1).
#pragma once

#include <terrace/stats.h>

#include "base/histogram.h"

namespace terrace::store {

// Of operations that ended well, in nanoseconds of the store's clock: from the moment the tier was asked.
struct Latencies {
  base::Histogram reads, writes;
};

LatencyStats summary(const base::Histogram& histogram);

}  // namespace terrace::store
