// One directory of the disk tier: its own superblock, secret, epoch, segments, recovery, group sync and
// breaker.
//
// Threads: every call from any thread; completions on the scheduler's threads; files are made, and recovery
// decodes, in tasks of the executor. One mutex, a leaf but for the executor's timers, never held across IO or
// a callback. Split by flow: volume_open.cc, volume_write.cc, volume_read.cc, volume_remove.cc,
// volume_health.cc, group_sync.cc, recovery.cc, volume.cc (the rest).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "io/file_system.h"
#include "io/scheduler.h"
#include "tier/breaker.h"
#include "tier/disk/options.h"
#include "tier/disk/segment_table.h"
#include "tier/disk/superblock_file.h"
#include "tier/disk/write.h"
#include "tier/tier.h"

namespace terrace::tier::disk {

struct VolumeParts {
  base::Clock& clock;
  base::Executor& executor;  // its tasks block on files: not the one that serves an engine
  io::FileSystem& files;
  io::IoScheduler& scheduler;
};

struct Read;
struct RecordCheck;
struct Scan;

class DiskVolume {
 public:
  DiskVolume(uint32_t number, VolumeOptions options, VolumeParts parts);
  ~DiskVolume();  // waits for what still runs
  DiskVolume(const DiskVolume&) = delete;
  DiskVolume& operator=(const DiskVolume&) = delete;

  // Locks, reads or makes the superblock, starts a new epoch, lists the segments. Blocks. kIo: the device
  // fails, and may be opened later by a probe.
  Outcome<void> open();
  // Recovery in the background; when the device failed at open, probes that open it later.
  void start(TierListener& listener);

  PlaceAnswer place(const record::BlockMeta& meta);
  void withdraw(Place place, uint64_t payload_bytes);
  void write(WriteOp op);
  ReadTicket read(ReadOp op);
  void cancel(ReadTicket ticket);
  void remove(std::span<const RemoveOp> batch, RemoveKind kind, const std::shared_ptr<Join>& join);

  record::Secret secret() const;
  record::Binding binding(Place place) const;
  bool available() const;
  void used(Place place, uint64_t rank);
  void remember_namespace(const KnownNamespace& known);
  std::vector<KnownNamespace> namespaces() const;

  PathStatus path_status() const;
  Usage usage() const;
  uint64_t recovered_blocks() const;
  bool opened() const;
  std::string engine() const;

  void sync(Done done);
  uint64_t close(base::TimePoint deadline);

 private:
  friend class Hold;
  friend class Turn;

  // What is to be told once the mutex is free.
  struct Notices {
    std::vector<std::pair<Key, Place>> gone;
    std::vector<uint32_t> retire;  // quarantined segments
    bool state_changed = false;
  };
  enum TimerOf : uint8_t { kSyncTimer, kDeadlineTimer, kProbeTimer, kTimers };
  struct Timer {
    base::TimerId id = 0;
    base::TimePoint when{};
    bool armed = false;
  };
  struct SyncRun {
    uint64_t seq = 0;  // everything up to it had ended when the run began
    bool clean = false;
    bool vouches = false;            // `seq` may go into the superblock
    Result<void> removals;           // an error: what was removed may come back after a power cut
    std::vector<uint32_t> segments;  // dirty when it began
    std::vector<bool> failed;        // by position in `segments`
    std::vector<Done> waiters;
    std::vector<memory::PageBuffer> ranks;
    std::vector<uint32_t> rank_segments;
    memory::PageBuffer page;
    bool namespaces_dirty = false;
    Hold hold;
  };
  struct Clearing {
    Place place = 0;
    uint64_t layout = 0;  // generation of the segment
    io::File* file = nullptr;
    Hold hold;
  };

