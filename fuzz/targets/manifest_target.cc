// The list of files of `terrace put --manifest`.
#include "base/assert.h"
#include "cli/manifest.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "fuzz/targets/text_file.h"

namespace terrace::fuzz {
namespace {

void run(std::span<const std::byte> input) {
  static const TextFile file;
  file.write(input);
  static const bool missing_is_refused = !cli::read_manifest("/nonexistent");
  TERRACE_ASSERT(missing_is_refused);
  const auto text = cli::read_manifest(file.path());
  TERRACE_ASSERT(text && *text == text_of(input));
  const Key root{{1, 2, 3}};
  const auto lines = cli::parse_manifest(*text, "manifest", root);
  if (!lines) {
    TERRACE_ASSERT(!lines.error().message.empty());
    return;
  }
  TERRACE_ASSERT(!lines->empty());
  // The lines as they were understood are understood the same.
  std::string again;
  for (const cli::ManifestLine& line : *lines) {
    TERRACE_ASSERT(line.path.find('\n') == std::string::npos && !line.path.empty());
    again += to_hex(line.name.digest) + " " + line.path + "\n";
  }
  const auto reread = cli::parse_manifest(again, "manifest", root);
  TERRACE_ASSERT(reread && reread->size() == lines->size());
  for (size_t i = 0; i < lines->size(); ++i) {
    TERRACE_ASSERT((*reread)[i].name.key == (*lines)[i].name.key && (*reread)[i].path == (*lines)[i].path);
  }
}

const Registered kRegistered({.name = "manifest", .run = run});

}  // namespace
}  // namespace terrace::fuzz
