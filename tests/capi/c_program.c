/* What the compiler says of it is half of the test: C11, pedantic, the header first. */
#include <terrace/terrace.h>

#include "capi/c_program.h"

#include <string.h>

#define BLOCKS 3
#define BLOCK_TOKENS 4
#define BLOCK_BYTES 1000

_Static_assert(sizeof(terrace_key) == 32, "as it is on disk");
_Static_assert(sizeof(terrace_completion) == 64, "a cache line");
_Static_assert(sizeof(terrace_error) == 1024, "never changes");

static terrace_error error;

static const char* store_blocks(terrace_store* store, const terrace_key* root, const terrace_key* keys) {
  terrace_block_spec blocks[BLOCKS];
  uint8_t outcomes[BLOCKS];
  terrace_reservation* reservations[BLOCKS];
  terrace_reserve_request request = {
      .size = sizeof request, .root = *root, .blocks = blocks, .count = BLOCKS};
  memset(blocks, 0, sizeof blocks);
  for (int i = 0; i < BLOCKS; ++i) {
    blocks[i].key = keys[i];
    blocks[i].bytes = BLOCK_BYTES;
  }
  if (terrace_reserve(store, &request, outcomes, reservations, &error) != TERRACE_OK) return error.message;
  for (int i = 0; i < BLOCKS; ++i) {
    uint64_t bytes = 0;
    void* buffer = terrace_reservation_buffer(reservations[i], &bytes);
    if (outcomes[i] != TERRACE_RESERVE_BUFFER || bytes != BLOCK_BYTES) return "no buffer of this size";
    memset(buffer, 'a' + i, BLOCK_BYTES);
  }
  if (terrace_commit(store, reservations, BLOCKS, NULL, 0, &error) != TERRACE_OK) return error.message;
  return reservations[0] == NULL ? NULL : "a committed reservation is still there";
}

static const char* get_blocks(terrace_store* store, const terrace_key* keys) {
  terrace_blocks* blocks = NULL;
  size_t found = 0, count = 0;
  if (terrace_lookup(store, keys, BLOCKS, &found, NULL, NULL, NULL, &error) != TERRACE_OK)
    return error.message;
  if (found != BLOCKS) return "the lookup does not find all";
  if (terrace_get(store, keys, BLOCKS, TERRACE_TIMEOUT_STORE, NULL, &blocks, &error) != TERRACE_OK)
    return error.message;
  const terrace_block* list = terrace_blocks_list(blocks, &count);
  const char* wrong = count == BLOCKS ? NULL : "the get does not deliver all";
  for (size_t i = 0; i < count; ++i) {
    const char* bytes = list[i].data;
    if (list[i].bytes != BLOCK_BYTES || bytes[0] != (char)('a' + i) || bytes[BLOCK_BYTES - 1] != bytes[0])
      wrong = "the bytes are others";
  }
  terrace_blocks_release(blocks);
  return wrong;
}

const char* run_c_program(const char* yaml) {
  uint32_t tokens[BLOCKS * BLOCK_TOKENS + 1] = {0};
  const uint32_t block_tokens = BLOCK_TOKENS;
  terrace_namespace fields = {.size = sizeof fields, .model_id = "model", .block_tokens = &block_tokens};
  terrace_store* store = NULL;
  terrace_key root, keys[BLOCKS];
  size_t count = 0;
  const char* wrong = NULL;
  if (terrace_open_text(yaml, &store, &error) != TERRACE_OK) return error.message;
  if (terrace_open_namespace(store, &fields, &root, &error) != TERRACE_OK ||
      terrace_block_keys(&root, tokens, sizeof tokens / sizeof *tokens, BLOCK_TOKENS, keys, BLOCKS, &count,
                         &error) != TERRACE_OK)
    wrong = error.message;
  if (wrong == NULL && count != BLOCKS) wrong = "not as many keys as whole blocks";
  if (wrong == NULL) wrong = store_blocks(store, &root, keys);
  if (wrong == NULL) wrong = get_blocks(store, keys);
  terrace_store_free(store);
  return wrong;
}
