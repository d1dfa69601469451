#include "base/bytes.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/duration.h"

namespace terrace::base {
namespace {

using testing::HasSubstr;

TEST(Bytes, rounding_keeps_multiples) {
  EXPECT_EQ(round_up(0, kPage), 0U);
  EXPECT_EQ(round_up(1, kPage), kPage);
  EXPECT_EQ(round_up(kPage, kPage), kPage);
  EXPECT_EQ(round_down(kPage + 1, kPage), kPage);
}

TEST(Bytes, integers_are_stored_little_endian_and_unaligned) {
  std::array<uint8_t, 9> bytes{};
  store_le(bytes.data() + 1, uint64_t{0x0102030405060708});
  EXPECT_EQ(bytes[1], 8);
  EXPECT_EQ(load_le<uint64_t>(bytes.data() + 1), 0x0102030405060708U);
}

TEST(Bytes, hex_is_lower_case_with_leading_zeros) {
  EXPECT_EQ(to_hex(std::array<uint8_t, 3>{0x00, 0x0A, 0xFF}), "000aff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(Bytes, C1_sizes_take_binary_and_decimal_units) {
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("12B").value(), 12U);
  EXPECT_EQ(parse_size("64k").value(), 65536U);
  EXPECT_EQ(parse_size("64kB").value(), 64000U);
  EXPECT_EQ(parse_size("8GiB").value(), 8 * kGiB);
  EXPECT_EQ(parse_size(" 512 MiB ").value(), 512 * kMiB);
  EXPECT_EQ(parse_size("1.5GB").value(), 1'500'000'000U);
  EXPECT_EQ(parse_size("1.5 gib").value(), kGiB + kGiB / 2);
  EXPECT_EQ(parse_size("0.000001T").value(), 1099511U);
  EXPECT_EQ(parse_size("2TiB").value(), 2048 * kGiB);
  EXPECT_EQ(parse_size("18446744073709551615").value(), UINT64_MAX);
}

TEST(Bytes, C1_a_bad_size_is_an_error_that_names_text_and_units) {
  for (const char* text : {"",
                           " ",
                           "GiB",
                           "-1",
                           "+1",
                           "1e9",
                           "0x10",
                           "1.",
                           ".5",
                           "1.5",
                           "1.5B",
                           "1.0000001G",
                           "1 GiB x",
                           "1,5GiB",
                           "1Gb/s",
                           "5PiB",
                           "5XiB",
                           "1GiBB",
                           "18446744073709551616",
                           "99999999999T"}) {
    const auto refused = parse_size(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().error.code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(std::string("'") + text + "'"));
    EXPECT_THAT(refused.error().message, HasSubstr("GiB"));
  }
}

TEST(Bytes, sizes_are_formatted_for_people_and_read_back) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(4096), "4 KiB");
  EXPECT_EQ(format_size(kGiB + kGiB / 2), "1.5 GiB");
  EXPECT_EQ(parse_size(format_size(3 * kMiB)).value(), 3 * kMiB);
}

TEST(Duration, C1_times_need_a_unit) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1.5 s").value(), 1500ms);
  EXPECT_EQ(parse_duration("20us").value(), 20us);
  EXPECT_EQ(parse_duration("7ns").value(), 7ns);
  EXPECT_EQ(parse_duration("2m").value(), 2min);
  EXPECT_EQ(parse_duration("0.5h").value(), 30min);
  EXPECT_EQ(parse_duration("0").value(), 0ns);
  for (const char* text : {"", "5", "-1s", "1.5ns", "1S", "1sec", "3000000h", "99999999999999999999s"})
    EXPECT_THAT(parse_duration(text).error().message, HasSubstr(std::string("'") + text + "'"));
}

TEST(Duration, times_are_formatted_for_people) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_duration(0ns), "0 s");
  EXPECT_EQ(format_duration(250ms), "250 ms");
  EXPECT_EQ(format_duration(1500ms), "1.5 s");
  EXPECT_EQ(format_duration(-2h), "-2 h");
  EXPECT_FALSE(format_duration(Duration::min()).empty());
}

}  // namespace
}  // namespace terrace::base
