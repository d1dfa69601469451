// Coding-agent sessions: one JSON file each, or a folder of them. Requests carry `t`, seconds since their
// session began; a sub-agent carries requests of its own, whose `t` counts from the sub-agent's. Ids are
// local to a file, and blocks of different models are different blocks.
#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "simulate/fields.h"
#include "simulate/trace_reader.h"

namespace terrace::simulate {
namespace {

constexpr double kSecond = 1e9;
constexpr int kNestingMax = 16;
constexpr uint64_t kBlockTokensMax = 1 << 20;

Outcome<std::vector<std::string>> session_files(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector{path};  // reading it says what is wrong
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".json") files.push_back(it->path().string());
  }
  if (error) return failure(Code::kIo, fmt::format("{}: {}", path, error.message()), error.value());
  if (files.empty()) {
    return failure(Code::kInvalidArgument, fmt::format("{}: no .json file of a session in it", path));
  }
  std::ranges::sort(files);
  return files;
}

class Session {
 public:
  Session(TraceBuilder& builder, uint32_t& block_tokens) : builder_(builder), block_tokens_(block_tokens) {}

  Outcome<void> read(const std::string& path, uint64_t start) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    const auto session = parse_object(*text);
    const auto read = session ? take(*session, start) : std::unexpected(session.error());
    if (!read) return failure(read.error().error.code, fmt::format("{}: {}", path, read.error().message));
    return {};
  }

 private:
  Outcome<void> take(const Json& session, uint64_t start) {
    builder_.new_scope();
    const auto tokens = session.find("block_size");
    if (tokens != session.end() && tokens->is_number_unsigned()) {
      const auto value = tokens->get<uint64_t>();
      if (value > kBlockTokensMax) {
        return failure(Code::kInvalidArgument,
                       fmt::format("blocks of {} tokens; at most {} are allowed", value, kBlockTokensMax));
      }
      if (block_tokens_ != 0 && block_tokens_ != value) {
        return failure(Code::kInvalidArgument,
                       fmt::format("blocks of {} tokens; those of the sessions before "
                                   "have {}",
                                   value, block_tokens_));
      }
      block_tokens_ = static_cast<uint32_t>(value);
    }
    return take_requests(session, start, "requests", 0);
  }

  Outcome<void> take_requests(const Json& owner, uint64_t start, const std::string& where, int depth) {
    const auto requests = owner.find("requests");
    if (requests == owner.end() || !requests->is_array()) {
      return failure(Code::kInvalidArgument, fmt::format("{}: no list of requests", where));
    }
    if (depth > kNestingMax) {
      return failure(Code::kLimitExceeded, fmt::format("{}: sub-agents nested deeper than 16", where));
    }
    for (size_t i = 0; i < requests->size(); ++i) {
      const std::string name = fmt::format("{}[{}]", where, i);
      if (auto ok = take_request((*requests)[i], start, name, depth); !ok) return ok;
    }
    return {};
  }

  Outcome<void> take_request(const Json& request, uint64_t start, const std::string& name, int depth) {
    const auto named = [&](const Failure& failed) {
      return failure(failed.error.code, fmt::format("{}: {}", name, failed.message));
    };
    if (!request.is_object()) return failure(Code::kInvalidArgument, name + " is no object");
    const auto time = time_field(request, "t", kSecond);
    if (!time) return named(time.error());
    // Each may be in range and their sum not.
    if (*time > kTimeMax - start) return failure(Code::kInvalidArgument, name + ": later than 285 years");
    if (request.contains("requests"))
      return take_requests(request, start + *time, name + ".requests", depth + 1);
    if (auto ok = ids_field(request, "hash_ids", ids_); !ok) return named(ok.error());
    const auto model = request.find("model");
    const std::string model_name =
        model != request.end() && model->is_string() ? model->get<std::string>() : "";
    const auto number = models_.try_emplace(model_name, static_cast<uint32_t>(models_.size())).first->second;
    if (auto ok = builder_.add(start + *time, number, ids_); !ok) return named(ok.error());
    return {};
  }

  TraceBuilder& builder_;
  uint32_t& block_tokens_;
  std::map<std::string, uint32_t> models_;
  std::vector<uint64_t> ids_;
};

}  // namespace

Outcome<Trace> read_coding_agent_trace(const std::string& path, const TraceOptions& options) {
  const auto files = session_files(path);
  if (!files) return std::unexpected(files.error());
  TraceBuilder builder;
  uint32_t block_tokens = 0;
  for (size_t i = 0; i < files->size(); ++i) {
    if (i > 0 && options.session_interval > kTimeMax / i) {
      return failure(Code::kInvalidArgument,
                     fmt::format("{}: the session begins later than 285 years", (*files)[i]));
    }
    const auto read = Session(builder, block_tokens).read((*files)[i], i * options.session_interval);
    if (!read) return std::unexpected(read.error());
  }
  return std::move(builder).finish(block_tokens);
}

}  // namespace terrace::simulate
