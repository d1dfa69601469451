// Quotas of tenants in the simulation: drawn, set while it runs, and checked when nothing is held any more
// (D2).
#pragma once

#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/random.h"
#include "lab/kit/catalog.h"

namespace terrace::lab {

// Gives one tenant of the catalog another quota, mostly less than it would use. The quota, in words.
std::string set_a_quota(Store& store, const Catalog& catalog, base::Random& random);

// What is wrong with what the store says of its tenants: usage that a walk over its blocks does not find.
std::vector<std::string> check_tenants(const Store& store);
// When nothing runs and nothing is held: tenants above their quotas, in the tiers that evict, and bytes that
// are counted for nobody.
std::vector<std::string> check_quotas(const Store& store, TierMask evicting);

}  // namespace terrace::lab
