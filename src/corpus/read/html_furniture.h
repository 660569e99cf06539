// Lines that belong to the page and not to the article: dates, sources, buttons, disclaimers, and
// the headings behind which other articles begin.
#pragma once

#include <string_view>

namespace plinth::corpus {

// "责任编辑：王一", "分享到微信", "Advertisement": wherever it stands.
bool is_furniture(std::string_view line);

// "2024-05-20 06:48", "来源：新华社", "关注": furniture between a title and its text, but perhaps
// the end of a letter elsewhere.
bool is_byline(std::string_view line);

// "相关阅读", "猜你喜欢", "Related articles": what follows is not this article.
bool begins_other_articles(std::string_view line);

}  // namespace plinth::corpus
