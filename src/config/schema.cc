#include "config/schema.h"

#include "base/bytes.h"
#include "config/fields.h"
#include "config/quotas.h"
#include "policy/admission.h"
#include "policy/eviction.h"
#include "policy/store.h"
#include "record/record.h"

namespace terrace::config {
namespace {

constexpr double kCountMost = 4294967295;
constexpr uint64_t kUserMost = 4294967294;  // the next number is nobody's: it means "unchanged"
constexpr double kOneNanosecond = 1;
constexpr std::string_view kUnlimited = "unlimited";

// `field` answers a reference to the field, of a const Configuration too.
template <class Field>
Entry entry(std::string_view name, Kind kind, Field field, std::string_view meaning) {
  Entry made{.name = name, .kind = kind, .meaning = meaning, .get = {}, .set = {}};
  made.get = [field](const Configuration& all, size_t tier) { return to_value(field(all, tier)); };
  made.set = [field](Configuration& all, size_t tier, const Value& value) {
    from_value(value, field(all, tier));
  };
  if (kind == Kind::kRatio) made.most = 1;
  if (kind == Kind::kCount) made.most = kCountMost;
  return made;
}

Entry choice(Entry made, std::vector<std::string_view> names) {
  made.choices = std::move(names);
  return made;
}
Entry zero_is(Entry made, std::string_view what) {
  made.zero = what;
  return made;
}
Entry within(Entry made, uint64_t least, uint64_t most = 0) {
  made.least = static_cast<double>(least);
  made.most = static_cast<double>(most);
  return made;
}
Entry positive(Entry made) {
  made.least = kOneNanosecond;
  return made;
}

// Fields by the part of the options they stand in.
#define AT(FIELD) [](auto& all, size_t) -> auto& { return all.options.FIELD; }
#define OF_TIER(FIELD) [](auto& all, size_t tier) -> auto& { return all.options.tiers[tier].FIELD; }
#define OF_SERVER(FIELD) [](auto& all, size_t) -> auto& { return all.server.FIELD; }

void add_l1(std::vector<Entry>& table) {
  table.push_back(within(entry("l1.budget", Kind::kSize, AT(l1.budget),
                               "Host memory for blocks; a hard wall, at most this machine's memory."),
                         4 * base::kMiB));
  table.push_back(choice(
      entry("l1.mode", Kind::kChoice, AT(l1.mode),
            "cache: blocks stay until evicted; staging: memory only carries them to and from the tiers; "
            "off: no memory of its own."),
      names_of<L1Mode>()));
  table.push_back(choice(entry("l1.eviction", Kind::kChoice, AT(l1.eviction), "Who leaves L1 first."),
                         policy::eviction_policy_names()));
  table.push_back(entry("l1.high_watermark", Kind::kRatio, AT(l1.high_watermark),
                        "Eviction in the background starts above this share of the budget."));
  table.push_back(entry("l1.low_watermark", Kind::kRatio, AT(l1.low_watermark), "And stops at this one."));
  table.push_back(zero_is(within(entry("l1.largest_block", Kind::kSize, AT(l1.largest_block),
                                       "Payload of the largest block to come, so that L1 can hold it twice."),
                                 0, record::kPayloadBytesMax),
                          "unknown"));
  table.push_back(choice(entry("l1.verify", Kind::kChoice, AT(l1.verify),
                               "How often a hit in L1 is verified again; sampled: 1 in 64."),
                         names_of<VerifyL1>()));
}

void add_tier(std::vector<Entry>& table) {
  table.push_back(entry("tiers[].name", Kind::kText, OF_TIER(name), "Unique; seen in statistics."));
  table.push_back(choice(entry("tiers[].kind", Kind::kChoice, OF_TIER(kind),
                               "disk: local directories; mock: simulated, for measurements and tests."),
                         names_of<TierOptions::Kind>()));
  table.push_back(choice(entry("tiers[].store_policy", Kind::kChoice, OF_TIER(store_policy),
                               "When a block goes from L1 to this tier, and whether L1 keeps it."),
                         policy::store_policy_names()));
  table.push_back(
      choice(entry("tiers[].eviction", Kind::kChoice, OF_TIER(eviction), "Who leaves this tier first."),
             policy::eviction_policy_names()));
  table.push_back(entry("tiers[].high_watermark", Kind::kRatio, OF_TIER(high_watermark),
                        "Eviction in the background starts above this share of the capacity."));
  table.push_back(
      entry("tiers[].low_watermark", Kind::kRatio, OF_TIER(low_watermark), "And stops at this one."));
  table.push_back(choice(entry("tiers[].admission", Kind::kChoice, OF_TIER(admission),
                               "Which writes the tier takes; write_budget: as many as the next two allow."),
                         policy::admission_policy_names()));
  table.push_back(
      zero_is(entry("tiers[].write_bytes_per_second", Kind::kSize, OF_TIER(write_bytes_per_second),
                    "Of admission write_budget: bytes written a second."),
              kUnlimited));
  table.push_back(zero_is(entry("tiers[].write_bytes_per_day", Kind::kSize, OF_TIER(write_bytes_per_day),
                                "Of admission write_budget: bytes written a day, for the life of the disk."),
                          kUnlimited));
}

void add_disk(std::vector<Entry>& table) {
  table.push_back(entry("tiers[].disk.paths", Kind::kTexts, OF_TIER(disk.paths),
                        "Directories, one a device; missing ones are made. file:///dir is accepted."));
  table.push_back(entry("tiers[].disk.capacity", Kind::kSize, OF_TIER(disk.capacity),
                        "Bytes over all paths, metadata counted; required of a disk tier, never exceeded."));
  table.push_back(
      choice(entry("tiers[].disk.placement", Kind::kChoice, OF_TIER(disk.placement),
                   "Which path a block goes to; by_rank: ranks of tensor parallelism stay apart."),
             names_of<DiskPlacement>()));
  table.push_back(entry("tiers[].disk.require_all_paths", Kind::kBool, OF_TIER(disk.require_all_paths),
                        "Whether a failing path is an error at open, not a start without it."));
  table.push_back(choice(entry("tiers[].disk.io", Kind::kChoice, OF_TIER(disk.io),
                               "Disk engine; auto: io_uring where the system allows it."),
                         names_of<IoChoice>()));
  table.push_back(positive(entry("tiers[].disk.sync_interval", Kind::kDuration, OF_TIER(disk.sync_interval),
                                 "Group sync: what a power cut may lose, in time.")));
  table.push_back(within(entry("tiers[].disk.sync_bytes", Kind::kSize, OF_TIER(disk.sync_bytes),
                               "Group sync: what a power cut may lose, in bytes."),
                         1));
  table.push_back(within(entry("tiers[].disk.quarantine_after", Kind::kCount, OF_TIER(disk.quarantine_after),
                               "Device errors in a segment after which it is not used any more."),
                         1, static_cast<uint64_t>(kCountMost)));
}

void add_mock(std::vector<Entry>& table) {
  table.push_back(entry("tiers[].mock.capacity", Kind::kSize, OF_TIER(mock.capacity), "Bytes it holds."));
  table.push_back(zero_is(entry("tiers[].mock.bytes_per_second", Kind::kSize, OF_TIER(mock.bytes_per_second),
                                "Bandwidth it simulates."),
                          kUnlimited));
  table.push_back(entry("tiers[].mock.latency", Kind::kDuration, OF_TIER(mock.latency),
                        "Added to each of its operations."));
  table.push_back(
      entry("tiers[].mock.backing", Kind::kText, OF_TIER(mock.backing),
            "A directory that holds its blocks, shared between processes; empty: its own memory."));
}

void add_flows(std::vector<Entry>& table) {
  table.push_back(zero_is(entry("store.bytes_in_flight", Kind::kSize, AT(store_bytes_in_flight),
                                "Bytes being written at a time; what comes beyond is dropped."),
                          "min(256MiB, half of L1)"));
  table.push_back(entry("get.timeout", Kind::kDuration, AT(get_timeout),
                        "How long a get waits; then it answers with what is there."));
  table.push_back(choice(
      entry("get.write_back", Kind::kChoice, AT(write_back), "What L1 keeps of what was loaded from a tier."),
      names_of<WriteBack>()));
  table.push_back(choice(entry("get.region_loads", Kind::kChoice, AT(region_loads),
                               "How get_into fills caller memory: straight from the tier, or through L1."),
                         names_of<RegionLoads>()));
  table.push_back(
      choice(entry("prefetch.policy", Kind::kChoice, AT(prefetch_policy),
                   "What becomes of a prefetched block after its use, where a call does not say."),
             names_of<PrefetchPolicy>()));
  table.push_back(zero_is(entry("prefetch.bytes_in_flight", Kind::kSize, AT(prefetch_bytes_in_flight),
                                "Bytes being prefetched at a time."),
                          "min(256MiB, a quarter of L1)"));
  table.push_back(entry("prefetch.hold", Kind::kDuration, AT(prefetch_hold),
                        "How long a prefetched block is kept for the get that asked for it."));
  table.push_back(entry("lookup.timeout", Kind::kDuration, AT(lookup_timeout),
                        "How long lookup_async waits for tiers that others write too."));
  table.push_back(entry("lookup.negative_presence", Kind::kDuration, AT(negative_presence),
                        "How long such a tier's \"no\" is believed."));
  table.push_back(
      entry("lookup.history", Kind::kCount, AT(history), "Keys whose fate is remembered after they left."));
  table.push_back(positive(entry("operation.timeout", Kind::kDuration, AT(operation_timeout),
                                 "Of one operation of a tier; beyond it the device failed.")));
}

void add_server(std::vector<Entry>& table) {
  table.push_back(entry("server.socket", Kind::kText, OF_SERVER(socket),
                        "Where terrace serve listens; empty: the user's own place (guide/server.md)."));
  table.push_back(within(entry("server.also_allow", Kind::kCounts, OF_SERVER(also_allow),
                               "Users, by number, that may connect besides the server's own."),
                         0, kUserMost));
  table.push_back(choice(
      entry("server.auth", Kind::kChoice, OF_SERVER(auth),
            "namespaces: a session sees and stores what is of the namespaces it named when it connected."),
      names_of<Auth>()));
  table.push_back(
      zero_is(entry("server.session_reserved_bytes", Kind::kSize, OF_SERVER(session_reserved_bytes),
                    "Bytes that one session may have reserved at a time; beyond it there is no room."),
              "no limit"));
  table.push_back(
      zero_is(entry("server.session_leased_bytes", Kind::kSize, OF_SERVER(session_leased_bytes),
                    "Bytes that one session may hold leased at a time; beyond it gets are misses."),
              "no limit"));
}

Outcome<void> check_quotas(const Value& value) {
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    if (auto parsed = parse_quota(text); !parsed) return std::unexpected(parsed.error());
  }
  return {};
}

void add_quotas(std::vector<Entry>& table) {
  Entry made{.name = "quotas",
             .kind = Kind::kTexts,
             .meaning =
                 "How much a tenant may use, an element for each: TENANT l1=8GiB tiers.NAME=200GiB "
                 "reserved=1GiB leased=1GiB; TENANT is the SHA-256 of its salt, or none.",
             .get = {},
             .set = {}};
  made.get = [](const Configuration& all, size_t) {
    std::vector<std::string> texts;
    for (const TenantOptions& quota : all.options.quotas) texts.push_back(text_of(quota));
    return Value(std::move(texts));
  };
  made.set = [](Configuration& all, size_t, const Value& value) {
    all.options.quotas.clear();
    for (const std::string& text : std::get<std::vector<std::string>>(value)) {
      all.options.quotas.push_back(*parse_quota(text));
    }
  };
  made.check = check_quotas;
  table.push_back(std::move(made));
}

#undef AT
#undef OF_TIER
#undef OF_SERVER

std::vector<Entry> make_schema() {
  std::vector<Entry> table;
  add_l1(table);
  add_tier(table);
  add_disk(table);
  add_mock(table);
  add_flows(table);
  add_server(table);
  add_quotas(table);
  return table;
}

}  // namespace

std::span<const Entry> schema() {
  static const std::vector<Entry> table = make_schema();
  return table;
}

}  // namespace terrace::config
