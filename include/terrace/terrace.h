// Terrace in C, for engines in any language that can call C: the store of this process and the store of a
// node's server, behind one handle.
//
//   terrace_store* store = NULL;
//   terrace_error error;
//   if (terrace_open("terrace.yaml", &store, &error) != TERRACE_OK) return report(error.message);
//   terrace_lookup(store, keys, count, &found, NULL, NULL, NULL, &error);
//   terrace_store_free(store);
//
// What all functions keep to:
//
// Errors. What can fail returns a code and says more in `error`, which may be NULL. A miss is no error:
// lookups and retrieves say how many of the first keys are there, and why the next one is not. A call that
// fails leaves what it writes through pointers as it was; one that is refused (TERRACE_INVALID_ARGUMENT,
// TERRACE_LIMIT_EXCEEDED, TERRACE_UNSUPPORTED, TERRACE_CLOSED) has changed nothing at all.
//
// Structs. Those that begin with `size` may grow: set it to sizeof, what you mean, and all else to zero. Zero
// and NULL are the defaults, and so is NULL in place of a struct of options. The others never change. Lists
// are a pointer and a count; the pointer may be NULL when the count is 0.
//
// Ownership. A handle that a function gives is the caller's, who ends it with the function named beside its
// type; ending NULL does nothing. Handles may outlive the store: their memory stays until the last of them
// goes. What a function was given is not looked at any more when it has returned, but for registered memory.
//
// Threads. Every function may be called from any thread; who ends a handle must be the last one to use it.
// Only these may block, to their timeout: terrace_get, terrace_sync, whose name says wait, terrace_remove,
// terrace_clear, and what opens or ends a store. With a server every call waits for its answer, to the
// `patience_ns` of terrace_connect.
//
// Times are nanoseconds. Texts end with NUL and are UTF-8 where they mean something. The constants TERRACE_*
// that are not here stand in terrace_numbers.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <terrace/terrace_numbers.h>

// Of this header. A library serves programs compiled with its own major and a minor up to its own.
#define TERRACE_ABI_MAJOR 1
#define TERRACE_ABI_MINOR 0
#define TERRACE_ABI_VERSION (TERRACE_ABI_MAJOR * 65536 + TERRACE_ABI_MINOR)

#define TERRACE_BATCH_MAX 65536            // keys, blocks, reservations in a call
#define TERRACE_BLOCK_BYTES_MAX 268435456  // payload of a block
#define TERRACE_TIMEOUT_STORE (-1)  // the store's own (get.timeout, lookup.timeout), where it is allowed
#define TERRACE_HEX_BYTES 65        // 64 hexadecimal digits and the NUL

