#include "simulate/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terrace::simulate {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Chart, draws_a_line_a_policy_and_bounds_dashed) {
  const std::string svg = to_svg({.title = "a < b",
                                  .subtitle = "",
                                  .size_label = "blocks",
                                  .lines = {{.name = "lru", .points = {{10, 0.1}, {100, 0.4}}},
                                            {.name = "all", .points = {{5000, 0.5}}, .is_bound = true}}});
  EXPECT_THAT(svg, StartsWith("<svg "));
  EXPECT_THAT(svg, EndsWith("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, HasSubstr(">lru</text>"));
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray"));
  EXPECT_THAT(svg, HasSubstr(">100</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">5000</text>"))) << "a level has no place on the axis";
}

TEST(Chart, names_that_would_meet_are_moved_apart) {
  const ChartLine one{.name = "one", .points = {{1, 0.3}, {2, 0.3}}},
      two{.name = "two", .points = one.points};
  const std::string svg = to_svg({.title = "", .subtitle = "", .size_label = "", .lines = {one, two}});
  const auto y_of = [&](const std::string& name) {
    const size_t end = svg.find(">" + name + "<");
    const size_t at = svg.rfind("y=\"", end) + 3;
    return std::stod(svg.substr(at));
  };
  EXPECT_GE(std::abs(y_of("one") - y_of("two")), 16);
}

TEST(Chart, one_size_or_none_is_drawn_too) {
  const ChartLine point{.name = "lru", .points = {{7, 0}}};
  for (const auto& lines : {std::vector<ChartLine>{}, std::vector<ChartLine>{point}}) {
    const std::string svg = to_svg({.title = "", .subtitle = "", .size_label = "", .lines = lines});
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

}  // namespace
}  // namespace terrace::simulate
