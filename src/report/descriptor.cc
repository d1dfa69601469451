#include "report/descriptor.h"

#include <fmt/format.h>

namespace terrace::report {
namespace {

std::optional<std::string> text_of(const std::optional<uint32_t>& number) {
  return number ? std::optional(fmt::to_string(*number)) : std::nullopt;
}

}  // namespace

std::vector<DescriptorField> descriptor_fields(const Namespace& fields) {
  return {{"model_id", fields.model_id},
          {"model_fingerprint", fields.model_fingerprint},
          {"kv_dtype", fields.kv_dtype},
          {"layout_id", fields.layout_id},
          {"block_tokens", text_of(fields.block_tokens)},
          {"producer", fields.producer},
          {"producer_version", text_of(fields.producer_version)},
          {"adapter", fields.adapter},
          {"tenant_salt_sha256", fields.tenant_salt},
          {"groups", text_of(fields.groups)}};
}

std::vector<FieldDifference> differences(const Namespace& asked, const Namespace& stored) {
  const auto left = descriptor_fields(asked), right = descriptor_fields(stored);
  std::vector<FieldDifference> found;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].value != right[i].value) found.push_back({left[i].name, left[i].value, right[i].value});
  }
  return found;
}

}  // namespace terrace::report
