// terrace scrub: verifies a store's directory offline and lists what is damaged.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/offline_store.h"
#include "cli/output.h"
#include "cli/record_check.h"
#include "io/posix_file_system.h"

namespace terrace::cli {
namespace {

struct Findings {
  uint64_t blocks = 0, bytes = 0;  // verified, the damaged ones too
  uint64_t unfinished = 0;         // lost to a power cut before they were durable: expected, no damage
  std::vector<Damage> damage;
};

uint64_t data_bytes(io::FileSystem& files, const OfflineStore& store, uint32_t segment) {
  const auto stat = files.stat(store.path_of(tier::disk::data_name(segment)));
  return stat ? stat->bytes : 0;
}

void scrub_segment(const OfflineStore& store, uint32_t number, RecordCheck& records, Findings& findings,
                   Progress& progress) {
  const OfflineSegment segment = store.read_segment(number, findings.damage);
  for (const OfflineBlock& block : segment.blocks) {
    auto damage = records.check(store, segment, block);
    progress.advance(record::record_bytes(block.entry.payload_bytes));
    if (damage && block.must_verify) {
      ++findings.unfinished;
      continue;
    }
    ++findings.blocks;
    findings.bytes += block.entry.payload_bytes;
    if (damage) findings.damage.push_back(*std::move(damage));
  }
}

Findings scrub_all(io::FileSystem& files, const OfflineStore& store) {
  Findings findings;
  findings.damage = store.damage();
  uint64_t total = 0;
  for (const uint32_t segment : store.segments()) total += data_bytes(files, store, segment);
  const base::SteadyClock clock;
  Progress progress("scrub", total, clock);
  RecordCheck records(files);
  uint64_t done = 0;
  for (const uint32_t segment : store.segments()) {
    scrub_segment(store, segment, records, findings, progress);
    done += data_bytes(files, store, segment);
    progress.advance_to(done);
  }
  return findings;
}

void report_json(const OfflineStore& store, const Findings& findings) {
  Json damage = Json::array();
  for (const Damage& found : findings.damage) {
    Json item{{"file", found.file}, {"offset", found.offset}, {"key", nullptr}, {"what", found.what}};
    if (found.key) item["key"] = to_hex(*found.key);
    damage.push_back(std::move(item));
  }
  print_json(Json{{"directory", store.directory()},
                  {"segments", store.segments().size()},
                  {"blocks", findings.blocks},
                  {"bytes", findings.bytes},
                  {"unfinished", findings.unfinished},
                  {"damaged", findings.damage.size()},
                  {"damage", std::move(damage)}});
}

void report_text(const Findings& findings) {
  if (!findings.damage.empty()) {
    Table table({"FILE", ">OFFSET", "KEY", "WHAT"});
    for (const Damage& found : findings.damage) {
      table.add({found.file, fmt::to_string(found.offset), found.key ? to_hex(*found.key) : "-", found.what});
    }
    print(table.text());
  }
  const std::string verdict =
      findings.damage.empty() ? "no damage" : fmt::format("{} damaged places", findings.damage.size());
  print(fmt::format("{} blocks ({}) verified: {}\n", findings.blocks, base::format_size(findings.bytes),
                    verdict));
  if (findings.unfinished > 0) {
    print(
        fmt::format("{} writes had not become durable before the machine went down\n", findings.unfinished));
  }
}

Outcome<ExitCode> scrub(const std::string& directory, bool json) {
  io::PosixFileSystem files;
  const auto store = OfflineStore::open(files, directory);
  if (!store) return std::unexpected(store.error());
  const Findings findings = scrub_all(files, *store);
  if (json) {
    report_json(*store, findings);
  } else {
    report_text(findings);
  }
  return findings.damage.empty() ? ExitCode::kOk : ExitCode::kDamage;
}

}  // namespace

void add_scrub(CLI::App& program, Invocation& invocation) {
  CLI::App* command = program.add_subcommand("scrub", "verify every byte of a store that is not in use");
  auto directory = std::make_shared<std::string>();
  add_directory(*command, *directory);
  add_json(*command, invocation);
  add_examples(
      *command,
      "  terrace scrub /var/cache/kv\n"
      "  terrace scrub /var/cache/kv --json | jq '.damage[].key'\n"
      "\nReads superblocks, namespaces, slot tables and every record; changes nothing but the pid in the\n"
      "lock file. Damaged blocks are misses for a store; the others are served.\n");
  command->callback([&invocation, directory] {
    invocation.run = [&invocation, directory] { return scrub(*directory, invocation.json); };
  });
}

}  // namespace terrace::cli
