#include "simulate/fields.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace terrace::simulate {
namespace {

std::unexpected<Failure> bad(std::string message) {
  return failure(Code::kInvalidArgument, std::move(message));
}

// A value as a message shows it. Lists and objects by their type only: they nest as deep as a file likes, and
// writing them out recurses.
std::string shown(const Json& value) {
  if (value.is_structured()) return value.type_name();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 40);
}

}  // namespace

Outcome<std::string> read_file(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "re"), close);
  const auto failed = [&](int error) {
    const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound
                      : error == EACCES                   ? Code::kPermission
                                                          : Code::kInvalidArgument;
    return failure(code, fmt::format("{}: cannot read the trace: {}", path, std::strerror(error)), error);
  };
  if (file == nullptr) return failed(errno);
  std::string text;
  std::vector<char> chunk(1 << 16);
  while (const size_t done = std::fread(chunk.data(), 1, chunk.size(), file.get()))
    text.append(chunk.data(), done);
  if (std::ferror(file.get()) != 0) return failed(errno);
  return text;
}

Outcome<Json> parse_object(std::string_view text) {
  try {
    Json object = Json::parse(text);
    if (!object.is_object()) return bad(fmt::format("{} where a JSON object belongs", object.type_name()));
    return object;
  } catch (const Json::parse_error& error) {
    return bad(fmt::format("not JSON from byte {} on", error.byte));
  } catch (const Json::exception& error) {
    return bad(fmt::format("not JSON: {}", error.what()));
  }
}

Outcome<void> for_each_line(const std::string& path, const std::function<Outcome<void>(const Json&)>& take) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = parse_object(line);
    const auto taken = object ? take(*object) : std::unexpected(object.error());
    if (!taken) {
      return failure(taken.error().error.code, fmt::format("{}:{}: {}", path, number, taken.error().message));
    }
  }
  return {};
}

Outcome<uint64_t> time_field(const Json& object, const char* name, double unit) {
  const auto field = object.find(name);
  if (field == object.end()) return bad(fmt::format("no \"{}\"", name));
  const double time = field->is_number() ? field->get<double>() * unit : -1.0;
  if (!(time >= 0) || time > static_cast<double>(kTimeMax)) {
    return bad(fmt::format("\"{}\" is {}, not a time of at least 0", name, shown(*field)));
  }
  return static_cast<uint64_t>(std::llround(time));
}

Outcome<void> ids_field(const Json& object, const char* name, std::vector<uint64_t>& ids) {
  const auto field = object.find(name);
  if (field == object.end()) return bad(fmt::format("no \"{}\"", name));
  if (!field->is_array()) return bad(fmt::format("\"{}\" is no list", name));
  ids.clear();
  for (const Json& id : *field) {
    if (!id.is_number_unsigned()) {
      return bad(
          fmt::format("\"{}\"[{}] is {}, not a whole number of at least 0", name, ids.size(), shown(id)));
    }
    ids.push_back(id.get<uint64_t>());
  }
  return {};
}

}  // namespace terrace::simulate
