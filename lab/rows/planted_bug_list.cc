// The bugs and the rows that find them. A count of 0 is a tenth of the row; where a bug shows in few seeds,
// the list says in which.
#include <array>

#include "lab/rows/planted_bugs.h"

namespace terrace::lab {
namespace {

constexpr std::array kBugs{
    // Records and their checks.
    PlantedBug{"record.skip_part_sum", 1, "payload sums are not compared"},
    PlantedBug{"record.skip_header_sum", 5, "the header's sum is not compared"},
    PlantedBug{"record.skip_key_compare", 6, "the key in the header is not compared"},
    PlantedBug{"record.forget_place", 1, "a record is not bound to its place"},
    PlantedBug{"key.forget_prefix", 1, "a block's key does not depend on the blocks before it"},
    // The disk's format and recovery.
    PlantedBug{"disk.skip_page_sum", 5, "sums of superblock and segment headers are not compared"},
    PlantedBug{"disk.skip_entry_sum", 1, "sums of slot entries are not compared"},
    PlantedBug{"disk.forget_entry_place", 1, "a slot entry is not bound to its slot and layout"},
    PlantedBug{"disk.forget_generation", 1, "every record and layout has the same generation"},
    PlantedBug{"disk.keep_layout_generation", 1, "a segment laid out anew keeps its generation"},
    PlantedBug{"disk.same_epoch_again", 6, "a start does not begin a new epoch"},
    PlantedBug{"disk.publish_early", 1, "a write is reported before it is made"},
    PlantedBug{"disk.skip_entry_write", 1, "the slot entry of a record is not written"},
    PlantedBug{"disk.ignore_write_error", 8, "a record whose write failed is published"},
    PlantedBug{"disk.skip_entry_clear", 1, "removal leaves the slot entry on the disk"},
    PlantedBug{"disk.forget_evicted_entry", 1,
               "an evicted block's slot entry stays, and a removal forgets it", 84, 1},
    PlantedBug{"disk.skip_sync", 1, "the group sync syncs nothing", 31, 1},
    PlantedBug{"disk.lose_a_segment", 1, "recovery forgets every fourth segment"},
    PlantedBug{"disk.lose_last_slot", 1, "recovery forgets the last slot of a segment"},
    PlantedBug{"disk.leak_slot", 1, "a failed write keeps its slot"},
    PlantedBug{"disk.exceed_capacity", 1, "two segments more than the capacity allows"},
    PlantedBug{"disk.breaker_never_opens", 8, "errors never open the breaker"},
    PlantedBug{"disk.breaker_never_closes", 8, "a probe never closes the breaker"},
    PlantedBug{"disk.ignore_deadline", 11, "operations of a stalled device are not given up"},
    PlantedBug{"disk.never_grow_again", 10, "a device that was full is never tried again"},
    PlantedBug{"io.ignore_short_transfer", 9, "a transfer that came in part counts as whole"},
    PlantedBug{"io.interrupted_is_done", 9, "a transfer that was interrupted counts as done"},
    PlantedBug{"policy.spend_nothing", 23, "admitted writes spend nothing of their budget"},
    PlantedBug{"io.cancelled_still_counts", 11, "a cancelled request stays queued in the accounts"},
    // Memory.
    PlantedBug{"memory.one_slot_too_many", 1, "a segment is cut into one slot too many"},
    PlantedBug{"memory.leak_slot", 1, "a freed slot is not used again"},
    PlantedBug{"memory.leak_region_use", 1, "a region stays in use for ever"},
    // The store: verification.
    PlantedBug{"store.trust_loads", 1, "what a tier brings into L1 is not verified"},
    PlantedBug{"store.trust_direct_reads", 1, "what a tier reads into caller memory is not verified"},
    PlantedBug{"store.reuse_sums_of_another", 1, "one block's sums are sealed into another's header"},
    PlantedBug{"store.share_header_page", 1, "two tiers' writes use one header page"},
    // Removal.
    PlantedBug{"store.keep_removed_block", 1, "a load that a removal overtook is kept in L1"},
    PlantedBug{"store.ticket_finds_removed", 1, "a prefetch's ticket answers with removed blocks"},
    PlantedBug{"store.publish_removed_write", 1, "a write that a removal overtook is published"},
    PlantedBug{"store.write_removed_block", 1, "a block is written though it was removed after its commit"},
    PlantedBug{"store.remove_answers_early", 1, "a removal does not wait for the writes it undoes", 414, 1},
    PlantedBug{"store.write_beside_its_removal", 17, "a block is written to a tier that has yet to remove it",
               7, 1},
    PlantedBug{"store.remove_misses_writes", 1, "a removal does not know of writes under way"},
    PlantedBug{"store.ignore_failed_removal", 1, "a removal that failed on the disk is acknowledged", 281, 1},
    PlantedBug{"store.lookup_sees_what_left", 1, "the index keeps the tiers a block has left"},
    // Leases, events, accounts.
    PlantedBug{"store.free_while_leased", 1, "a buffer is freed under its last reader"},
    PlantedBug{"store.release_memory_early", 1, "caller memory is given back while a read is under way"},
    PlantedBug{"store.join_cancelled_load", 1, "a get waits for a load that was cancelled"},
    PlantedBug{"store.ignore_get_deadline", 1, "a get does not end at its deadline"},
    PlantedBug{"store.event_twice", 1, "a write is reported twice"},
    PlantedBug{"store.lose_an_event", 1, "one of sixteen waiting events is lost"},
    PlantedBug{"store.forget_result_event", 1, "a get ends without its event"},
    PlantedBug{"store.forget_released_event", 1, "a put never gives the memory back"},
    PlantedBug{"store.forget_waiters", 1, "whoever waits for progress is not woken"},
    PlantedBug{"store.no_write_bound", 1, "nothing bounds the bytes on their way to tiers"},
    PlantedBug{"store.miss_without_reason", 1, "misses are not counted"},
    PlantedBug{"store.leak_lease", 1, "released blocks stay leased"},
    PlantedBug{"store.leak_pin", 1, "released pins stay"},
    PlantedBug{"store.leak_loaded_buffer", 1, "a load keeps its buffer"},
    PlantedBug{"store.leak_aborted_buffer", 1, "an aborted reservation keeps its buffer"},
    PlantedBug{"store.leak_prefetch_credit", 1, "a cancelled prefetch keeps its credit"},
    PlantedBug{"store.leak_a_share", 1, "what a tenant reserved or leased stays counted"},
    PlantedBug{"store.leak_write_credit", 1, "an ended write keeps its credit"},
    // Server and client.
    PlantedBug{"server.forget_lease", 16, "what a client was given is not held for it", 2, 100'000},
    PlantedBug{"server.remove_answers_early", 16, "a removal is answered before it is done", 2, 100'000},
    PlantedBug{"server.forget_the_dead", 13, "the end of a client's process is not noticed", 1, 10},
    PlantedBug{"server.end_leases_with_socket", 1, "what a client leased ends with its connection", 2, 40},
    PlantedBug{"server.wait_for_clients", 19, "a server that is to stop waits until its clients leave", 2, 1},
    PlantedBug{"server.keep_numbers", 20, "the numbers of sessions that ended are not used again", 3, 1000},
    PlantedBug{"client.forget_owed_events", 2, "what a dead server owed is waited for", 3, 10},
};

}  // namespace

std::span<const PlantedBug> planted_bugs() {
  return kBugs;
}

}  // namespace terrace::lab
