// A line chart as SVG: a share against a size, the size on a logarithmic axis.
#pragma once

#include <string>
#include <vector>

namespace terrace::simulate {

struct ChartPoint {
  double size = 0;   // above 0
  double share = 0;  // 0 to 1
};

struct ChartLine {
  std::string name;
  std::vector<ChartPoint> points;  // by size; a single point is drawn as a level over the whole width
  bool is_bound = false;           // drawn dashed
};

struct Chart {
  std::string title;
  std::string subtitle;
  std::string size_label;
  std::vector<ChartLine> lines;
};

// A whole SVG document. The names stand at the lines' ends, moved apart where they would meet.
std::string to_svg(const Chart& chart);

}  // namespace terrace::simulate
