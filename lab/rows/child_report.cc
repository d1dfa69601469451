#include "lab/rows/child_report.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace terrace::lab {

int tell(const std::string& file, const Findings& findings) {
  std::ofstream(file) << to_json(findings).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return 0;
}

Findings heard_from(ChildProcess& child, const std::string& file, std::chrono::milliseconds limit,
                    const std::string& who, bool may_be_killed) {
  Findings findings;
  const bool ended = child.wait(limit);
  child.kill_now();
  const bool in_order = child.exited_with(0) || (may_be_killed && child.was_killed_by(SIGKILL));
  if (!ended || !in_order) {
    findings.fail(
        fmt::format("{}: its process {}", who, ended ? child.how_it_ended() : "did not end in time"));
  }
  std::ifstream text(file);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_discarded()) findings.add(findings_from_json(json));
  if (json.is_discarded() && findings.clean()) findings.fail(who + ": told nothing");
  std::filesystem::remove(file);
  return findings;
}

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace terrace::lab