  // volume.cc
  Hold hold() TERRACE_EXCLUDES(mutex_);
  Hold hold_locked() TERRACE_REQUIRES(mutex_);
  void release() TERRACE_EXCLUDES(mutex_);
  void release_locked() TERRACE_REQUIRES(mutex_);
  bool wait_for_pending(base::TimePoint deadline) TERRACE_EXCLUDES(mutex_);
  void post(base::Task task);  // with a hold
  void arm(TimerOf of, base::TimePoint when, void (DiskVolume::*then)()) TERRACE_REQUIRES(mutex_);
  void disarm(TimerOf of) TERRACE_EXCLUDES(mutex_);
  void deliver(Notices notices) TERRACE_EXCLUDES(mutex_);
  std::string path_of(std::string_view name) const { return options_.path + "/" + std::string(name); }
  bool usable() const TERRACE_REQUIRES(mutex_);
  uint64_t next_generation() TERRACE_REQUIRES(mutex_);
  void finish_slot(Place place) TERRACE_EXCLUDES(mutex_);

  // volume_open.cc
  Outcome<std::vector<std::string>> list_directory();
  Outcome<void> lock_directory();
  Outcome<Superblock> choose_superblock(const std::vector<std::string>& names, const SuperblockRead& read);
  std::optional<Superblock> rebuild_superblock(const std::vector<std::string>& names);
  uint64_t newest_epoch(io::File& table, const SegmentHeader& header, uint64_t bytes);
  struct Listed {
    std::vector<uint32_t> to_recover;
    uint64_t surplus = 0;       // bytes of files that no segment's room covers
    uint32_t out_of_reach = 0;  // segments beyond the capacity that may be ours, and stay
  };
  Listed list_segments(const std::vector<std::string>& names, const Superblock& superblock,
                       SegmentTable& table);
  void drop_surplus(uint32_t number, const Superblock& superblock, Listed& listed);
  Outcome<void> open_store();
  Result<void> open_namespaces(const record::Secret& secret);

  // volume_write.cc
  void start_layout(uint32_t number, uint64_t slot_bytes) TERRACE_REQUIRES(mutex_);
  void prepare(uint32_t number);
  Result<void> lay_out(uint32_t number, uint64_t slot_bytes, uint64_t generation);
  void layout_failed(uint32_t number, const Error& error, Notices& notices) TERRACE_REQUIRES(mutex_);
  void begin_write(std::unique_ptr<Write> write);
  void write_record(std::unique_ptr<Write> write);
  void record_written(std::unique_ptr<Write> write, Result<void> result);
  void entry_written(std::unique_ptr<Write> write, Result<void> result);
  void end_write(std::unique_ptr<Write> write, Result<void> result);

  // volume_read.cc
  Result<void> admit_read(const ReadOp& op) const TERRACE_REQUIRES(mutex_);
  std::vector<io::IoRequest> part_requests(Read& read) TERRACE_REQUIRES(mutex_);
  void range_ended(Read& read, uint64_t offset, uint64_t bytes, Result<void> result);
  void end_read(Read& read);
  void cancel_io(ReadTicket ticket);

  // volume_remove.cc
  void await_reach(const std::shared_ptr<Join>& join) TERRACE_REQUIRES(mutex_);
  void remove_one(const RemoveOp& op, RemoveKind kind, const std::shared_ptr<Join>& join);
  // Writes a cleared entry. From begin_clear() on nothing else writes that entry (EntryState::kClearing).
  Clearing begin_clear(Place place) TERRACE_REQUIRES(mutex_);
  void clear_entry(Clearing clearing, std::move_only_function<void(Result<void>)> then);
  void zero_slot(Place place, uint64_t bytes, std::move_only_function<void(Result<void>)> then);
  void end_remove(Place place, Result<void> result, const std::shared_ptr<Join>& join);
  // Clears the entries of everything evicted since the last time, and waits for clearings that run.
  void clear_stale(const std::shared_ptr<Join>& join);
  void await_clearing(Place place, uint16_t before, const std::shared_ptr<Join>& join)
      TERRACE_REQUIRES(mutex_);
  void table_write_ended(Place place) TERRACE_REQUIRES(mutex_);

