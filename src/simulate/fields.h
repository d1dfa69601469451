// What the readers of JSON traces share: files, lines, and fields whose complaint says what they are.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <terrace/error.h>

namespace terrace::simulate {

using Json = nlohmann::json;

Outcome<std::string> read_file(const std::string& path);
// A JSON object, or a complaint without the file's name.
Outcome<Json> parse_object(std::string_view text);
// Calls `take` with the object of each line that is not empty. A failure of it, or of the line, comes back
// with "PATH:LINE: " before its message.
Outcome<void> for_each_line(const std::string& path, const std::function<Outcome<void>(const Json&)>& take);

inline constexpr uint64_t kTimeMax = 9'000'000'000'000'000'000;  // nanoseconds: 285 years, and below 2^63

// A time of `unit` nanoseconds, at least 0, at most kTimeMax; in nanoseconds.
Outcome<uint64_t> time_field(const Json& object, const char* name, double unit);
// Whole numbers, at least 0; replaces `ids`.
Outcome<void> ids_field(const Json& object, const char* name, std::vector<uint64_t>& ids);

}  // namespace terrace::simulate
