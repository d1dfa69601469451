// Why an option of LMCache has no equivalent.
#include <algorithm>
#include <array>
#include <cctype>

#include "config/lmcache/import.h"

namespace terrace::config::lmcache {
namespace {

struct Reason {
  std::string_view names;  // as written; with * at the end, all that begin so
  std::string_view why;
};

constexpr std::string_view kRemote = "tiers on other machines are not built yet";
constexpr std::string_view kPeers = "exchange between nodes is not built yet";
constexpr std::string_view kEngine = "the engine's integration decides it, not the store";
constexpr std::string_view kServer = "there is no server yet: the store lives in the engine's process";
constexpr std::string_view kBlocks =
    "a block has as many tokens as the engine gives it (block_tokens of its namespace); the store takes any "
    "size";
constexpr std::string_view kPins =
    "a pin or lease lasts as long as its holder keeps it; only prefetched blocks have a limit, prefetch.hold";
constexpr std::string_view kNotPrefix = "Terrace reuses prefixes only";
constexpr std::string_view kGpu = "loading from disk straight into GPU memory is not built yet";

constexpr std::array kReasons{
    Reason{"chunk_size", kBlocks},
    Reason{"--chunk-size", kBlocks},
    Reason{"remote_*", kRemote},
    Reason{"external_*", kRemote},
    Reason{"storage_plugins*", "backends come with the store, not as plug-ins"},
    Reason{"enable_async_loading", "nothing to switch: get_async and prefetch are always there"},
    Reason{"pin_timeout_sec", kPins},
    Reason{"enable_p2p", kPeers},
    Reason{"p2p_*", kPeers},
    Reason{"enable_pd", kPeers},
    Reason{"pd_*", kPeers},
    Reason{"enable_nixl", kPeers},
    Reason{"nixl_*", kPeers},
    Reason{"enable_controller", "there is no controller: each store decides for itself"},
    Reason{"controller_*", "there is no controller: each store decides for itself"},
    Reason{"lmcache_*", "there is no controller: each store decides for itself"},
    Reason{"enable_blending", kNotPrefix},
    Reason{"blend_*", kNotPrefix},
    Reason{"use_layerwise", "a block is stored whole, with all its layers"},
    Reason{"save_decode_cache", kEngine},
    Reason{"save_unfull_chunk", "a partial last block is stored when the engine asks for it"},
    Reason{"min_retrieve_tokens", kEngine},
    Reason{"gds_*", kGpu},
    Reason{"weka_path", kGpu},
    Reason{"cufile_*", kGpu},
    Reason{"numa_mode", "memory is not bound to NUMA nodes yet"},
    Reason{"internal_api_server_*", kServer},
    Reason{"config_file", "it names another configuration: import that file as well"},
    Reason{"log_level", "the environment variable TERRACE_LOG sets it"},
    Reason{"extra_config*", "of LMCache's own backends"},
    Reason{"--host", kServer},
    Reason{"--port", kServer},
    Reason{"--http-*", kServer},
    Reason{"--max-workers", kServer},
    Reason{"--prometheus-*", kServer},
    Reason{"--l1-write-ttl*", kPins},
    Reason{"--l1-read-ttl*", kPins},
    Reason{"--l2-prefetch-max-in-flight",
           "prefetching is bounded in bytes, not in requests: prefetch.bytes_in_flight"},
};

bool is_named(const Reason& reason, std::string_view name) {
  if (!reason.names.ends_with('*')) return name == reason.names;
  return name.starts_with(reason.names.substr(0, reason.names.size() - 1));
}

bool is_credential(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 6> kWords{"password",   "secret",     "token",
                                                   "credential", "access_key", "auth"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

}  // namespace

std::string reason_for(const std::string& name) {
  for (const Reason& reason : kReasons) {
    if (is_named(reason, name)) return std::string(reason.why);
  }
  return "the import does not know this option";
}

std::string without_credentials(const Option& option) {
  constexpr std::string_view kHidden = "***";
  if (is_credential(option.name)) return std::string(kHidden);
  std::string text = option.value;
  size_t from = 0;
  while ((from = text.find("://", from)) != std::string::npos) {
    from += 3;
    const size_t end = std::min(text.find_first_of("/, \"", from), text.size());
    const size_t at = text.rfind('@', end);
    if (at == std::string::npos || at < from) continue;
    text.replace(from, at - from, kHidden);
  }
  return text;
}

}  // namespace terrace::config::lmcache
