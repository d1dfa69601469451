// A figure of several rounds.
#pragma once

#include <algorithm>
#include <vector>

namespace terrace::cli {

struct Spread {
  double median = 0, min = 0, max = 0;
};

// `values` is not empty. Of an even number of values the median is the mean of the middle two.
inline Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

}  // namespace terrace::cli
