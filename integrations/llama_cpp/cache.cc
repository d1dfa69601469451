#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include <terrace/client.h>

#include "llama_cpp/commands.h"

namespace terrace::llama {
namespace {

constexpr Timeout kRecoveryTimeout = std::chrono::seconds(60);
constexpr Timeout kStoreTimeout = std::chrono::seconds(30);

StoreOptions store_options(const CommonOptions& options, StateKind kind) {
  StoreOptions result;
  result.l1.budget = options.l1_bytes;
  // A checkpoint is a whole state; how large it gets is not known before the prompts are.
  if (kind == StateKind::kCheckpoints)
    result.l1.largest_block = std::min(kBlockBytesMax, options.l1_bytes / 4);
  if (!options.store.empty()) {
    TierOptions disk;
    disk.disk.paths = {options.store};
    disk.disk.capacity = options.disk_bytes;
    result.tiers.push_back(std::move(disk));
  }
  return result;
}

Outcome<std::unique_ptr<Store>> open_store(const CommonOptions& options, StateKind kind) {
  if (!options.server.empty()) return connect({.socket = options.server, .name = "terrace-llama"});
  return Store::open(store_options(options, kind));
}

}  // namespace

Outcome<Model> open_model(const CommonOptions& options) {
  return Model::open({.path = options.model,
                      .context_tokens = options.context_tokens,
                      .ubatch_tokens = options.ubatch_tokens,
                      .threads = options.threads,
                      .flash_attention = options.flash_attention});
}

Outcome<Cache> open_cache(Model& model, const CommonOptions& options) {
  const auto kind = state_kind(model.context(), model.params());
  if (!kind) return std::unexpected(kind.error());
  auto store = open_store(options, *kind);
  if (!store) return std::unexpected(store.error());
  if (!(*store)->wait_recovered(kRecoveryTimeout)) {
    return failure(Code::kDeadline,
                   fmt::format("store {}{}: not recovered within 60 s", options.server, options.store));
  }
  auto session = Session::open(model.context(), model.params(), **store,
                               {.fingerprint = {.model_path = model.path(),
                                                .block_tokens = options.block_tokens,
                                                .adapter = {},
                                                .tenant_salt = {}},
                                .store_timeout = kStoreTimeout});
  if (!session) return std::unexpected(session.error());
  return Cache{.store = *std::move(store), .session = std::make_unique<Session>(*std::move(session))};
}

Outcome<void> write_text(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "w");
  if (file == nullptr) return failure(Code::kIo, fmt::format("{}: cannot be written", path), errno);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = (file == stdout ? std::fflush(file) : std::fclose(file)) == 0;
  if (!written || !closed) return failure(Code::kIo, fmt::format("{}: writing failed", path), errno);
  return {};
}

}  // namespace terrace::llama
