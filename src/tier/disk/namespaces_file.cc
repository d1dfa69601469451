#include "tier/disk/namespaces_file.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "base/checksum.h"

namespace terrace::tier::disk {
namespace {

constexpr uint32_t kAbsent = UINT32_MAX;

void put(std::vector<std::byte>& to, const void* from, size_t bytes) {
  const auto* first = static_cast<const std::byte*>(from);
  to.insert(to.end(), first, first + bytes);
}

void put_text(std::vector<std::byte>& to, const std::optional<std::string>& text) {
  const uint32_t length = text ? static_cast<uint32_t>(text->size()) : kAbsent;
  put(to, &length, sizeof length);
  if (text) put(to, text->data(), text->size());
}

void put_number(std::vector<std::byte>& to, const std::optional<uint32_t>& number) {
  const uint32_t length = number ? sizeof(uint32_t) : kAbsent;
  put(to, &length, sizeof length);
  if (number) put(to, &*number, sizeof *number);
}

// Reads fields in order; once something does not fit, everything after is refused.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::optional<std::string> text() {
    uint32_t length = 0;
    if (!take(&length, sizeof length) || length == kAbsent) return std::nullopt;
    if (length > rest_.size()) {
      good_ = false;
      return std::nullopt;
    }
    std::string value(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length);
    return value;
  }
  std::optional<uint32_t> number() {
    const auto value = text();
    if (!value) return std::nullopt;
    if (value->size() != sizeof(uint32_t)) {
      good_ = false;
      return std::nullopt;
    }
    return base::load_le<uint32_t>(value->data());
  }
  bool good() const { return good_; }

 private:
  bool take(void* to, size_t bytes) {
    if (!good_ || rest_.size() < bytes) return good_ = false;
    std::memcpy(to, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return true;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

uint64_t seed_of(const record::Secret& secret) {
  return base::xxh3_64(std::as_bytes(std::span(secret)));
}

bool is_digest(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<std::vector<std::byte>> encode_namespace(const KnownNamespace& known, const record::Secret& secret) {
  const Namespace& f = known.fields;
  if (f.tenant_salt && !is_digest(*f.tenant_salt)) {
    return fail(Code::kInvalidArgument,
                "a namespace is remembered with its salt's SHA-256 only, as 64 hex digits");
  }
  std::vector<std::byte> bytes(sizeof(NamespaceRecordHead));
  put_text(bytes, f.model_id);
  put_text(bytes, f.model_fingerprint);
  put_text(bytes, f.kv_dtype);
  put_text(bytes, f.layout_id);
  put_number(bytes, f.block_tokens);
  put_text(bytes, f.producer);
  put_number(bytes, f.producer_version);
  put_text(bytes, f.adapter);
  put_text(bytes, f.tenant_salt);
  put_number(bytes, f.groups);
  bytes.resize(base::round_up(bytes.size(), 8));
  NamespaceRecordHead head;
  head.bytes = static_cast<uint32_t>(bytes.size());
  head.root = known.root;
  std::memcpy(bytes.data(), &head, sizeof head);
  head.sum = base::xxh3_64(std::span<const std::byte>(bytes).subspan(16), seed_of(secret));
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

std::vector<KnownNamespace> decode_namespaces(std::span<const std::byte> bytes, const record::Secret& secret,
                                              uint64_t& whole_bytes) {
  std::vector<KnownNamespace> found;
  whole_bytes = 0;
  while (bytes.size() - whole_bytes >= sizeof(NamespaceRecordHead)) {
    const auto rest = bytes.subspan(whole_bytes);
    const auto head = base::load_le<NamespaceRecordHead>(rest.data());
    const bool in_range = head.magic == NamespaceRecordHead{}.magic && head.bytes % 8 == 0 &&
                          head.bytes >= sizeof head && head.bytes <= rest.size();
    if (!in_range || base::xxh3_64(rest.subspan(16, head.bytes - 16), seed_of(secret)) != head.sum) break;
    Fields fields(rest.subspan(sizeof head, head.bytes - sizeof head));
    KnownNamespace known{.root = head.root, .fields = {}, .known = true};
    Namespace& f = known.fields;
    f.model_id = fields.text();
    f.model_fingerprint = fields.text();
    f.kv_dtype = fields.text();
    f.layout_id = fields.text();
    f.block_tokens = fields.number();
    f.producer = fields.text();
    f.producer_version = fields.number();
    f.adapter = fields.text();
    f.tenant_salt = fields.text();
    f.groups = fields.number();
    if (!fields.good()) break;
    found.push_back(std::move(known));
    whole_bytes += head.bytes;
  }
  return found;
}

}  // namespace terrace::tier::disk
