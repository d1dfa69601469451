#include "config/quotas.h"

#include <fmt/format.h>

#include <terrace/key.h>

#include "config/value.h"

namespace terrace::config {
namespace {

constexpr std::string_view kNoSalt = "none";
constexpr std::string_view kOfTier = "tiers.";

std::string_view take_word(std::string_view& text) {
  const size_t begin = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

Outcome<void> set_limit(std::string_view word, TenantQuota& quota) {
  const size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  if (equals == std::string_view::npos) {
    return failure(Code::kInvalidArgument, fmt::format("'{}': a quota reads {}=8GiB", word, word));
  }
  const auto bytes = parse_value(Kind::kSize, word.substr(equals + 1));
  if (!bytes) return failure(Code::kInvalidArgument, fmt::format("{}: {}", name, bytes.error().message));
  const uint64_t limit = std::get<uint64_t>(*bytes);
  bool first = true;
  if (name.starts_with(kOfTier)) {
    first = quota.tiers.emplace(name.substr(kOfTier.size()), limit).second;
  } else {
    std::optional<uint64_t>* const field = name == "l1"         ? &quota.l1
                                           : name == "reserved" ? &quota.reserved
                                           : name == "leased"   ? &quota.leased
                                                                : nullptr;
    if (field == nullptr) {
      return failure(Code::kInvalidArgument,
                     fmt::format("'{}' is no quota: l1, tiers.NAME, reserved and leased are", name));
    }
    first = !field->has_value();
    *field = limit;
  }
  if (first) return {};
  return failure(Code::kInvalidArgument, fmt::format("{} is given twice", name));
}

}  // namespace

Outcome<TenantOptions> parse_quota(std::string_view text) {
  TenantOptions made;
  const std::string_view tenant = take_word(text);
  made.tenant = tenant == kNoSalt ? "" : tenant;
  if (tenant.empty() || !is_tenant_name(made.tenant)) {
    return failure(Code::kInvalidArgument,
                   fmt::format("'{}' is no tenant: the SHA-256 of its salt in 64 digits of 0-9 and a-f, or "
                               "none for the one without a salt",
                               tenant));
  }
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    if (auto ok = set_limit(word, made.quota); !ok) return std::unexpected(ok.error());
  }
  return made;
}

std::string text_of(const TenantOptions& quota) {
  std::string text(quota.tenant.empty() ? kNoSalt : quota.tenant);
  const auto add = [&text](std::string_view name, std::optional<uint64_t> bytes) {
    if (bytes) text += fmt::format(" {}={}", name, text_of(Kind::kSize, Value(*bytes)));
  };
  add("l1", quota.quota.l1);
  for (const auto& [tier, bytes] : quota.quota.tiers) add(fmt::format("{}{}", kOfTier, tier), bytes);
  add("reserved", quota.quota.reserved);
  add("leased", quota.quota.leased);
  return text;
}

}  // namespace terrace::config
