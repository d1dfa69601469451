#include "cli/listing.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/record_check.h"

namespace terrace::cli {
namespace {

// A block may have two entries when the store was killed before it cleared the older one.
void keep_latest(std::vector<ListedBlock>& blocks) {
  std::ranges::sort(blocks, [](const ListedBlock& a, const ListedBlock& b) {
    return a.entry.key == b.entry.key ? a.entry.seq > b.entry.seq : a.entry.key < b.entry.key;
  });
  const auto twice =
      std::ranges::unique(blocks, {}, [](const ListedBlock& block) { return block.entry.key; });
  blocks.erase(twice.begin(), twice.end());
}

std::vector<ListedNamespace> namespaces_of(const OfflineStore& store,
                                           const std::vector<ListedBlock>& blocks) {
  std::map<Key, ListedNamespace> by_root;
  for (const tier::KnownNamespace& known : store.namespaces()) by_root[known.root].known = known;
  for (const ListedBlock& block : blocks) {
    const auto [found, is_new] = by_root.try_emplace(block.entry.root);
    if (is_new) found->second.known = {.root = block.entry.root, .fields = {}, .known = false};
    ++found->second.blocks;
    found->second.bytes += block.entry.payload_bytes;
  }
  std::vector<ListedNamespace> all;
  for (auto& [root, listed] : by_root) all.push_back(std::move(listed));
  return all;
}

}  // namespace

Listing list_store(io::FileSystem& files, const OfflineStore& store) {
  Listing listing;
  listing.damage = store.damage();
  RecordCheck records(files);
  for (const uint32_t number : store.segments()) {
    const OfflineSegment segment = store.read_segment(number, listing.damage);
    for (const OfflineBlock& block : segment.blocks) {
      if (block.must_verify && records.check(store, segment, block)) continue;
      listing.blocks.push_back({block.entry, segment.data_path, block.offset});
    }
  }
  keep_latest(listing.blocks);
  listing.namespaces = namespaces_of(store, listing.blocks);
  return listing;
}

Outcome<void> keep_namespace(Listing& listing, const std::string& wanted) {
  const auto root = key_from_hex(wanted);
  std::set<Key> roots;
  std::vector<std::string> names;
  for (const ListedNamespace& listed : listing.namespaces) {
    const auto& model = listed.known.fields.model_id;
    names.push_back(model ? *model : to_hex(listed.known.root));
    if (root ? listed.known.root == *root : model == wanted) roots.insert(listed.known.root);
  }
  if (roots.empty()) {
    return failure(Code::kNotFound,
                   fmt::format("--namespace: no '{}' in this store; it has: {}", wanted,
                               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }
  std::erase_if(listing.namespaces,
                [&](const ListedNamespace& listed) { return !roots.contains(listed.known.root); });
  std::erase_if(listing.blocks, [&](const ListedBlock& block) { return !roots.contains(block.entry.root); });
  return {};
}

}  // namespace terrace::cli
