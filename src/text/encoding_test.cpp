#include "text/encoding.h"

#include <unicode/ucnv.h>
#include <unicode/unistr.h>

#include <string>

#include <gtest/gtest.h>

#include "core/rng.h"
#include "text/plausibility.h"
#include "text/shared_data_test.h"
#include "text/unicode.h"

namespace plinth::text {
namespace {

std::string encode(const std::string& utf8, const char* icu_name) {
  UErrorCode error = U_ZERO_ERROR;
  const auto text = icu::UnicodeString::fromUTF8(utf8);
  std::string out(utf8.size() * 4 + 8, '\0');
  UConverter* converter = ucnv_open(icu_name, &error);
  const int32_t n = ucnv_fromUChars(converter, out.data(), static_cast<int32_t>(out.size()),
                                    text.getBuffer(), text.length(), &error);
  ucnv_close(converter);
  EXPECT_TRUE(U_SUCCESS(error)) << icu_name;
  out.resize(static_cast<size_t>(n));
  return out;
}

const char* const kSimplified[] = {
    "当事人一方不履行合同义务或者履行合同义务不符合约定的，应当承担继续履行、采取补救措施或者赔偿损"
    "失等违约责任。",
    "患者出现发热、咳嗽、乏力等症状，应当及时就医；医生根据检查结果给出诊断。",
    "2023年公司实现营业收入12,345.67万元，同比增长8.9%"
    "。\n设备运行温度不得超过85度，每500小时更换一次润滑油。",
    "把土豆切成丝，放入清水里浸泡十分钟，热锅凉油，大火快炒。",
    "如何使用 Python 读取文件？首先打开文件，然后读取内容。",
};

const char* const kTraditional[] = {
    "當事人一方不履行合同義務或者履行合同義務不符合約定的，應當承擔繼續履行、採取補救措施或者賠償損"
    "失等違約責任。",
    "患者出現發熱、咳嗽、乏力等症狀，應當及時就醫；醫生根據檢查結果給出診斷。",
    "臺北市政府今天宣布，將於明年開始實施新的交通管理辦法，請市民注意。",
};

void expect_detected(const std::string& bytes, Charset charset, const std::string& text) {
  const Decoded decoded = decode_text(bytes);
  EXPECT_EQ(charset_name(decoded.charset), charset_name(charset)) << text;
  EXPECT_EQ(decoded.text, text);
  EXPECT_EQ(decoded.bytes_replaced, 0);
}

TEST(Charset, IsFoundForChineseText) {
  for (const std::string text : kSimplified) {
    expect_detected(text, Charset::kUtf8, text);
    expect_detected(encode(text, "gb18030"), Charset::kGb18030, text);
    expect_detected(encode(text, "UTF-16LE"), Charset::kUtf16Le, text);
    expect_detected(encode(text, "UTF-16BE"), Charset::kUtf16Be, text);
  }
  for (const std::string text : kTraditional) {
    expect_detected(text, Charset::kUtf8, text);
    expect_detected(encode(text, "Big5"), Charset::kBig5, text);
    expect_detected(encode(text, "gb18030"), Charset::kGb18030, text);
    expect_detected(encode(text, "UTF-16LE"), Charset::kUtf16Le, text);
  }
}

// Every window of 16 characters that are all or mostly Chinese, in every charset.
TEST(Charset, SixteenCharactersAreEnough) {
  int windows = 0;
  const auto check = [&](const char* source, const char* name, Charset charset) {
    const auto text = icu::UnicodeString::fromUTF8(source);
    for (int32_t at = 0; at + 16 <= text.length(); ++at) {
      std::string window;
      text.tempSubString(at, 16).toUTF8String(window);
      if (count_characters(window).han < 10) continue;
      EXPECT_EQ(charset_name(detect_charset(encode(window, name)).charset), charset_name(charset))
          << window;
      ++windows;
    }
  };
  for (const char* text : kSimplified) {
    check(text, "UTF-8", Charset::kUtf8);
    check(text, "gb18030", Charset::kGb18030);
    check(text, "UTF-16LE", Charset::kUtf16Le);
    check(text, "UTF-16BE", Charset::kUtf16Be);
  }
  for (const char* text : kTraditional) {
    check(text, "Big5", Charset::kBig5);
    check(text, "gb18030", Charset::kGb18030);
  }
  EXPECT_GT(windows, 400);
}

TEST(Charset, IsFoundForLatinText) {
  const std::string french = "Le café était fermé à cause d'une grève générale, c'est très gênant.";
  const std::string german = "Die Größe der Straße ist für Fußgänger übermäßig groß, sagt Jürgen.";
  for (const std::string& text : {french, german}) {
    expect_detected(text, Charset::kUtf8, text);
    expect_detected(encode(text, "windows-1252"), Charset::kLatin1, text);
    expect_detected(encode(text, "UTF-16LE"), Charset::kUtf16Le, text);
  }
  expect_detected("plain ascii", Charset::kUtf8, "plain ascii");
  expect_detected(encode("plain ascii", "UTF-16BE"), Charset::kUtf16Be, "plain ascii");
  expect_detected("", Charset::kUtf8, "");
}

TEST(Charset, ByteOrderMarksDecideAndGo) {
  const std::string text = "你好";
  expect_detected("\xEF\xBB\xBF" + text, Charset::kUtf8, text);
  expect_detected("\xFF\xFE" + encode(text, "UTF-16LE"), Charset::kUtf16Le, text);
  expect_detected("\xFE\xFF" + encode(text, "UTF-16BE"), Charset::kUtf16Be, text);
  expect_detected("\x84\x31\x95\x33" + encode(text, "gb18030"), Charset::kGb18030, text);
}

TEST(Charset, ChineseFarBehindAsciiIsSeen) {
  const std::string text = std::string(200'001, 'x') + "\n" + kSimplified[0];
  expect_detected(encode(text, "gb18030"), Charset::kGb18030, text);
}

TEST(Charset, DamagedUtf8IsStillUtf8AndCounted) {
  std::string text = kSimplified[0];
  text.insert(30, "\xFF");
  const Decoded decoded = decode_text(text + "\xE4\xBD");
  EXPECT_EQ(decoded.charset, Charset::kUtf8);
  EXPECT_EQ(decoded.bytes_replaced, 3);
  EXPECT_TRUE(decoded.text.ends_with("。\uFFFD"));
}

TEST(Charset, AnyBytesGiveValidText) {
  Rng rng(6);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (uint64_t n = rng.below(300); n > 0; --n) bytes += static_cast<char>(rng.below(256));
    EXPECT_TRUE(is_valid_utf8(decode_text(bytes).text));
    EXPECT_TRUE(is_valid_utf8(repair_mojibake(decode_text(bytes).text).text));
  }
}

TEST(Mojibake, IsRepairedExactly) {
  for (const std::string text : kSimplified) {
    const Decoded as_latin1 = decode_as(text, Charset::kLatin1);
    EXPECT_EQ(repair_mojibake(as_latin1.text).found, Mojibake::kReadAsLatin1);
    EXPECT_EQ(repair_mojibake(as_latin1.text).text, text);
    const Decoded as_gb = decode_as(text, Charset::kGb18030);
    if (as_gb.bytes_replaced != 0) continue;  // an odd byte was lost for good
    EXPECT_EQ(repair_mojibake(as_gb.text).found, Mojibake::kReadAsGb18030) << as_gb.text;
    EXPECT_EQ(repair_mojibake(as_gb.text).text, text);
  }
  const Repair cafe = repair_mojibake("Le cafÃ© Ã©tait fermÃ©");
  EXPECT_EQ(cafe.text, "Le café était fermé");
}

TEST(Mojibake, GoodTextIsLeftAlone) {
  for (const std::string text : {"你好", "浣犲", "café", "Ã", "ASCII", "", "锟斤拷", "Ã©"}) {
    EXPECT_EQ(repair_mojibake(text).found, Mojibake::kNone) << text;
    EXPECT_EQ(repair_mojibake(text).text, text);
  }
  for (const std::string text : kSimplified)
    EXPECT_EQ(repair_mojibake(text).found, Mojibake::kNone);
  for (const std::string text : kTraditional)
    EXPECT_EQ(repair_mojibake(text).found, Mojibake::kNone);
}

TEST(Plausibility, RightReadingsCostLess) {
  EXPECT_LT(text_bits(std::string_view("合同的定义")),
            text_bits(std::string_view("鍚堝悓鐨勫畾涔")));
  EXPECT_LT(text_bits(std::string_view("的")), text_bits(std::string_view("犇")));
  EXPECT_EQ(text_bits(std::string_view("你好")), text_bits(std::u16string_view(u"你好")));
}

// Lines of real prose in each charset; the whole line or its first 16 characters.
TEST(Charset, RealLinesAreFound) {
  const std::string prose = shared_text("pretrain/modern_chinese_translations.txt.zst");
  PLINTH_SKIP_WITHOUT(prose, "pretrain/modern_chinese_translations.txt.zst");
  int lines = 0;
  int wrong = 0;
  for (size_t at = 0, step = prose.size() / 1500; at + step < prose.size(); at += step) {
    const size_t start = prose.find('\n', at) + 1;
    const size_t end = prose.find('\n', start);
    if (end == prose.npos) break;
    const auto text = icu::UnicodeString::fromUTF8(prose.substr(start, end - start));
    std::string line;
    text.tempSubString(0, 16).toUTF8String(line);
    if (text.length() < 16) continue;
    ++lines;
    if (detect_charset(encode(line, "gb18030")).charset != Charset::kGb18030) ++wrong;
    if (detect_charset(encode(line, "UTF-16LE")).charset != Charset::kUtf16Le) ++wrong;
    if (detect_charset(encode(line, "UTF-16BE")).charset != Charset::kUtf16Be) ++wrong;
    if (detect_charset(line).charset != Charset::kUtf8) ++wrong;
  }
  EXPECT_GT(lines, 500);
  EXPECT_EQ(wrong, 0) << "of " << 4 * lines;
}

}  // namespace
}  // namespace plinth::text
