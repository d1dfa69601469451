#include "client/refusal.h"

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/mutex.h"

namespace terrace::client {

namespace {

class KeptTexts {
 public:
  // Null: there are enough of them.
  const char* keep(std::string_view words) {
    std::string text = "the server: ";
    for (const char byte : words.substr(0, kBytesMax)) text += printable(byte) ? byte : '?';
    const base::Lock lock(mutex_);
    if (const auto known = where_.find(text); known != where_.end()) return known->second;
    if (texts_.size() == kTextsMax) return nullptr;
    const std::string& kept = texts_.emplace_back(std::move(text));
    where_.emplace(kept, kept.c_str());
    return kept.c_str();
  }

 private:
  static constexpr size_t kTextsMax = 256, kBytesMax = 200;
  // Beyond ASCII too: of paths and names.
  static bool printable(char byte) { return static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7F; }

  base::Mutex mutex_;
  std::deque<std::string> texts_ TERRACE_GUARDED_BY(mutex_);
  boost::unordered_flat_map<std::string_view, const char*> where_ TERRACE_GUARDED_BY(mutex_);
};

}  // namespace

Error error_of(const wire::Failed& failed) {
  static KeptTexts& texts = *new KeptTexts;  // errors may be read when the process ends
  const bool known = failed.code() > 0 && failed.code() <= static_cast<uint8_t>(Code::kInternal);
  const Code code = known ? static_cast<Code>(failed.code()) : Code::kInternal;
  const auto* const words = failed.message();
  const char* const kept =
      words == nullptr || words->size() == 0 ? nullptr : texts.keep({words->data(), words->size()});
  return {code, 0, kept == nullptr ? "the server refused it" : kept};
}

}  // namespace terrace::client
