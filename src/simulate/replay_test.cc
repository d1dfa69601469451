#include "simulate/replay.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "simulate/bounds.h"
#include "simulate/sweep.h"

namespace terrace::simulate {
namespace {

using Prompts = std::vector<std::vector<uint64_t>>;

// One request a second.
Trace trace_of(const Prompts& prompts) {
  TraceBuilder builder;
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_TRUE(builder.add(i * 1'000'000'000, 0, prompts[i]));
  }
  return std::move(builder).finish(0);
}

Figures replayed(const Trace& trace, std::string policy, std::vector<uint64_t> tier_blocks,
                 uint32_t chunk = 0) {
  return replay(trace, {std::move(policy), std::move(tier_blocks), chunk}).value();
}

// Prompts that are paths in a small tree, so that they share heads.
Trace random_trace(uint64_t seed, size_t requests) {
  base::Random random(seed);
  Prompts prompts(requests);
  for (auto& prompt : prompts) {
    const uint64_t length = 1 + random.below(3);
    uint64_t id = random.below(2);
    for (uint64_t i = 0; i < length; ++i) {
      prompt.push_back(id);
      id = 2 * id + 2 + random.below(2);
    }
  }
  return trace_of(prompts);
}

TEST(Replay, counts_what_a_request_finds_when_it_arrives) {
  const Figures figures = replayed(trace_of({{1, 2}, {1, 2, 3}, {4}, {1, 2, 3}}), "lru", {10});
  EXPECT_EQ(figures.accesses, 9u);
  EXPECT_EQ(figures.hits, 5u);
  EXPECT_EQ(figures.prefix_hits, 5u);
  EXPECT_EQ(figures.tiers[0].written_blocks, 4u);
  EXPECT_EQ(figures.tiers[0].evicted_blocks, 0u);
}

TEST(Replay, E1_the_tail_of_the_coldest_prompt_leaves_first) {
  const Figures figures = replayed(trace_of({{1, 2, 3}, {4}, {1, 2, 3}}), "lru", {3});
  EXPECT_EQ(figures.prefix_hits, 2u) << "3 made room for 4";
}

TEST(Replay, E1_noop_keeps_what_came_first_and_refuses_the_rest) {
  const Figures figures = replayed(trace_of({{1, 2}, {3, 4}, {1, 2}, {3, 4}}), "noop", {3});
  EXPECT_EQ(figures.prefix_hits, 3u);
  EXPECT_EQ(figures.tiers[0].written_blocks, 3u);
}

TEST(Replay, a_prompt_larger_than_the_cache_keeps_its_head) {
  const Figures figures = replayed(trace_of({{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}}), "lru", {3});
  EXPECT_EQ(figures.prefix_hits, 3u);
  EXPECT_EQ(figures.tiers[0].evicted_blocks, 0u);
}

TEST(Replay, a_second_tier_delivers_what_the_first_let_go) {
  const Figures figures = replayed(trace_of({{1, 2}, {3, 4}, {1, 2}}), "lru", {2, 10});
  EXPECT_EQ(figures.prefix_hits, 2u);
  EXPECT_EQ(figures.tiers[0].prefix_hits, 0u);
  EXPECT_EQ(figures.tiers[1].prefix_hits, 2u);
  EXPECT_EQ(figures.tiers[0].written_blocks, 6u) << "loaded again";
  EXPECT_EQ(figures.tiers[1].written_blocks, 4u);
}

TEST(Replay, chunks_find_and_store_what_the_whole_prompt_does_when_nothing_must_leave) {
  const Trace trace = random_trace(1, 200);
  const Figures whole = replayed(trace, "lru", {1000});
  const Figures chunks = replayed(trace, "lru", {1000}, 2);
  EXPECT_EQ(whole.prefix_hits, chunks.prefix_hits);
  EXPECT_EQ(whole.tiers[0].written_blocks, chunks.tiers[0].written_blocks);
}

TEST(Replay, E1_chunks_stored_later_than_their_heads_still_leave_before_them) {
  const Figures figures = replayed(trace_of({{1, 2, 3, 4}, {9}, {1, 2, 3, 4}}), "lru", {4}, 1);
  EXPECT_EQ(figures.prefix_hits, 3u);
}

TEST(Replay, what_is_held_is_whole_prefixes_with_every_policy) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Trace trace = random_trace(seed, 300);
    for (const std::string policy : {"lru", "two_class", "noop"}) {
      for (const uint32_t chunk : {0u, 1u}) {
        const Figures figures = replayed(trace, policy, {3, 7}, chunk);
        EXPECT_EQ(figures.hits, figures.prefix_hits) << policy << " seed " << seed;
      }
    }
  }
}

// The most hits any sequence of contents could get, by trying them all.
uint64_t most_hits(const Trace& trace, uint64_t capacity) {
  std::map<uint32_t, uint64_t> best{{0, 0}};  // what is held, as bits: the hits so far
  for (const TraceRequest& request : trace.requests) {
    std::map<uint32_t, uint64_t> next;
    uint32_t asked = 0;
    for (const TraceBlock block : trace.blocks_of(request)) asked |= 1u << block;
    for (const auto& [held, hits] : best) {
      uint64_t found = 0;
      for (const TraceBlock block : trace.blocks_of(request)) {
        if ((held >> block & 1) == 0) break;
        ++found;
      }
      const uint32_t all = held | asked;
      for (uint32_t kept = all;; kept = (kept - 1) & all) {
        if (static_cast<uint64_t>(std::popcount(kept)) <= capacity) {
          next[kept] = std::max(next[kept], hits + found);
        }
        if (kept == 0) break;
      }
    }
    best = std::move(next);
  }
  return std::ranges::max_element(best, {}, [](const auto& entry) { return entry.second; })->second;
}

TEST(Bounds, the_optimum_is_what_trying_everything_finds) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Trace trace = random_trace(seed, 9);
    for (uint64_t capacity = 1; capacity <= 4; ++capacity) {
      const Figures figures = optimum(trace, capacity);
      EXPECT_EQ(figures.prefix_hits, most_hits(trace, capacity)) << "seed " << seed << " of " << capacity;
      EXPECT_EQ(figures.hits, figures.prefix_hits);
    }
  }
}

