#include "simulate/chart.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace terrace::simulate {
namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 60, kRight = 140, kTop = 64, kBottom = 56;
constexpr double kNameHeight = 16;
constexpr const char* kColours[] = {"#2b7bba", "#c9822b", "#3a9a5c", "#a04a8c", "#8c5a3c", "#4a4a9c"};
constexpr const char* kBoundColour = "#7a7a7a";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

class Plane {
 public:
  explicit Plane(const Chart& chart) {
    double low = HUGE_VAL, high = 0, share = 0;
    for (const ChartLine& line : chart.lines) {
      for (const ChartPoint& point : line.points) {
        share = std::max(share, point.share);
        if (line.points.size() == 1 && line.is_bound) continue;  // a level has no place on the axis
        low = std::min(low, point.size);
        high = std::max(high, point.size);
        sizes_.insert(point.size);
      }
    }
    if (sizes_.empty()) low = high = 1;
    low_ = std::log(low);
    span_ = std::max(std::log(high) - low_, 1e-9);
    step_ = share > 0.5 ? 0.2 : share > 0.2 ? 0.1 : 0.05;
    top_ = std::clamp(std::ceil(share / step_) * step_, step_, 1.0);
  }

  double x(double size) const {
    return sizes_.size() < 2 ? (kLeft + kWidth - kRight) / 2
                             : kLeft + (std::log(size) - low_) / span_ * (kWidth - kLeft - kRight);
  }
  double y(double share) const { return kHeight - kBottom - share / top_ * (kHeight - kTop - kBottom); }

  std::string axes() const {
    std::string out;
    for (int i = 0; i * step_ <= top_ + 1e-9; ++i) {
      const double at = y(i * step_);
      out += fmt::format(R"(<line x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}" stroke="#dddddd"/>)"
                         "\n",
                         kLeft, at, kWidth - kRight, at);
      out += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end" fill="#555">{:.0f} %</text>)"
                         "\n",
                         kLeft - 8, at + 4, i * step_ * 100);
    }
    double last = -HUGE_VAL;
    for (const double size : sizes_) {
      const double at = x(size);
      out += fmt::format(R"(<line x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}" stroke="#999999"/>)"
                         "\n",
                         at, kHeight - kBottom, at, kHeight - kBottom + 5);
      if (at - last < 60) continue;  // no room for its number
      last = at;
      out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle" fill="#555">{:.0f}</text>)"
                         "\n",
                         at, kHeight - kBottom + 20, size);
    }
    return out;
  }

 private:
  std::set<double> sizes_;
  double low_ = 0, span_ = 1, step_ = 0.1, top_ = 1;
};

std::string drawn(const ChartLine& line, const Plane& plane, const char* colour) {
  std::string points;
  std::string dots;
  for (const ChartPoint& point : line.points) {
    points += fmt::format("{:.1f},{:.1f} ", plane.x(point.size), plane.y(point.share));
    if (line.is_bound) continue;
    dots += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)"
                        "\n",
                        plane.x(point.size), plane.y(point.share), colour);
  }
  const bool is_level = line.is_bound && line.points.size() == 1;
  if (is_level) {
    const double at = plane.y(line.points.front().share);
    points = fmt::format("{},{:.1f} {},{:.1f} ", kLeft, at, kWidth - kRight, at);
  }
  points.pop_back();
  const char* dashes = !line.is_bound ? ""
                       : is_level     ? R"( stroke-dasharray="2 4")"
                                      : R"( stroke-dasharray="6 4")";
  return fmt::format(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="2"{}/>)"
                     "\n{}",
                     points, colour, dashes, dots);
}

struct Name {
  double y;
  std::string text;
  const char* colour;
};

// From the lowest up, each at least a line above the one before.
std::string written(std::vector<Name> names) {
  std::ranges::sort(names, std::greater(), &Name::y);
  std::string out;
  double below = HUGE_VAL;
  for (const Name& name : names) {
    below = std::min(name.y, below - kNameHeight);
    out += fmt::format(R"(<text x="{}" y="{:.1f}" fill="{}">{}</text>)"
                       "\n",
                       kWidth - kRight + 10, below + 4, name.colour, escaped(name.text));
  }
  return out;
}

}  // namespace

std::string to_svg(const Chart& chart) {
  const Plane plane(chart);
  std::string out =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" )"
                  R"(font-family="sans-serif" font-size="13">)"
                  "\n"
                  R"(<rect width="{0}" height="{1}" fill="#ffffff"/>)"
                  "\n"
                  R"(<text x="{2}" y="26" font-size="16">{3}</text>)"
                  "\n"
                  R"(<text x="{2}" y="46" fill="#555">{4}</text>)"
                  "\n"
                  R"(<text x="{5}" y="{6}" text-anchor="middle" fill="#555">{7}</text>)"
                  "\n",
                  kWidth, kHeight, kLeft, escaped(chart.title), escaped(chart.subtitle),
                  (kLeft + kWidth - kRight) / 2, kHeight - 12, escaped(chart.size_label));
  out += plane.axes();
  std::vector<Name> names;
  size_t colours = 0;
  for (const ChartLine& line : chart.lines) {
    if (line.points.empty()) continue;
    const char* colour = line.is_bound ? kBoundColour : kColours[colours++ % std::size(kColours)];
    out += drawn(line, plane, colour);
    names.push_back({plane.y(line.points.back().share), line.name, colour});
  }
  return out + written(std::move(names)) + "</svg>\n";
}

}  // namespace terrace::simulate
