#include "lab/kit/crash_states.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "io/sim/sim_node.h"

namespace terrace::lab {
namespace {

using Kind = DiskEvent::Kind;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

void CrashModel::apply(size_t position) {
  const DiskEvent& event = recording_.events()[position];
  switch (event.kind) {
    case Kind::kCreate:
      names_[event.path] = event.node;
      nodes_[event.node];
      break;
    case Kind::kRemove:
      names_.erase(event.path);
      break;
    case Kind::kAllocate:
      set_length(nodes_[event.node], event.offset);
      break;
    case Kind::kWriteBegins:
      begin_write(position);
      break;
    case Kind::kWriteEnds:
      end_write(event.begun, position);
      break;
    case Kind::kSyncBegins:
      length_at_sync_[position] = nodes_[event.node].bytes;
      break;
    case Kind::kSyncEnds:
      end_sync(event.begun);
      break;
    case Kind::kDirectorySync:
      std::erase_if(safe_names_, [&](const auto& name) { return directory_of(name.first) == event.path; });
      for (const auto& [path, node] : names_) {
        if (directory_of(path) == event.path) safe_names_[path] = node;
      }
      break;
  }
}

void CrashModel::begin_write(size_t position) {
  const DiskEvent& event = recording_.events()[position];
  Node& node = nodes_[event.node];
  for (uint64_t at = 0; at < event.content.size();) {
    const uint64_t within = (event.offset + at) % base::kPage;
    const uint64_t bytes = std::min(base::kPage - within, event.content.size() - at);
    const auto from = event.content.begin() + static_cast<std::ptrdiff_t>(at);
    node.pending[(event.offset + at) / base::kPage].push_back(
        {.within = static_cast<uint32_t>(within),
         .bytes = {from, from + static_cast<std::ptrdiff_t>(bytes)},
         .begun = position});
    at += bytes;
  }
  node.bytes = std::max(node.bytes, event.offset + event.content.size());
}

// Pieces stand in the order in which they were done.
void CrashModel::end_write(size_t begun, size_t position) {
  for (auto& [page, pieces] : nodes_[recording_.events()[begun].node].pending) {
    for (Piece& piece : pieces) {
      if (piece.begun == begun) piece.ended = position;
    }
    std::ranges::sort(pieces, {}, [](const Piece& piece) { return std::pair(piece.ended, piece.begun); });
  }
}

void CrashModel::end_sync(size_t begun) {
  Node& node = nodes_[recording_.events()[begun].node];
  for (auto at = node.pending.begin(); at != node.pending.end();) {
    auto& [page, pieces] = *at;
    const auto safe = static_cast<uint32_t>(
        std::ranges::count_if(pieces, [&](const Piece& piece) { return piece.ended < begun; }));
    node.pages[page] = version_of(node, page, safe);
    pieces.erase(pieces.begin(), pieces.begin() + safe);
    at = pieces.empty() ? node.pending.erase(at) : std::next(at);
  }
  node.safe_bytes = std::min(length_at_sync_[begun], node.bytes);
}

void CrashModel::set_length(Node& node, uint64_t bytes) {
  if (bytes < node.bytes) {
    const uint64_t end = base::round_up(bytes, base::kPage) / base::kPage;
    node.pages.erase(node.pages.lower_bound(end), node.pages.end());
    node.pending.erase(node.pending.lower_bound(end), node.pending.end());
    node.safe_bytes = std::min(node.safe_bytes, bytes);
  }
  node.bytes = bytes;
}

// The first `version` pieces over what is safe.
CrashModel::Page CrashModel::version_of(const Node& node, uint64_t page, uint32_t version) const {
  const auto safe = node.pages.find(page);
  Page bytes = safe == node.pages.end() ? Page() : safe->second;
  const auto pending = node.pending.find(page);
  if (pending == node.pending.end() || version == 0) return bytes;
  bytes.resize(base::kPage);
  for (uint32_t i = 0; i < version; i++) {
    const Piece& piece = pending->second[i];
    std::ranges::copy(piece.bytes, bytes.begin() + piece.within);
  }
  return bytes;
}

std::vector<CrashModel::Unit> CrashModel::units() const {
  std::vector<Unit> units;
  std::map<std::string, uint64_t> all = names_;
  all.insert(safe_names_.begin(), safe_names_.end());
  for (const auto& [path, any] : all) {
    const auto now = names_.find(path), safe = safe_names_.find(path);
    const bool same = now != names_.end() && safe != safe_names_.end() && now->second == safe->second;
    if (!same) units.push_back({.kind = Unit::Kind::kName, .path = path});
  }
  for (const auto& [id, node] : nodes_) {
    if (node.bytes != node.safe_bytes) units.push_back({.kind = Unit::Kind::kLength, .node = id});
    for (const auto& [page, pieces] : node.pending) {
      units.push_back({.kind = Unit::Kind::kPage,
                       .node = id,
                       .page = page,
                       .versions = static_cast<uint32_t>(pieces.size()) + 1});
    }
  }
  return units;
}

Image CrashModel::image(const std::vector<Unit>& units, const std::vector<Outcome>& outcomes) const {
  std::map<std::string, uint64_t> names = safe_names_;
  std::map<uint64_t, uint64_t> lengths;
  std::map<uint64_t, std::map<uint64_t, Page>> pages;
  for (const auto& [id, node] : nodes_) {
    lengths[id] = node.safe_bytes;
    pages[id] = node.pages;
  }
  for (size_t i = 0; i < units.size(); i++) {
    const Unit& unit = units[i];
    const Outcome& outcome = outcomes[i];
    if (unit.kind == Unit::Kind::kName) {
      if (outcome.version == 0) continue;
      const auto now = names_.find(unit.path);
      if (now == names_.end()) {
        names.erase(unit.path);
      } else {
        names[unit.path] = now->second;
      }
    } else if (unit.kind == Unit::Kind::kLength) {
      if (outcome.version != 0) lengths[unit.node] = nodes_.at(unit.node).bytes;
    } else {
      const Node& node = nodes_.at(unit.node);
      Page page = version_of(node, unit.page, outcome.version);
      if (outcome.tail != UINT32_MAX) {
        Page tail = version_of(node, unit.page, outcome.tail);
        page.resize(base::kPage);
        tail.resize(base::kPage);
        std::copy(tail.begin() + outcome.cut, tail.end(), page.begin() + outcome.cut);
      }
      pages[unit.node][unit.page] = std::move(page);
    }
  }
  Image image;
  for (const auto& [path, id] : names) {
    auto& bytes = image[path];
    bytes.resize(lengths.at(id));
    for (const auto& [page, content] : pages.at(id)) {
      const uint64_t at = page * base::kPage;
      if (content.empty() || at >= bytes.size()) continue;
      std::memcpy(bytes.data() + at, content.data(), std::min<uint64_t>(content.size(), bytes.size() - at));
    }
  }
  return image;
}

namespace {

using Outcomes = std::vector<CrashModel::Outcome>;

Outcomes all_of(const std::vector<CrashModel::Unit>& units, bool kept) {
  Outcomes outcomes(units.size());
  for (size_t i = 0; kept && i < units.size(); i++) outcomes[i].version = units[i].versions - 1;
  return outcomes;
}

Outcomes drawn(const std::vector<CrashModel::Unit>& units, base::Random& random) {
  Outcomes outcomes(units.size());
  const uint64_t mood = random.below(3);  // names and lengths all kept, mostly kept, or as it comes
  for (size_t i = 0; i < units.size(); i++) {
    const CrashModel::Unit& unit = units[i];
    const bool page = unit.kind == CrashModel::Unit::Kind::kPage;
    const bool keep = !page && (mood == 0 || (mood == 1 && !random.one_in(8)));
    outcomes[i].version = keep ? unit.versions - 1 : static_cast<uint32_t>(random.below(unit.versions));
    if (!page || !random.one_in(4)) continue;
    outcomes[i].tail = static_cast<uint32_t>(random.below(unit.versions));
    outcomes[i].cut = static_cast<uint32_t>((1 + random.below(7)) * io::SimNode::kSector);
  }
  return outcomes;
}

}  // namespace

std::vector<Outcomes> choose_outcomes(const std::vector<CrashModel::Unit>& units, size_t most,
                                      base::Random& random) {
  size_t product = 1;
  for (const CrashModel::Unit& unit : units) product = std::min(product * unit.versions, most + 1);
  std::vector<Outcomes> chosen;
  if (product <= most) {
    for (size_t number = 0; number < product; number++) {
      Outcomes outcomes(units.size());
      size_t rest = number;
      for (size_t i = 0; i < units.size(); rest /= units[i].versions, i++) {
        outcomes[i].version = static_cast<uint32_t>(rest % units[i].versions);
      }
      chosen.push_back(std::move(outcomes));
    }
  } else {
    chosen = {all_of(units, true), all_of(units, false)};
    const size_t one = random.below(units.size());
    chosen.push_back(all_of(units, true));
    chosen.back()[one].version = 0;
    chosen.push_back(all_of(units, false));
    chosen.back()[one].version = units[one].versions - 1;
  }
  // Torn pages, all else kept; then what comes.
  for (size_t i = 0; i < units.size() && chosen.size() < most; i++) {
    if (units[i].kind != CrashModel::Unit::Kind::kPage || random.one_in(2)) continue;
    chosen.push_back(all_of(units, true));
    chosen.back()[i].tail = static_cast<uint32_t>(random.below(units[i].versions - 1));
    chosen.back()[i].cut = static_cast<uint32_t>((1 + random.below(7)) * io::SimNode::kSector);
  }
  while (product > most && chosen.size() < most) chosen.push_back(drawn(units, random));
  return chosen;
}

}  // namespace terrace::lab