#ifdef __cplusplus
extern "C" {
#endif

// ---- errors

typedef struct terrace_error {
  terrace_code code;   // as returned; TERRACE_OK after a call that did what it was to do
  int32_t sys_errno;   // 0: none
  char message[1016];  // names the value and what is allowed, a problem a line, cut when it is longer; or ""
} terrace_error;

// "invalid_argument"; "unknown" for a number this library does not have. Static.
const char* terrace_code_name(terrace_code code);

// TERRACE_ABI_VERSION of the library, and its version in words ("0.1.0"). Static.
uint32_t terrace_abi_version(void);
const char* terrace_version(void);

// ---- handles

typedef struct terrace_store terrace_store;              // terrace_store_free
typedef struct terrace_reservation terrace_reservation;  // terrace_commit, terrace_reservation_abort
typedef struct terrace_pin terrace_pin;                  // terrace_pin_release
typedef struct terrace_blocks terrace_blocks;            // terrace_blocks_release
typedef struct terrace_lookup_operation terrace_lookup_operation;  // terrace_lookup_free
typedef struct terrace_get_operation terrace_get_operation;        // terrace_get_free
typedef struct terrace_into_operation terrace_into_operation;      // terrace_into_free
typedef struct terrace_prefetch_ticket terrace_prefetch_ticket;    // terrace_prefetch_free
typedef struct terrace_queue terrace_queue;                        // terrace_queue_free
typedef struct terrace_subscription terrace_subscription;          // terrace_subscription_free

// ---- opening and closing

// The store of this process, from a YAML file; an empty name means none. Variables TERRACE_* of the
// environment override it (docs/guide/configuration.md); no other thread may change the environment
// meanwhile. Errors: TERRACE_INVALID_ARGUMENT with a line for each problem (key, value, what is allowed,
// FILE:LINE), TERRACE_IN_USE, TERRACE_FOREIGN, TERRACE_INCOMPATIBLE, TERRACE_PERMISSION, TERRACE_NO_MEMORY,
// TERRACE_IO.
terrace_code terrace_open(const char* file, terrace_store** store, terrace_error* error);
// The same from YAML itself; "" is a store with all defaults: 1 GiB of host memory, no tiers.
terrace_code terrace_open_text(const char* yaml, terrace_store** store, terrace_error* error);

// Refuses new work, lets what runs end until the timeout, closes the tiers. `abandoned`, when it is given,
// gets how many operations were still running. The second time it does nothing.
terrace_code terrace_close(terrace_store* store, int64_t timeout_ns, uint64_t* abandoned,
                           terrace_error* error);
// Closes the store as terrace_close with 2 s, unless it is closed, and ends its handle.
void terrace_store_free(terrace_store* store);

// True when every tier has announced what it holds; false when the timeout came first.
terrace_code terrace_wait_recovered(terrace_store* store, int64_t timeout_ns, bool* recovered,
                                    terrace_error* error);
// What was committed so far has reached its tiers (or was dropped) and is durable there. Errors:
// TERRACE_DEADLINE, and a tier's.
terrace_code terrace_sync(terrace_store* store, int64_t timeout_ns, terrace_error* error);

// ---- keys

// A key names a computation: the KV of a run of tokens after a given prefix, under a namespace. A SHA-256
// digest; all zero: none.
typedef struct terrace_key {
  uint8_t bytes[32];
} terrace_key;

// What must be equal for bytes to be usable. NULL: absent, which differs from empty and from 0. Texts have at
// most 65,536 bytes.
typedef struct terrace_namespace {
  size_t size;
  const char* model_id;
  const char* model_fingerprint;
  const char* kv_dtype;
  const char* layout_id;
  const uint32_t* block_tokens;
  const char* producer;
  const uint32_t* producer_version;
  const char* adapter;
  const char* tenant_salt;
  const uint32_t* groups;  // NULL = 1
} terrace_namespace;

typedef struct terrace_connect_options {
  size_t size;
  const char* socket;   // path of the server's Unix socket; has to be given
  const char* name;     // for people who look at the server's sessions
  int64_t patience_ns;  // what a call waits for an answer, beside its own timeout; 0: 5 s
  // Named to the server at every connection. One that binds sessions (`auth: namespaces`) lets the store see
  // and store what is of these and nothing else.
  const terrace_namespace* const* namespaces;
  size_t namespace_count;
} terrace_connect_options;
// The store of a node's server (`terrace serve`). While it is away lookups and gets are misses
// (TERRACE_MISS_TIER_UNAVAILABLE), reserve has no room, removals fail (TERRACE_UNAVAILABLE); calls connect
// again by themselves. In a fork of the process the store is closed. Errors: TERRACE_NOT_FOUND (nobody
// listens), TERRACE_PERMISSION, TERRACE_INCOMPATIBLE, TERRACE_INVALID_ARGUMENT, TERRACE_DEADLINE.
terrace_code terrace_connect(const terrace_connect_options* options, terrace_store** store,
                             terrace_error* error);

// The namespace's root, the first link of its chains of keys. The first asks nobody; with the second tiers
// that survive restarts remember the fields. Errors: TERRACE_LIMIT_EXCEEDED.
terrace_code terrace_namespace_root(const terrace_namespace* fields, terrace_key* root, terrace_error* error);
terrace_code terrace_open_namespace(terrace_store* store, const terrace_namespace* fields, terrace_key* root,
                                    terrace_error* error);

// Keys of the whole blocks of `tokens`, each a family of one; a partial last block has none. `count` gets how
// many, token_count / block_tokens. Errors: TERRACE_INVALID_ARGUMENT when block_tokens is 0, or keys_max is
// less than that.
terrace_code terrace_block_keys(const terrace_key* root, const uint32_t* tokens, size_t token_count,
                                uint32_t block_tokens, terrace_key* keys, size_t keys_max, size_t* count,
                                terrace_error* error);

// Bytes that a key depends on beside its tokens, an image's hash for example.
typedef struct terrace_bytes {
  const void* data;
  size_t bytes;
} terrace_bytes;
// The family after `previous`, which is the root for the first block. `family` may be `previous`.
terrace_code terrace_next_family(const terrace_key* previous, const uint32_t* tokens, size_t token_count,
                                 const terrace_bytes* extra, size_t extra_count, terrace_key* family,
                                 terrace_error* error);
// A digest that an engine brings, 16 to 65,536 bytes, re-rooted. `weak`: it comes from a hash that is not
// cryptographic, and is refused unless `allow_weak`.
terrace_code terrace_family_of_digest(const terrace_key* root, const void* digest, size_t digest_bytes,
                                      bool weak, bool allow_weak, terrace_key* family, terrace_error* error);

// Where a block stands in its family: one shard of one KV group. All zero stands for a family of one, which
// is {0, 0, 1}.
typedef struct terrace_member {
  uint32_t group;
  uint32_t shard;  // below shards
  uint32_t shards;
} terrace_member;
// The key of a family's member; a NULL member is all zero. Stores are asked for these.
terrace_code terrace_member_key(const terrace_key* family, const terrace_member* member, terrace_key* key,
                                terrace_error* error);

// 64 lower-case hexadecimal digits; either case is read.
terrace_code terrace_key_to_hex(const terrace_key* key, char hex[TERRACE_HEX_BYTES], terrace_error* error);
terrace_code terrace_key_from_hex(const char* hex, terrace_key* key, terrace_error* error);

// ---- completions

// Of one store; as many as one likes. The store's memory stays until its queues are gone.
terrace_code terrace_make_queue(terrace_store* store, terrace_queue** queue, terrace_error* error);
// Events that come later are lost.
void terrace_queue_free(terrace_queue* queue);

typedef struct terrace_completion {
  terrace_key key;    // of a write; of a put's released
  uint64_t tag;       // as given to the operation
  const char* what;   // of a failed write; static
  terrace_code code;  // of a failed write
  int32_t sys_errno;
  uint16_t tier;  // 1 is the first one behind L1
  uint8_t kind;
  uint8_t status;
  uint8_t cause;
  uint8_t reserved[3];
} terrace_completion;

// Operations take a queue of their store and a tag; with NULL nobody wants their events. Each event comes
// exactly once, never inside the call that submitted the operation.

// Readable while events wait; edge and level both work. -1 where none can be had. Belongs to the queue.
int terrace_queue_fd(terrace_queue* queue);
// Takes up to events_max events; `count` gets how many, 0 at the timeout. With a timeout of 0 it never
// blocks.
terrace_code terrace_queue_wait(terrace_queue* queue, int64_t timeout_ns, terrace_completion* events,
                                size_t events_max, size_t* count, terrace_error* error);

// "backlog"; "none" for a number this library does not have. Static.
const char* terrace_drop_cause_name(uint8_t cause);

// ---- changes

// What changes in any tier from now on, in order, for routers and for engines that announce cached blocks. At
// most 65,536 changes wait to be read; what comes then is lost, and told so. A server that was away is a loss
// of an unknown number.
terrace_code terrace_subscribe(terrace_store* store, terrace_subscription** subscription,
                               terrace_error* error);
void terrace_subscription_free(terrace_subscription* subscription);

typedef struct terrace_change {
  terrace_key key, root;  // of a block; root all zero: nobody told its namespace
  uint64_t lost;          // of TERRACE_CHANGE_LOST: how many; 0 where nobody knows
  uint16_t tier;          // 0 is L1
  uint8_t kind;           // TERRACE_CHANGE_*
  uint8_t condition;      // of TERRACE_CHANGE_TIER_STATE: TERRACE_TIER_*
  uint8_t reserved[4];
} terrace_change;

// As terrace_queue_fd and terrace_queue_wait.
int terrace_subscription_fd(terrace_subscription* subscription);
terrace_code terrace_subscription_wait(terrace_subscription* subscription, int64_t timeout_ns,
                                       terrace_change* changes, size_t changes_max, size_t* count,
                                       terrace_error* error);

// ---- memory of the caller

// Memory that outlives its registration, for terrace_put and terrace_get_into. `region` is above 0. Not
// for a server, which cannot reach it (TERRACE_UNSUPPORTED). Errors: TERRACE_INVALID_ARGUMENT for no memory,
// or memory that overlaps a registered region.
terrace_code terrace_register_region(terrace_store* store, void* data, uint64_t bytes, uint64_t* region,
                                     terrace_error* error);
// The same, of the bytes [offset, offset + bytes) of a file in memory, which is mapped and its descriptor
// copied: what a server can transfer to and from as well. Errors: TERRACE_INVALID_ARGUMENT where the file
// ends before; TERRACE_PERMISSION for a file that could shrink: a memfd that is sealed against it, or may be
// sealed, is what it takes.
terrace_code terrace_register_shared_region(terrace_store* store, int fd, uint64_t offset, uint64_t bytes,
                                            uint64_t* region, terrace_error* error);
// Errors: TERRACE_NOT_FOUND; TERRACE_BUSY while an operation may touch the region.
terrace_code terrace_unregister_region(terrace_store* store, uint64_t region, terrace_error* error);

typedef struct terrace_slice {
  uint64_t region;
  uint64_t offset;
  uint64_t bytes;  // exactly the block's payload
} terrace_slice;

// ---- from the engine to Terrace

typedef struct terrace_block_spec {
  terrace_key key;        // of the member
  uint64_t bytes;         // of the payload, 1 to TERRACE_BLOCK_BYTES_MAX
  terrace_key family;     // all zero: a family of one whose family is not kept
  terrace_member member;  // all zero: a family of one
  uint32_t reserved;      // 0
} terrace_block_spec;

typedef struct terrace_reserve_request {
  size_t size;
  terrace_key root;                  // the namespace
  terrace_key parent;                // key before the first one; all zero at the head of a chain
  const terrace_block_spec* blocks;  // in order of the chain
  size_t count;                      // at most TERRACE_BATCH_MAX
} terrace_reserve_request;

// Buffers to fill. `outcomes` and `reservations` get one entry a block; a reservation is NULL where the
// outcome is not TERRACE_RESERVE_BUFFER. Errors: TERRACE_INVALID_ARGUMENT, TERRACE_LIMIT_EXCEEDED,
// TERRACE_NO_ARENA, TERRACE_CLOSED.
terrace_code terrace_reserve(terrace_store* store, const terrace_reserve_request* request, uint8_t* outcomes,
                             terrace_reservation** reservations, terrace_error* error);
// Waits for room, and for the credit that the writes need; at the timeout it answers as terrace_reserve.
terrace_code terrace_reserve_wait(terrace_store* store, const terrace_reserve_request* request,
                                  int64_t timeout_ns, uint8_t* outcomes, terrace_reservation** reservations,
                                  terrace_error* error);

// The buffer, private until it is committed; `bytes`, when it is given, gets the size that was asked for.
// NULL for NULL.
void* terrace_reservation_buffer(const terrace_reservation* reservation, uint64_t* bytes);
void terrace_reservation_abort(terrace_reservation* reservation);

// Publishes whole blocks at once, in order; NULLs are passed over. The reservations are taken, and NULL
// afterwards; those of a call that is refused are not (a reservation of another store, or named twice; a
// queue of another store). Events: a TERRACE_EVENT_WRITE for each block and tier, a
// TERRACE_EVENT_WRITE_BATCH.
terrace_code terrace_commit(terrace_store* store, terrace_reservation** reservations, size_t count,
                            terrace_queue* queue, uint64_t tag, terrace_error* error);

// Stores from registered memory, one slice a block. In L1 mode `cache` the bytes are copied into L1 inside
// the call. In `staging` and `off` they are written straight from slices that begin at a page
// (TERRACE_RESERVE_ACCEPTED): that memory is the caller's again at the key's TERRACE_EVENT_RELEASED. Other
// slices are copied in `staging` and refused in `off`.
terrace_code terrace_put(terrace_store* store, const terrace_reserve_request* request,
                         const terrace_slice* from, uint8_t* outcomes, terrace_queue* queue, uint64_t tag,
                         terrace_error* error);

// ---- from Terrace to the engine

// "evicted"; "unknown" for a number this library does not have. Static.
const char* terrace_miss_reason_name(uint8_t reason);

// How many of the first keys a get would deliver, from the index alone. `where` and `reasons` may be NULL, or
// get one entry a key: bit 0 L1, bit i tier i, 0 for a key that was not found; a TERRACE_MISS_*. With `pin`,
// what was found stays until the pin is released; it gets NULL when nothing was.
terrace_code terrace_lookup(terrace_store* store, const terrace_key* keys, size_t count, size_t* found,
                            uint16_t* where, uint8_t* reasons, terrace_pin** pin, terrace_error* error);
void terrace_pin_release(terrace_pin* pin);

// Also asks the tiers that others write too, and answers with what came within the timeout (which may be
// TERRACE_TIMEOUT_STORE). TERRACE_EVENT_RESULT when it is ready.
terrace_code terrace_lookup_async(terrace_store* store, const terrace_key* keys, size_t count,
                                  int64_t timeout_ns, terrace_queue* queue, uint64_t tag,
                                  terrace_lookup_operation** operation, terrace_error* error);
bool terrace_lookup_ready(const terrace_lookup_operation* operation);
// The answer, once; as terrace_lookup, with entries for all keys. Errors: TERRACE_BUSY before it is ready,
// TERRACE_NOT_FOUND after it was taken.
terrace_code terrace_lookup_take(terrace_lookup_operation* operation, size_t* found, uint16_t* where,
                                 uint8_t* reasons, terrace_error* error);
// Ends it early, with what came until now.
void terrace_lookup_cancel(terrace_lookup_operation* operation);
void terrace_lookup_free(terrace_lookup_operation* operation);

// How the blocks of families are spread: for each KV group its shards, and how far back it looks.
typedef struct terrace_family_group {
  uint32_t shards;  // at least 1; 1 also for KV that every rank holds alike
  uint32_t window;  // families a sliding window needs, counted back from the end of the prefix; 0: all
} terrace_family_group;
// As terrace_lookup, for families of several members: one counts only when all of its members are there, of
// groups with a window only those inside it. At most TERRACE_BATCH_MAX members in all.
terrace_code terrace_lookup_families(terrace_store* store, const terrace_key* families, size_t count,
                                     const terrace_family_group* groups, size_t group_count, size_t* found,
                                     uint8_t* reasons, terrace_error* error);
// Keys of the members that the prefix of these `count` families needs, group by group, shard by shard, each
// in order of the chain. `key_count` gets how many; with NULL for `keys` it only counts. Errors:
// TERRACE_INVALID_ARGUMENT when keys_max is less, TERRACE_LIMIT_EXCEEDED beyond TERRACE_BATCH_MAX.
terrace_code terrace_needed_members(const terrace_key* families, size_t count,
                                    const terrace_family_group* groups, size_t group_count, terrace_key* keys,
                                    size_t keys_max, size_t* key_count, terrace_error* error);

typedef struct terrace_get_options {
  size_t size;
  // What this prefetch brought is taken from it; in L1 mode `staging` nobody else can see that.
  const terrace_prefetch_ticket* ticket;
  uint32_t write_back;  // TERRACE_WRITE_BACK_*
  uint32_t reserved;    // 0
} terrace_get_options;

// The longest prefix that is there and verified, leased until it is released. Waits until it is loaded, to
// the timeout (which may be TERRACE_TIMEOUT_STORE). Errors: TERRACE_LIMIT_EXCEEDED, TERRACE_NO_ARENA,
// TERRACE_CLOSED.
terrace_code terrace_get(terrace_store* store, const terrace_key* keys, size_t count, int64_t timeout_ns,
                         const terrace_get_options* options, terrace_blocks** blocks, terrace_error* error);

typedef struct terrace_block {
  terrace_key key;
  const void* data;  // not to be written
  uint64_t bytes;
  uint32_t source;  // 0 L1, i tier i
  uint32_t reserved;
} terrace_block;
// The delivered blocks, those of the first keys; `count` gets how many. Valid until they are released.
const terrace_block* terrace_blocks_list(const terrace_blocks* blocks, size_t* count);
// A TERRACE_MISS_* for each key that was asked for; `count` gets how many. Valid until they are released.
const uint8_t* terrace_blocks_reasons(const terrace_blocks* blocks, size_t* count);
void terrace_blocks_release(terrace_blocks* blocks);

// The same without waiting. TERRACE_EVENT_RESULT when it is ready.
terrace_code terrace_get_async(terrace_store* store, const terrace_key* keys, size_t count,
                               int64_t timeout_ns, const terrace_get_options* options, terrace_queue* queue,
                               uint64_t tag, terrace_get_operation** operation, terrace_error* error);
bool terrace_get_ready(const terrace_get_operation* operation);
// The result, once. Errors: TERRACE_BUSY before it is ready, TERRACE_NOT_FOUND after it was taken.
terrace_code terrace_get_take(terrace_get_operation* operation, terrace_blocks** blocks,
                              terrace_error* error);
// Ends it early: what has not arrived is TERRACE_MISS_CANCELLED.
void terrace_get_cancel(terrace_get_operation* operation);
void terrace_get_free(terrace_get_operation* operation);

// Into registered memory, one slice a key, each of exactly the block's payload. TERRACE_EVENT_RESULT when the
// result is there, TERRACE_EVENT_RELEASED when no IO touches the memory any more.
terrace_code terrace_get_into(terrace_store* store, const terrace_key* keys, const terrace_slice* to,
                              size_t count, int64_t timeout_ns, const terrace_get_options* options,
                              terrace_queue* queue, uint64_t tag, terrace_into_operation** operation,
                              terrace_error* error);
bool terrace_into_ready(const terrace_into_operation* operation);
bool terrace_into_released(const terrace_into_operation* operation);
// Waits until the memory is the caller's again; `released` is false when the timeout came first.
terrace_code terrace_into_wait(const terrace_into_operation* operation, int64_t timeout_ns, bool* released,
                               terrace_error* error);
// How many of the first keys were delivered. `sources` and `reasons` may be NULL, or get one entry a key: 0
// L1, i tier i; a TERRACE_MISS_*. Errors: TERRACE_BUSY before it is ready.
terrace_code terrace_into_result(const terrace_into_operation* operation, size_t* delivered,
                                 uint16_t* sources, uint8_t* reasons, terrace_error* error);
void terrace_into_cancel(terrace_into_operation* operation);
// Cancels it. The memory is free only at TERRACE_EVENT_RELEASED, or when terrace_unregister_region is no
// longer TERRACE_BUSY.
void terrace_into_free(terrace_into_operation* operation);

typedef struct terrace_prefetch_options {
  size_t size;
  uint32_t policy;      // TERRACE_PREFETCH_*
  uint32_t write_back;  // TERRACE_WRITE_BACK_*
} terrace_prefetch_options;

// Loads what is not in L1. The ticket holds each arrived block until a get took it, it is released or ended,
// or `prefetch.hold` has passed. TERRACE_EVENT_RESULT when nothing more will arrive.
terrace_code terrace_prefetch(terrace_store* store, const terrace_key* keys, size_t count,
                              const terrace_prefetch_options* options, terrace_queue* queue, uint64_t tag,
                              terrace_prefetch_ticket** ticket, terrace_error* error);

typedef struct terrace_progress {
  uint64_t asked;
  uint64_t arrived;
  uint64_t failed;
  uint64_t ended;  // 1 when nothing more will arrive
} terrace_progress;
terrace_code terrace_prefetch_progress(const terrace_prefetch_ticket* ticket, terrace_progress* progress,
                                       terrace_error* error);
void terrace_prefetch_cancel(terrace_prefetch_ticket* ticket);   // and release
void terrace_prefetch_release(terrace_prefetch_ticket* ticket);  // lets go of what it holds
void terrace_prefetch_free(terrace_prefetch_ticket* ticket);     // cancels it

// ---- removal

// Gone from every lookup when it returns, also after kill -9; with `erase` the bytes are overwritten with
// zeros too. `removed`, when it is given, gets how many blocks were there.
terrace_code terrace_remove(terrace_store* store, const terrace_key* keys, size_t count, bool erase,
                            uint64_t* removed, terrace_error* error);

// What any of root, tenant_salt and all names; one at least.
typedef struct terrace_clear_scope {
  size_t size;
  const terrace_key* root;  // one namespace
  const char* tenant_salt;  // all namespaces of a tenant
  uint32_t all;             // 1: everything
  uint32_t erase;           // 1: overwrite the bytes with zeros too
} terrace_clear_scope;
terrace_code terrace_clear(terrace_store* store, const terrace_clear_scope* scope, uint64_t* removed,
                           terrace_error* error);

// ---- figures and quotas

// What `terrace stats --json` prints: an object with tiers, misses by reason, namespaces and tenants. Ended
// with terrace_text_free. Of a server that is away: without any of them.
terrace_code terrace_stats(terrace_store* store, char** json, terrace_error* error);
void terrace_text_free(char* text);

// How a tenant is named: SHA-256 of its salt in 64 hexadecimal digits. Namespaces without a salt are one
// tenant, whose name is "".
terrace_code terrace_tenant_name(const char* salt, char name[TERRACE_HEX_BYTES], terrace_error* error);

typedef struct terrace_tier_quota {
  const char* tier;  // its name
  uint64_t bytes;
} terrace_tier_quota;
// Bytes of records: payload, 4 KiB and what fills the last page. NULL: no limit.
typedef struct terrace_quota {
  size_t size;
  const uint64_t* l1;               // blocks in L1 and buffers reserved there
  const uint64_t* reserved;         // of L1: buffers reserved, in staging until their writes ended
  const uint64_t* leased;           // of L1: what is loading or leased and not kept; loads are refused
  const terrace_tier_quota* tiers;  // blocks there and on their way there; of others: no limit
  size_t tier_count;
} terrace_quota;
// How much a tenant may use from now on, in place of what was set before. `above`, when it is given, gets the
// bytes that it still has above that, which leave when leases and writes let them go. Errors:
// TERRACE_INVALID_ARGUMENT for what is no tenant's name, or a tier named twice; TERRACE_NOT_FOUND for a tier
// that there is not; TERRACE_PERMISSION for a server that another user runs, or that binds this session.
terrace_code terrace_set_quota(terrace_store* store, const char* tenant, const terrace_quota* quota,
                               uint64_t* above, terrace_error* error);

#ifdef __cplusplus
}
#endif