  // volume_health.cc
  uint64_t watch(base::TimePoint deadline) TERRACE_REQUIRES(mutex_);
  void operation_ended(uint64_t watch, uint32_t segment, const Result<void>& result, Notices& notices)
      TERRACE_REQUIRES(mutex_);
  void count_outcome(bool ok, Notices& notices) TERRACE_REQUIRES(mutex_);
  void device_error(uint32_t segment, const Error& error, Notices& notices) TERRACE_REQUIRES(mutex_);
  void quarantine(uint32_t segment, Notices& notices) TERRACE_REQUIRES(mutex_);
  void retire(uint32_t segment);
  void retire_lost();
  void lose_block(Place place, Notices& notices) TERRACE_REQUIRES(mutex_);
  void deadlines_due();
  void probe();
  void probe_ended(bool ok);

  // group_sync.cc
  void arm_sync() TERRACE_REQUIRES(mutex_);
  bool dirty() const TERRACE_REQUIRES(mutex_);
  void begin_sync();
  void sync_data();
  void sync_tables();
  void sync_superblock();
  void end_sync(Result<void> result);
  void sync_failed(size_t position, const Error& error) TERRACE_REQUIRES(mutex_);
  void ranks_ended();
  void lose_unsynced(uint32_t segment, Notices& notices) TERRACE_REQUIRES(mutex_);
  void clear_again(uint32_t segment) TERRACE_REQUIRES(mutex_);
  std::vector<io::IoRequest> rank_writes(SyncRun& run) TERRACE_REQUIRES(mutex_);

  // recovery.cc
  void begin_recovery();
  bool post_step(base::Task step) noexcept;
  void next_turn() noexcept;
  void recover_next();
  void end_turn(uint32_t segment, bool settled) noexcept;
  void scan_segment(uint32_t number);
  void scan_read(std::unique_ptr<Scan> scan);
  void scan_decoded(std::unique_ptr<Scan> scan);
  void adopt(std::unique_ptr<Scan> scan);
  std::vector<FoundBlock> take_over(Scan& scan, RecordCheck& check);
  FoundBlock found_block(uint32_t number, uint32_t index, const SlotEntry& entry) const
      TERRACE_REQUIRES(mutex_);
  void segment_empty(Scan& scan);
  void segment_unusable(Scan& scan, const char* why);
  void segment_unread(Scan& scan, const char* why);
  void tell_found(std::span<const FoundBlock> found);
  void note_namespaces(std::span<const FoundBlock> found);
  void forget_found(Place place);
  void try_arm_sync() noexcept TERRACE_REQUIRES(mutex_);
  void end_recovery();

  // record_check.cc
  void check_next(std::unique_ptr<RecordCheck> check);
  void check_read(std::unique_ptr<RecordCheck> check);
  void check_arrived(std::unique_ptr<RecordCheck> check, Result<void> result);

  const uint32_t number_;
  const VolumeOptions options_;
  VolumeParts parts_;
  TierListener* listener_ = nullptr;

