#include "lab/rows/rows.h"

#include <algorithm>
#include <array>

#include "lab/rows/bitrot.h"
#include "lab/rows/code_probes.h"
#include "lab/rows/crash.h"
#include "lab/rows/crash_points.h"
#include "lab/rows/device_errors.h"
#include "lab/rows/extremes.h"
#include "lab/rows/fuzz.h"
#include "lab/rows/garbage.h"
#include "lab/rows/histories.h"
#include "lab/rows/idle.h"
#include "lab/rows/interleavings.h"
#include "lab/rows/limits_real.h"
#include "lab/rows/memory.h"
#include "lab/rows/misdirection.h"
#include "lab/rows/network.h"
#include "lab/rows/no_space.h"
#include "lab/rows/planted_bugs.h"
#include "lab/rows/power_cut.h"
#include "lab/rows/prefill.h"
#include "lab/rows/restart.h"
#include "lab/rows/short_io_sim.h"
#include "lab/rows/simulation.h"
#include "lab/rows/slow_disk.h"
#include "lab/rows/wear.h"

namespace terrace::lab {
namespace {

// Row 9: the simulated half, and the half on the real machine.
Findings run_short_io(const RowOptions& options) {
  Findings findings = run_short_io_sim(options);
  findings.add(run_limits_real(options));
  return findings;
}

constexpr std::array kRows{
    Row{1, "deterministic simulation", "seeds",
        "The whole store on virtual time, of a fourth of the seeds with a server: hostile sizes, small L1, "
        "faults, power cuts and kills by seed.",
        run_simulation, true},
    Row{2, "kill -9, black box", "cycles",
        "A real process with 4 clients on a real directory is killed after 20 to 400 ms; what it "
        "acknowledged is there. Or a server, whose clients go on with the next one.",
        run_crash, true},
    Row{3, "kill, white box", "jobs",
        "The process is killed at each crash point of the product by name, while it formats, writes, syncs, "
        "evicts, removes, recovers and closes.",
        run_crash_points},
    Row{4, "power cut", "workloads",
        "A small store is recorded; the disks that a power cut at any of its steps may leave are opened and "
        "checked.",
        run_power_cut},
    Row{5, "bit rot", "rounds",
        "Bits of headers, slot tables, superblocks and payloads are flipped, pages zeroed, filled with 0xFF "
        "and swapped.",
        run_bitrot, true},
    Row{6, "misdirection and previous lives", "cases",
        "Writes and reads land elsewhere, old records and files of other stores and generations are put in "
        "place.",
        run_misdirection, true},
    Row{7, "truncation and garbage files", "cases",
        "Files cut at every page and every byte of the last record, missing, empty, random, links, "
        "directories, unreadable; unknown files.",
        run_garbage},
    Row{8, "device errors", "seeds",
        "The simulation with errors of every call at fixed rates and sectors that stay bad, and phases in "
        "which every IO fails.",
        run_device_errors, true},
    Row{9, "short IO and limits", "seeds and cases",
        "The simulation with transfers that come in pieces, are interrupted or told to try again; real "
        "stores whose "
        "kernel refuses io_uring, descriptors, threads, file sizes, room in its rings: fallback, less, or a "
        "clear error.",
        run_short_io},
    Row{10, "full devices", "cases",
        "Another process fills a small tmpfs or ext4 during load, and frees it: the store evicts, only reads "
        "or is off, and comes back.",
        run_no_space},
    Row{11, "slow and stalling disks", "seeds",
        "The simulation with IO that takes 50 ms to 5 s, and stalls of 10 s: deadlines hold, queues stay "
        "bounded.",
        run_slow_disk},
    Row{12, "memory wall", "seconds",
        "A process whose control group allows its budget and 128 MiB more stores and evicts: what is "
        "resident "
        "stays below its bound and does not grow.",
        run_memory},
    Row{13, "network faults", "sessions",
        "Clients of a server whose bytes come singly, late, or not at all, and others that say what no "
        "client "
        "would; one client beside them must never notice.",
        run_network, true},
    Row{14, "fuzz", "seconds of each target",
        "Every decoder of bytes from outside, and the public API, searched by libFuzzer under sanitizers.",
        run_fuzz, true},
    Row{15, "sanitizers", "seeds",
        "The same work in memory that begins with different bytes leaves the same files; ./dev test --lab "
        "adds the sanitizers.",
        run_prefill},
    Row{16, "concurrency histories", "operations",
        "Four threads on 64 hot keys of a real store that evicts, removes, clears and changes its mode; "
        "every "
        "hit is explained by who wrote what when. Or four processes, through a server.",
        run_histories},
    Row{17, "interleavings", "protocols",
        "Small protocols of the store, two or three threads each, under all orders of their steps or all "
        "with "
        "few preemptions.",
        run_interleavings},
    Row{19, "restart under load", "restarts",
        "A process whose clients work is told to end, or a server; the next goes on with what was there. "
        "Stores of format version 1 are opened and serve every block.",
        run_restart},
    Row{20, "idle and leaks", "cycles",
        "An idle store uses no processor time, nor do a server and its clients; opening and closing one, or "
        "a "
        "connection, leaves nothing behind.",
        run_idle},
    Row{21, "clocks and limits", "rounds",
        "Clocks jump, the process stands still, sizes, batches, deadlines and options stand at their limits, "
        "tables are full.",
        run_extremes},
    Row{23, "wear and write budget", "cases",
        "Bytes at the device against those admitted, simulated and real; a write budget under steps of load.",
        run_wear},
    Row{24, "planted bugs", "bugs",
        "Bugs are planted in this very build, one at a time; the row named for each must fail.",
        run_planted_bugs},
    Row{25, "code probes", "probes", "Every tagged rare line of the product was reached by the rows before.",
        run_code_probes},
};

}  // namespace

std::span<const Row> rows() {
  return kRows;
}

const Row* find_row(int number) {
  for (const Row& row : kRows) {
    if (row.number == number) return &row;
  }
  return nullptr;
}

}  // namespace terrace::lab