TEST(Bounds, no_policy_beats_them) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Trace trace = random_trace(seed, 400);
    for (const uint64_t capacity : {1, 3, 6, 100}) {
      const uint64_t bound = optimum(trace, capacity).prefix_hits;
      EXPECT_LE(bound, unbounded(trace).prefix_hits);
      EXPECT_LE(replayed(trace, "lru", {capacity}).prefix_hits, bound);
      EXPECT_LE(replayed(trace, "two_class", {capacity}).prefix_hits, bound);
    }
    EXPECT_EQ(replayed(trace, "lru", {100}).prefix_hits, unbounded(trace).prefix_hits);
  }
}

TEST(Sweep, answers_every_policy_with_every_size_in_order) {
  const Trace trace = random_trace(3, 100);
  const Question question{
      .policies = {"lru", "unbounded", "optimum"}, .capacities = {2, 4}, .disk_capacities = {8}};
  uint64_t last = 0;
  const auto answers = sweep(trace, question, base::SteadyClock(), [&](uint64_t done) { last = done; });
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 5u);
  EXPECT_EQ((*answers)[1].figures.tiers[0].capacity_blocks, 4u);
  EXPECT_EQ((*answers)[1].figures.tiers[1].capacity_blocks, 8u);
  EXPECT_EQ((*answers)[2].policy, "unbounded");
  EXPECT_EQ((*answers)[4].figures.tiers[0].capacity_blocks, 8u) << "of what both tiers hold";
  EXPECT_EQ(replays_of(question), 4u);
  EXPECT_LE(last, 400u);
}

TEST(Sweep, an_unknown_policy_is_refused_with_the_allowed_ones) {
  EXPECT_EQ(check_policy("fifo").error().message,
            "'fifo' is not an eviction policy; allowed are: lru, noop, two_class, optimum, unbounded");
  EXPECT_TRUE(check_policy("optimum"));
}

}  // namespace
}  // namespace terrace::simulate
