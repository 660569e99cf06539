#include "corpus/read/html_furniture.h"

#include <algorithm>
#include <array>
#include <string>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// Longer lines are text, whatever they begin with; disclaimers are an exception.
constexpr size_t kLineCharsMax = 40;

// Without blanks and the marks around words, lower case.
std::string bare(std::string_view line) {
  std::string out;
  for (size_t at = 0; at < line.size() && out.size() < 400;) {
    const size_t from = at;
    const char32_t c = next_char(line, at);
    if (is_space(c) || c == U'>' || c == U'»' || c == U'|' || c == U'·' || c == U'•') continue;
    if (c < 0x80)
      out.push_back(static_cast<char>(fold_char(c)));
    else
      out += line.substr(from, at - from);
  }
  while (ends_with_any(out, {":", "：", "…", "."})) {
    size_t last = out.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(out[last]) & 0xC0) == 0x80) --last;
    out.resize(last);
  }
  return out;
}

template <size_t N>
bool begins_with(std::string_view line, const std::array<std::string_view, N>& heads) {
  return std::any_of(heads.begin(), heads.end(), [&](auto head) { return line.starts_with(head); });
}

template <size_t N>
bool is_one_of(std::string_view line, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), line) != words.end();
}

// "Nov. 19, 2019 8:03 am ET", "Published 11:11 PM EST Nov 19, 2019": an English date and little
// else. text: as bare() leaves it.
bool is_english_date(std::string_view text) {
  static constexpr auto kMonths = std::to_array<std::string_view>(
      {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"});
  constexpr size_t kDateCharsMax = 60;
  if (text.size() > kDateCharsMax) return false;
  const auto digits = std::count_if(text.begin(), text.end(),
                                    [](char c) { return is_digit(static_cast<unsigned char>(c)); });
  if (digits < 5 || digits * 5 < static_cast<long>(text.size())) return false;
  return std::any_of(kMonths.begin(), kMonths.end(),
                     [&](auto month) { return text.find(month) != text.npos; });
}

// A date or a time and nothing else but a few words around it.
bool is_date(std::string_view line) {
  int digits = 0, other = 0;
  bool mark = false;
  for (size_t at = 0; at < line.size();) {
    const char32_t c = next_char(line, at);
    if (is_digit(c))
      ++digits;
    else if (c == U':' || c == U'-' || c == U'/' || c == U'年' || c == U'月' || c == U'.')
      mark = true;
    else if (c != U'日' && c != U'时' && c != U'分' && c != U'秒')
      ++other;
  }
  return mark && digits >= 3 && digits <= 17 && other <= 6;
}

}  // namespace

bool is_furniture(std::string_view line) {
  static constexpr auto kNotices = std::to_array<std::string_view>(
      {"平台声明", "特别声明", "免责声明", "版权声明", "郑重声明", "声明：本文",
       "notice:thecontent", "以上内容为", "本文来自", "点击右上角", "请使用浏览器", "您的浏览器",
       "扫一扫", "微信扫一扫", "扫码", "打开app", "下载app"});
  static constexpr auto kHeads = std::to_array<std::string_view>(
      {"责任编辑", "责编",  "（责任编辑", "(责任编辑", "（责编",   "(责编",  "（编辑", "(编辑",
       "编辑：",   "编辑:", "分享到",     "分享至",    "返回搜狐", "上一篇", "下一篇", "正在阅读",
       "阅读原文", "广告",  "举报/反馈",  "语音播报",  "播报文章", "字号"});
  static constexpr auto kWords = std::to_array<std::string_view>(
      {"分享",      "收藏",     "点赞",          "关注",     "打印",     "举报",         "转发",
       "朋友圈",    "加载更多", "查看更多",      "展开全文", "阅读全文", "展开阅读全文", "查看原文",
       "返回顶部",  "返回",     "微信好友",      "qq空间",   "新浪微博", "微博",         "微信",
       "复制链接",  "取消",     "确定",          "登录",     "注册",     "发表评论",     "写评论",
       "share",     "print",    "advertisement", "save",     "follow",   "loadmore",     "readmore",
       "subscribe", "advert",   "comments",      "1comment", "reply",    "close"});
  // Without blanks, as bare() leaves them; lines of any length up to kEnglishCharsMax.
  static constexpr auto kEnglish = std::to_array<std::string_view>(
      {"readmore:",       "seemore:",      "seealso:",    "related:",      "[related:",
       "relatedpost:",    "relatedstory:", "alsoread:",   "readalso:",     "watch:",
       "alsoon",          "clickhere",     "followuson",  "likethisstory", "sharethis",
       "sharingiscaring", "signupfor",     "subscribeto", "getourdaily",   "joinour",
       "imagecaption",    "filephoto",     "photo:",      "image:",        "(image:",
       "(photo:",         "photocredit",   "filedunder",  "likethis:",     "likeloading",
       "leaveacomment",   "leaveareply",   "reportingby", "(reportingby",  "editingby",
       "thisslideshow",   "ourstandards:"});
  constexpr size_t kEnglishCharsMax = 160;
  const std::string text = bare(line);
  if (begins_with(std::string_view(text), kNotices) ||
      begins_with(std::string_view(text), kEnglish))
    return count_chars(text) <= kEnglishCharsMax;
  if (count_chars(text) > kLineCharsMax) return false;
  return begins_with(std::string_view(text), kHeads) || is_one_of(std::string_view(text), kWords);
}

bool is_byline(std::string_view line) {
  static constexpr auto kHeads = std::to_array<std::string_view>(
      {"来源",     "作者",     "文/",       "文：",  "发布于",     "发布时间", "发表于",
       "更新时间", "更新于",   "时间：",    "时间:", "浏览",       "阅读",     "点击",
       "来自",     "时长",     "原标题",    "评论",  "published",  "updated",  "lastupdated",
       "postedon", "postedby", "writtenby", "by:",   "readingtime"});
  const std::string text = bare(line);
  if (text.empty() || count_chars(text) > kLineCharsMax || text.find("。") != text.npos)
    return false;
  // "By Sherif Saed": bare() takes the blank away, so it is looked for in the line itself.
  const bool by_someone =
      text.starts_with("by") && line.size() > 2 && (line[2] == ' ' || line[2] == '\n');
  return is_date(text) || is_english_date(text) || by_someone || text == "by" ||
         begins_with(std::string_view(text), kHeads);
}

bool begins_other_articles(std::string_view line) {
  static constexpr auto kHeads = std::to_array<std::string_view>(
      {"相关阅读",      "相关推荐",      "相关新闻",        "相关文章",       "相关链接",
       "相关报道",      "相关资讯",      "相关内容",        "推荐阅读",       "延伸阅读",
       "热门推荐",      "猜你喜欢",      "精彩推荐",        "为你推荐",       "为您推荐",
       "更多推荐",      "更多新闻",      "更多精彩",        "更多文章",       "其他人也在看",
       "大家都在看",    "大家还在看",    "热门评论",        "最新评论",       "全部评论",
       "网友评论",      "精彩评论",      "评论列表",        "热门文章",       "热门新闻",
       "最新文章",      "最新新闻",      "热点新闻",        "今日热点",       "您可能感兴趣",
       "你可能感兴趣",  "你可能喜欢",    "relatedarticles", "relatedstories", "youmayalsolike",
       "relatednews",   "morefrom",      "morestories",     "moregreat",      "ourlatest",
       "lateststories", "mostpopular",   "mostread",        "readnext",       "topratedcomments",
       "youmightalso",  "recommendedfor"});
  constexpr size_t kHanCharsMax = 16, kLatinCharsMax = 32;
  const std::string text = bare(line);
  const size_t most =
      text.empty() || static_cast<unsigned char>(text[0]) >= 0x80 ? kHanCharsMax : kLatinCharsMax;
  return count_chars(text) <= most && begins_with(std::string_view(text), kHeads);
}

}  // namespace plinth::corpus