  mutable base::Mutex mutex_;
  bool opened_ TERRACE_GUARDED_BY(mutex_) = false;
  bool closing_ TERRACE_GUARDED_BY(mutex_) = false;
  bool closed_ TERRACE_GUARDED_BY(mutex_) = false;
  std::unique_ptr<SegmentTable> table_ TERRACE_GUARDED_BY(mutex_);
  Superblock superblock_ TERRACE_GUARDED_BY(mutex_);
  Id boot_id_ TERRACE_GUARDED_BY(mutex_){};
  uint64_t counter_ TERRACE_GUARDED_BY(mutex_) = 0;  // of generations
  uint64_t seq_ TERRACE_GUARDED_BY(mutex_) = 0;      // last given
  // What waits for the end of a slot's write, removal or clearing; each looks again when it runs.
  std::unordered_map<Place, std::vector<base::Task>> waiters_ TERRACE_GUARDED_BY(mutex_);
  std::vector<Place> stale_
      TERRACE_GUARDED_BY(mutex_);  // freed slots whose entries may still name their block
  std::set<Place> clearings_ TERRACE_GUARDED_BY(mutex_);  // whose entries are being cleared
  std::unordered_map<ReadTicket, std::unique_ptr<Read>> reads_ TERRACE_GUARDED_BY(mutex_);
  uint64_t next_ticket_ TERRACE_GUARDED_BY(mutex_) = 1;
  base::TimePoint grow_again_ TERRACE_GUARDED_BY(mutex_){};
  bool growth_stopped_ TERRACE_GUARDED_BY(mutex_) = false;

  // Health.
  Breaker breaker_ TERRACE_GUARDED_BY(mutex_);
  std::set<std::pair<base::TimePoint, uint64_t>> deadlines_ TERRACE_GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, base::TimePoint> watches_ TERRACE_GUARDED_BY(mutex_);
  uint64_t next_watch_ TERRACE_GUARDED_BY(mutex_) = 1;
  std::array<Timer, kTimers> timers_ TERRACE_GUARDED_BY(mutex_);
  std::string last_error_ TERRACE_GUARDED_BY(mutex_);

  // Group sync.
  std::unique_ptr<SyncRun> sync_run_ TERRACE_GUARDED_BY(mutex_);
  std::vector<Done> sync_waiters_ TERRACE_GUARDED_BY(mutex_);
  uint64_t unsynced_bytes_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool segments_dirty_ TERRACE_GUARDED_BY(mutex_) = false;
  bool synced_seq_due_ TERRACE_GUARDED_BY(mutex_) = false;  // the superblock lags behind
  bool clean_wanted_ TERRACE_GUARDED_BY(mutex_) = false;
  base::TimePoint ranks_written_ TERRACE_GUARDED_BY(mutex_){};

  // Recovery.
  std::vector<uint32_t> to_recover_ TERRACE_GUARDED_BY(mutex_);  // the next last
  uint32_t recovering_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool recovery_over_ TERRACE_GUARDED_BY(mutex_) = false;  // ended, or given up because of close()
  bool recovered_ TERRACE_GUARDED_BY(mutex_) = false;
  bool unverified_ TERRACE_GUARDED_BY(mutex_) = false;  // records that recovery had no memory to verify
  bool other_boot_ TERRACE_GUARDED_BY(mutex_) = false;
  // Not read at start, quarantined and not yet marked so on disk, or not yet laid out anew: a later life may
  // find blocks in them that nobody knows of now.
  uint32_t segments_out_of_reach_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool was_killed_ TERRACE_GUARDED_BY(mutex_) = false;  // the life before did not close in order
  uint64_t recovered_blocks_ TERRACE_GUARDED_BY(mutex_) = 0;

  // Namespaces.
  std::unordered_map<Key, KnownNamespace, KeyHash> namespaces_ TERRACE_GUARDED_BY(mutex_);
  uint64_t namespaces_end_ TERRACE_GUARDED_BY(mutex_) = 0;
  bool namespaces_dirty_ TERRACE_GUARDED_BY(mutex_) = false;

  uint64_t pending_ TERRACE_GUARDED_BY(mutex_) = 0;  // callbacks, tasks and timers under way
  base::Event* drained_ TERRACE_GUARDED_BY(mutex_) = nullptr;

  // Set by open(), which no other call overlaps; then unchanged until everything has ended.
  std::unique_ptr<io::FileLock> lock_;
  std::optional<SuperblockFile> superblock_file_;
  std::unique_ptr<io::File> namespaces_file_;
  memory::PageBuffer probe_page_, zeros_;
};

}  // namespace terrace::tier::disk
