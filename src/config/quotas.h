// Quotas of tenants as texts of the key `quotas`: "TENANT l1=8GiB tiers.nvme=200GiB reserved=1GiB
// leased=1GiB", any of the four; TENANT is the SHA-256 of its salt, or `none` for the one without a salt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <terrace/error.h>
#include <terrace/options.h>

namespace terrace::config {

// The error says what the text should be.
Outcome<TenantOptions> parse_quota(std::string_view text);
std::string text_of(const TenantOptions& quota);

}  // namespace terrace::config
