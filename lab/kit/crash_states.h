// What a disk may hold after a power cut in the middle of a recording, by the rules of io/sim/sim_disk.h: a
// write is safe once a sync of its file that began after it has ended, a name once its directory was synced;
// everything else, what was under way too, may be there or not, page by page in any order, and a page may be
// torn at 512 bytes. Writes of one page reach the disk in their order. A shorter length is durable at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "lab/kit/recorder.h"
#include "lab/kit/specimen.h"

namespace terrace::lab {

// The disk as the recording goes on; apply() every event in turn.
class CrashModel {
 public:
  explicit CrashModel(const Recording& recording) : recording_(recording) {}

  void apply(size_t position);

  // What is not safe, each with so many outcomes: outcome 0 is the loss of all that is not safe, the last one
  // is that nothing is lost.
  struct Unit {
    enum class Kind : uint8_t { kName, kLength, kPage } kind = Kind::kPage;
    std::string path{};  // of kName
    uint64_t node = 0;   // of the others
    uint64_t page = 0;   // of kPage
    uint32_t versions = 2;
  };
  std::vector<Unit> units() const;
  // One outcome for each unit, in their order; a page's outcome may be torn: the head of one version, the
  // tail of another.
  struct Outcome {
    uint32_t version = 0;
    uint32_t tail = UINT32_MAX;  // version of the bytes from `cut` on; UINT32_MAX: the same
    uint32_t cut = 0;
  };
  Image image(const std::vector<Unit>& units, const std::vector<Outcome>& outcomes) const;

 private:
  struct Piece {  // one write's part of a page
    uint32_t within = 0;
    std::vector<std::byte> bytes;
    size_t begun = 0;         // the write
    size_t ended = SIZE_MAX;  // position of its end
  };
  using Page = std::vector<std::byte>;  // empty: zeros
  struct Node {
    std::map<uint64_t, Page> pages;                  // safe
    std::map<uint64_t, std::vector<Piece>> pending;  // in the order they were done; those under way last
    uint64_t bytes = 0, safe_bytes = 0;
  };
  void begin_write(size_t position);
  void end_write(size_t begun, size_t position);
  void end_sync(size_t begun);
  void set_length(Node& node, uint64_t bytes);
  Page version_of(const Node& node, uint64_t page, uint32_t version) const;

  const Recording& recording_;
  std::map<uint64_t, Node> nodes_;
  std::map<std::string, uint64_t> names_, safe_names_;
  std::map<size_t, uint64_t> length_at_sync_;  // of syncs under way
};

// The outcomes of a power cut: all of them when there are at most `most`, else the plainest and others drawn.
std::vector<std::vector<CrashModel::Outcome>> choose_outcomes(const std::vector<CrashModel::Unit>& units,
                                                              size_t most, base::Random& random);

}  // namespace terrace::lab
