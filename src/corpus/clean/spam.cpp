#include "corpus/clean/spam.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

struct Category {
  std::string_view name;
  std::string_view words;  // separated by blanks
};

constexpr std::array kCategories = {
    Category{"gambling",
             "彩金 百家乐 老虎机 捕鱼 荷官 投注 下注 赌场 博彩 赌博 六合彩 时时彩 北京赛车 "
             "幸运飞艇 开奖 棋牌 返水 高赔率 赔率 "
             "稳赚不赔 回本 提现秒到 充多少送多少 首充 注册送 注册即送 送彩金 大转盘 私彩 彩票计划 "
             "包赢 必中 庄家 娱乐城 "
             "太阳城 葡京 金沙 威尼斯人 新葡京 体育投注 电子游艺 真人视讯 返利 豪礼 开户 大奖 内幕 "
             "特码 一肖 平台信誉"},
    Category{"loans",
             "无抵押 贷款 放款 当天放款 黑户 征信花 下款 秒批 秒到 套现 代还 花呗提取 提取 "
             "包装流水 低息 不看负债 不看征信 "
             "急用钱 额度高 利息低 信用卡代还 信用卡套现 网贷 口子 车辆抵押 不押车 公积金贷款 "
             "先息后本 随借随还 通过率 "
             "名额有限 凭身份证 免抵押 私人借款 短借 快速贷款 放心贷款 低息贷款 刷信用 养卡 提额"},
    Category{"pornography",
             "裸聊 约炮 激情视频 成人视频 成人电影 色情 无码 一夜情 同城约 上门服务小姐 援交 "
             "小姐上门 情色 黄色网站 "
             "成人网站 性爱 包夜 外围女 淫荡 骚妇 偷拍 艳照 AV女优 三级片 春药 催情"},
    Category{"forgery",
             "代开发票 开发票 增值税发票 办证 刻章 假证 办理各类 毕业证书 学历证书 代办文凭 "
             "真实可查 国网可查 买卖银行卡 "
             "收购银行卡 四件套 对公账户 出售身份证 迷药 枪支 仿真枪 窃听 监听卡 代孕 替考 代考 "
             "包过 论文代写 代写论文 "
             "代发论文 假币 跑分 洗钱"},
    Category{"bait",
             "哪家好 多少钱 十大品牌 排名 排行 厂家 批发 价格 加盟 代理 招商 免费下载 破解版 "
             "破解版下载 手机游戏下载 免费小说 "
             "免费电影 在线观看 高清无广告 减肥 美白 祛斑 植发 整形医院 留学中介 关键词排名 "
             "网站收录 外链代发 快排优化 "
             "快排 点击领取 点击进入 友情链接 网站优化 排名优化 刷流量 代刷 秒杀价 全网最低"},
    Category{"lures",
             "刷单 兼职 日结 日结工资 打字员 在家赚钱 月入过万 月入 轻松赚 躺赚 加微信 加我微信 "
             "添加微信 加QQ 扫码领取 扫码进群 "
             "免费领取 限时抢购 点击领取 先到先得 名额有限 立即申请 立即开户 马上加入 赶快加入 "
             "邀请好友 老玩家 "
             "带你赚 稳赚 高回报 零风险 无风险 保本 拉人头 财富自由 内部消息 客服在线 全天客服 "
             "牛股 荐股 跟单 带单 "
             "一夜暴富 天天返利"}};

constexpr size_t kPrefix = 6;  // two Han characters; the words begin so, or are shorter than that

// Words by their first six bytes: a hit on the prefix is compared in full.
class Words {
 public:
  struct Word {
    std::string_view text;
    int category = 0;
  };

  Words() {
    for (size_t c = 0; c < kCategories.size(); ++c) {
      std::string_view rest = kCategories[c].words;
      while (!rest.empty()) {
        const size_t space = std::min(rest.find(' '), rest.size());
        if (space > 0) add({rest.substr(0, space), static_cast<int>(c)});
        rest.remove_prefix(std::min(space + 1, rest.size()));
      }
    }
    for (auto& [key, list] : by_prefix_)
      std::stable_sort(list.begin(), list.end(),
                       [](const Word& a, const Word& b) { return a.text.size() > b.text.size(); });
  }

  // Calls body(word) for each occurrence that begins at text[at].
  template <typename Body>
  void match(std::string_view text, size_t at, Body&& body) const {
    if (text.size() - at < kPrefix) return;
    const uint64_t key = key_of(text.data() + at, text.size() - at);
    const size_t bit = bit_of(key);
    if ((maybe_[bit / 64] >> bit % 64 & 1) == 0) return;
    const auto list = by_prefix_.find(key);
    if (list == by_prefix_.end()) return;
    for (const Word& word : list->second)
      if (text.substr(at).starts_with(word.text)) body(word);
  }

 private:
  // The first six bytes.
  static uint64_t key_of(const char* at, size_t left) {
    constexpr uint64_t kSix = (uint64_t{1} << 8 * kPrefix) - 1;
    uint64_t key = 0;
    if (left >= sizeof key)
      std::memcpy(&key, at, sizeof key);
    else
      std::memcpy(&key, at, kPrefix);
    return key & kSix;
  }

  // One bit of 65,536, so that nearly every character of a text ends at it.
  static size_t bit_of(uint64_t key) { return key * 0x9E3779B97F4A7C15u >> 48; }

  void add(Word word) {
    if (word.text.size() < kPrefix) return;
    const uint64_t key = key_of(word.text.data(), kPrefix);
    maybe_[bit_of(key) / 64] |= uint64_t{1} << bit_of(key) % 64;
    by_prefix_[key].push_back(word);
  }

  std::array<uint64_t, 1024> maybe_{};
  std::unordered_map<uint64_t, std::vector<Word>> by_prefix_;
};

struct Tally {
  int64_t hits = 0;
  std::vector<std::string_view> distinct;
};

double category_score(const Tally& tally, int64_t chars) {
  if (tally.distinct.size() < 3) return 0;
  const double density =
      static_cast<double>(tally.hits) * 40.0 / static_cast<double>(std::max<int64_t>(chars, 60));
  return std::min(density, 3.0) * std::sqrt(static_cast<double>(tally.distinct.size()) / 6.0);
}

}  // namespace

SpamScore spam_score(std::string_view text) {
  static const Words words;
  std::array<Tally, kCategories.size()> tallies;
  int64_t chars = 0;
  for (size_t next = 0, at = 0; at < text.size(); at = next) {
    const auto byte = static_cast<unsigned char>(text[at]);
    // Text is valid UTF-8: the lead byte says how long the character is.
    next = at + (byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4);
    if ((byte & 0xC0) == 0x80 || byte <= ' ') continue;
    ++chars;
    if (byte < 0xE0 && byte != 'A') continue;  // words begin with Han, or with AV
    words.match(text, at, [&](const Words::Word& word) {
      Tally& tally = tallies[static_cast<size_t>(word.category)];
      ++tally.hits;
      if (std::find(tally.distinct.begin(), tally.distinct.end(), word.text) ==
          tally.distinct.end())
        tally.distinct.push_back(word.text);
    });
  }
  SpamScore out;
  double best = 0;
  for (size_t c = 0; c < tallies.size(); ++c) {
    const double score = category_score(tallies[c], chars);
    out.score += score;
    if (score <= best) continue;
    best = score;
    out.category = std::string(kCategories[c].name);
    out.words.clear();
    for (const auto word : tallies[c].distinct)
      if (out.words.size() < 8) out.words.emplace_back(word);
  }
  return out;
}

}  // namespace plinth::corpus
