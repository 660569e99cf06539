#!/usr/bin/env python3
"""Build the example firm under examples/firm/ (a lift maintenance company that does not exist).

Usage:
    pip install reportlab==5.1.0 python-docx==1.2.0  # for PDF and DOCX
    apt-get install fonts-wqy-microhei               # the font in the PDF files (or set FIRM_FONT)
    python3 tools/make_firm.py                       # (re)write raw/, exam.jsonl, planted.json, demo.json
    python3 tools/make_firm.py --check               # verify everything; exit status 1 on any failure
                                                     # (reads the PDF files with pdftotext, from poppler-utils)

How it works
    source/facts/*.tsv    tables of facts: one entity a row, one attribute a column
    source/phrases.txt    several wordings for every attribute (statement, FAQ question, exam question)
    source/rules.txt      single facts with their wordings and wrong values
    source/docs/*.txt     the documents as Markdown; "=== path | flag" starts one, and these are filled in:
        [[entity.attribute]]              the next wording of that fact
        {{each TABLE ATTRIBUTE -SKIP}}    one sentence per entity
        {{faq TABLE ATTRIBUTE}}           question and answer pairs
        {{faq2 TABLE ATTRIBUTE}}          the same with the second wording of the question
        {{faqrule KEY ...}}               the same for rules
        {{profile TABLE ENTITY}}          every fact of one entity, as running text
        {{table TABLE ENTITY}}, {{table 规则 KEY ...}}   a table
        {{rules}}                         one sentence per rule
        {{id 0}} {{phone 0}} {{bank 0}} {{badid 0}} {{badphone 0}} {{badbank 0}} {{email 0}} {{landline 0}}
No value is typed twice, so the documents cannot contradict one another or the exam.
The output is a pure function of source/ and this file: no clock, no random state.
"""
import csv
import datetime
import html
import io
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples", "firm")
SOURCE = os.path.join(ROOT, "source")
TABLES = {"机型": "models", "项目": "sites", "备件": "parts", "部门": "depts", "事件": "incidents"}
FIXED_DATE = datetime.datetime(2026, 3, 1, 9, 0, 0)

# ---------------------------------------------------------------------------------------------
# Planted personal data.  All invented: identity numbers have the sequence 000 that is never
# issued, mobile and card numbers are mostly zeros.


def id_check_char(first17):
    """The check character of GB 11643."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(c) * w for c, w in zip(first17, weights)) % 11]


def id_ok(s):
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", s) or id_check_char(s[:17]) != s[17]:
        return False
    try:
        return 1900 <= datetime.date(int(s[6:10]), int(s[10:12]), int(s[12:14])).year <= 2026
    except ValueError:
        return False


def luhn_ok(s):
    total = 0
    for i, c in enumerate(reversed(s)):
        d = int(c) * (2 if i % 2 else 1)
        total += d - 9 if d > 9 else d
    return total % 10 == 0


def make_id(first14):
    first17 = first14 + "000"
    return first17 + id_check_char(first17)


def make_card(prefix):
    return next(prefix + str(d) for d in range(10) if luhn_ok(prefix + str(d)))


def off_by_one(s, step=1):
    """The same number with a wrong last character."""
    last = "0123456789".index(s[-1]) if s[-1] != "X" else 4
    return s[:-1] + str((last + step) % 10)


IDS = [make_id(p) for p in ("11010119870315", "31011519900725", "33010619851113", "35020319930418",
                            "44030519881230", "51010719950214", "32050819910611", "42011119860925")]
BAD_IDS = [off_by_one(make_id("11010519890317")),          # check character
           make_id("33020319900230"),                      # 30 February
           off_by_one(make_id("35010219920711"), 2),       # check character
           make_id("44010619871305"),                      # month 13
           off_by_one(make_id("51010419940822"), 3),       # check character
           make_id("32010619910229")]                      # 29 February of a common year
PHONES = ["13800001042", "13900002153", "13600003264", "15800004375", "18600005486", "17700006597",
          "13500007608", "15900008719", "18800009820", "19900000931", "13700001742", "18900002853"]
BAD_PHONES = ["138000010425", "12500003176", "1380000246", "13900002468135"]
CARDS = [make_card(p) for p in ("622202000000001037", "621700000000002148", "622588000000325",
                                "622848000000004369", "621226000000005470")]
BAD_CARDS = [off_by_one(make_card(p)) for p in ("622202000000006581", "621700000000007692",
                                                "622588000000870", "622848000000009814")]
EMAILS = ["shop@hengyu-lift.example", "zeng.lou@mail.example", "cheng.yewei@mail.example"]
LANDLINES = ["0590-8800301", "0590-8800416", "0590-8800527"]
PLANTED_VALUES = {"id": ("id_card", IDS), "badid": ("id_card_near_miss", BAD_IDS),
                  "phone": ("phone", PHONES), "badphone": ("phone_near_miss", BAD_PHONES),
                  "bank": ("bank_card", CARDS), "badbank": ("bank_card_near_miss", BAD_CARDS),
                  "email": ("email", EMAILS), "landline": ("landline", LANDLINES)}

# Copies: (original, copy, encoding of the copy or None for a byte copy).
EXACT = [("手册/澜启T6维护手册.md", "备份/澜启T6维护手册 - 副本.md", None),
         ("制度/安全生产奖惩制度.docx", "备份/奖惩制度(2).docx", None),
         ("培训/机型参数速记讲义二.pdf", "备份/讲义二打印版.pdf", None),
         ("事故报告/SG-2509_三院停梯.txt", "备份/三院停梯_旧系统导出.txt", "gb18030"),
         ("会议纪要/2026年一月班组长会.txt", "值班/班组长会纪要(副本).txt", None)]
NEAR = [("手册/岚升M2维护手册.md", "备份/岚升M2维护手册_修订.md"),
        ("事故报告/SG-2513_橘洲夹人.md", "培训/橘洲夹人案例_节选.md"),
        ("制度/培训与持证管理制度.md", "备份/培训与持证管理制度_征求意见稿.md"),
        ("事故报告/SG-2527_海棠新城溜梯.md", "备份/海棠新城溜梯_报街道版.md"),
        ("会议纪要/2025年第三季度经营会.txt", "备份/经营会纪要_初稿.txt"),
        ("手册/砚阶E4维护手册.md", "备份/砚阶E4维护手册_旧版.md")]
NEAR_LOW, NEAR_HIGH, OTHERS_BELOW = 0.86, 0.97, 0.60
# Harmless rewordings, applied one occurrence at a time until a copy is different enough.
EDITS = [("应当", "应"), ("必须", "务必"), ("以后", "之后"), ("马上", "立刻"), ("因此", "所以"),
         ("住户", "业主"), ("需要", "须"), ("不要", "不可"), ("每次", "每回"), ("检查", "查看"),
         ("全部", "一律"), ("没有", "未"), ("自己", "自行"), ("提出", "提议"), ("负责", "主责"),
         ("安排", "布置"), ("容易", "易"), ("两人", "二人"), ("作业", "施工")]
EDIT_TARGET = 0.935

BOILERPLATE = ["设为首页", "加入收藏", "您当前的位置", "官方微信扫一扫", "限时优惠：签约三年送半年保养",
               "立即领取优惠券", "猜你喜欢", "十大放心维保企业评选火热投票中", "分享到朋友圈",
               "返回顶部", "友情链接：澜州物业网", "版权所有 恒屿电梯维保有限公司", "澜网备二〇一九零七号",
               "网站技术支持：浮灯网络"]
PAGE = """<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="{charset}"><title>{title}</title>
<style>.ad{{color:#c00}} nav a{{margin:4px}}</style>
<script>var tracker = "hm"; function top(){{window.scrollTo(0,0);}}</script></head>
<body>
<div class="topbar"><a href="#">设为首页</a> <a href="#">加入收藏</a></div>
<nav><ul><li><a href="index.html">首页</a></li><li><a href="service.html">服务</a></li><li><a href="case.html">案例</a></li><li><a href="shop.html">商城</a></li><li><a href="news.html">新闻</a></li></ul></nav>
<div class="crumb">您当前的位置 &gt; <a href="index.html">首页</a> &gt; 正文</div>
<div class="ad"><a href="#">限时优惠：签约三年送半年保养</a> <a href="#">立即领取优惠券</a></div>
<main><article>
{body}
</article></main>
<aside><h3>猜你喜欢</h3><ul><li><a href="#">十大放心维保企业评选火热投票中</a></li></ul><p>官方微信扫一扫</p></aside>
<div class="share"><a href="#">分享到朋友圈</a> <a href="#" onclick="top()">返回顶部</a></div>
<footer><p>友情链接：澜州物业网</p><p>版权所有 恒屿电梯维保有限公司 &nbsp; 澜网备二〇一九零七号</p><p>网站技术支持：浮灯网络</p></footer>
</body></html>
"""
BARE_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title></head>
<body>
{body}
</body></html>
"""

# ---------------------------------------------------------------------------------------------
# Facts


class Fact:
    def __init__(self, table, entity, attr, value, says, faqs, asks, wrong=None):
        self.table, self.entity, self.attr, self.value = table, entity, attr, value
        self.says = [s.format(e=entity, v=value) for s in says]
        self.faqs = [s.format(e=entity, v=value) for s in faqs]
        self.asks = [s.format(e=entity, v=value) for s in asks]
        self.wrong = wrong or []          # given wrong values (rules only)
        self.used = 0                     # statements given out so far
        self.files = []                   # documents that state it, in order

    @property
    def key(self):
        return f"{self.entity}.{self.attr}"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def parse_wordings(text):
    """Sections '[head] tail' with lines '= ', '? ' and '! '."""
    sections, cur = {}, None
    for line in text.splitlines():
        m = re.match(r"\[(.+?)\]\s*(.*)", line)
        if m:
            cur = sections[m.group(1)] = {"tail": m.group(2), "=": [], "?": [], "!": []}
        elif line[:2] in ("= ", "? ", "! "):
            cur[line[0]].append(line[2:])
    return sections


class FactBase:
    def __init__(self):
        self.facts, self.columns, self.rows = {}, {}, {}
        words = parse_wordings(read(os.path.join(SOURCE, "phrases.txt")))
        for table, name in TABLES.items():
            lines = [l.split("\t") for l in read(os.path.join(SOURCE, "facts", name + ".tsv")).splitlines()]
            self.columns[table], self.rows[table] = lines[0][1:], [l[0] for l in lines[1:]]
            for n, row in enumerate(lines[1:]):
                for attr, value in zip(lines[0][1:], row[1:]):
                    w = words[f"{table}.{attr}"]
                    turn = n % len(w["="])    # neighbours start with different wordings
                    self.add(Fact(table, row[0], attr, value, w["="][turn:] + w["="][:turn], w["?"], w["!"]))
        for head, w in parse_wordings(read(os.path.join(SOURCE, "rules.txt"))).items():
            entity, attr = head.split(".")
            value, *wrong = [x.strip() for x in w["tail"].split("|")]
            self.add(Fact("规则", entity, attr, value, w["="], w["?"], w["!"], wrong))

    def add(self, fact):
        assert fact.key not in self.facts, fact.key
        self.facts[fact.key] = fact

    def say(self, key, path):
        f = self.facts[key]
        f.used += 1
        f.files.append(path)
        return f.says[(f.used - 1) % len(f.says)]

    def mention(self, key, path):
        self.facts[key].files.append(path)
        return self.facts[key]


# ---------------------------------------------------------------------------------------------
# Documents


class Doc:
    def __init__(self, path, flag, body):
        self.path, self.flag, self.body = path, flag, body    # body: Markdown lines

    @property
    def ext(self):
        return self.path.rsplit(".", 1)[1]


def inspection(args, fb, path):
    """The measured part of an inspection report; differs between sites in values and order."""
    site, date, who, temp, noise, lux = args
    model = fb.facts[f"{site}.主用机型"].value
    n = fb.rows["项目"].index(site)
    say = lambda key: fb.say(key, path) + "。"
    site_lines = [say(f"{site}.{a}") for a in ("主用机型", "电梯台数", "驻点负责人", "项目编号", "年检月份")]
    columns = fb.columns["机型"]
    picks = [columns[(n * 5 + k * 4 + k * k) % len(columns)] for k in range(4)]
    model_lines = [say(f"{model}.{a}") for a in dict.fromkeys(picks)]
    measured = [f"机房内测得{temp}度", f"轿内噪声测得{noise}分贝", f"轿厢地板照度测得{lux}勒克斯"]
    r = n % 3
    joiner = ("；", "，", "、")[r]
    env = joiner.join(measured[r:] + measured[:r]) + "。"
    head = (f"{site}巡检报告", f"关于{site}的巡检报告", f"巡检报告：{site}")[r]
    when = (f"日期：{date}　巡检人：{who}", f"{who}于{date}到场巡检", f"巡检人{who}，{date}完成")[(n // 3) % 3]
    k = n % 5
    lines = site_lines[k:] + site_lines[:k]
    return [head, when] + lines[:3] + ["现场标准核对"] + model_lines + [env] + lines[3:] + ["现场情况与建议"]


def expand(fb, doc):
    """Fill in the macros; returns Markdown lines."""
    out, path, md = [], doc.path, doc.ext != "txt"
    bullet = "- " if md else ""

    def inline(line):
        line = re.sub(r"\[\[(.+?)\]\]", lambda m: fb.say(m.group(1), path), line)
        return re.sub(r"\{\{(\w+) (\d+)\}\}", lambda m: PLANTED_VALUES[m.group(1)][1][int(m.group(2))], line)

    for line in doc.body:
        m = re.fullmatch(r"\{\{(each|profile|faq|faq2|faqrule|table) (.+?)\}\}", line)
        if line.startswith("@inspect "):
            out += inspection(line.split()[1:], fb, path)
        elif line == "{{rules}}":
            out += [bullet + fb.say(k, path) + "。" for k, f in fb.facts.items() if f.table == "规则"]
        elif not m:
            out.append(inline(line))
        elif m.group(1) == "each":
            table, attr, *skip = m.group(2).split()
            rows = [e for e in fb.rows[table] if "-" + e not in skip]
            turn = len(path) % len(rows)
            out += [bullet + fb.say(f"{e}.{attr}", path) + "。" for e in rows[turn:] + rows[:turn]]
        elif m.group(1) == "profile":
            table, entity = m.group(2).split()
            attrs = fb.columns[table]
            turn = fb.rows[table].index(entity) * 5 % len(attrs)
            said = [fb.say(f"{entity}.{a}", path) + "。" for a in attrs[turn:] + attrs[:turn]]
            out += ["".join(said[i:i + 4]) for i in range(0, len(said), 4)]
        elif m.group(1) == "table":
            table, *keys = m.group(2).split()
            if table != "规则":
                keys = [f"{keys[0]}.{a}" for a in fb.columns[table]]
            out.append("| 对象 | 项目 | 数值 |")
            out.append("| --- | --- | --- |")
            for key in keys:
                f = fb.mention(key, path)
                out.append(f"| {f.entity} | {f.attr} | {f.value} |")
        else:
            keys = m.group(2).split()
            which = 1 if m.group(1) == "faq2" else 0
            if m.group(1) != "faqrule":
                keys = [f"{e}.{keys[1]}" for e in fb.rows[keys[0]]]
            for key in keys:
                f = fb.facts[key]
                out += ["问：" + f.faqs[which], "答：" + fb.say(key, path) + "。", ""]
    return out


def load_docs(fb):
    docs = []
    folder = os.path.join(SOURCE, "docs")
    for name in sorted(os.listdir(folder)):
        for part in re.split(r"^=== ", read(os.path.join(folder, name)), flags=re.M)[1:]:
            head, body = part.split("\n", 1)
            path, _, flag = (x.strip() for x in head.partition("|"))
            doc = Doc(path, flag, body.rstrip("\n").split("\n"))
            doc.body = expand(fb, doc)
            while doc.body and not doc.body[-1]:
                doc.body.pop()
            docs.append(doc)
    return docs


def csv_docs(fb):
    def table_csv(table, path):
        rows = [[table] + fb.columns[table]]
        for e in fb.rows[table]:
            rows.append([e] + [fb.mention(f"{e}.{a}", path).value for a in fb.columns[table]])
        return rows

    rules = [["事项", "内容", "数值"]]
    for f in fb.facts.values():
        if f.table == "规则":
            rules.append([f.entity, f.attr, fb.mention(f.key, "制度/制度数值速查表.csv").value])
    files = {"价目/备件价目与库存表.csv": table_csv("备件", "价目/备件价目与库存表.csv"),
             "合同/项目合同台账.csv": table_csv("项目", "合同/项目合同台账.csv"),
             "手册/机型参数总表.csv": table_csv("机型", "手册/机型参数总表.csv"),
             "通讯录/部门通讯录.csv": table_csv("部门", "通讯录/部门通讯录.csv"),
             "制度/制度数值速查表.csv": rules}
    out = {}
    for path, rows in files.items():
        buf = io.StringIO()
        csv.writer(buf, lineterminator="\n").writerows(rows)
        out[path] = buf.getvalue()
    return out


# ---------------------------------------------------------------------------------------------
# Rendering


def heading(line):
    m = re.match(r"(#+) (.*)", line)
    return (len(m.group(1)), m.group(2)) if m else (0, line)


def to_text(lines):
    return "\n".join(lines) + "\n"


def damage(lines):
    """UTF-8 bytes read as GB18030.  A line with an odd number of characters does not survive
    that, so such a line is changed a little first."""
    out, failed = [], []
    for line in lines:
        stem = line.rstrip("。")
        for candidate in (line, stem, stem + "！", "再者，" + line, "再者，" + stem, stem + "……", "还有，" + stem + "……"):
            try:
                bad = candidate.encode("utf-8").decode("gb18030")
            except UnicodeDecodeError:
                continue
            if bad.encode("gb18030") == candidate.encode("utf-8"):
                out.append(bad)
                break
        else:
            failed.append(line)
    if failed:
        raise SystemExit("cannot be damaged reversibly, reword:\n" + "\n".join(failed))
    return out


def to_html(doc):
    body, in_list = [], False
    for line in doc.body:
        level, text = heading(line)
        is_item = text.startswith("- ")
        if is_item != in_list:
            body.append("<ul>" if is_item else "</ul>")
            in_list = is_item
        text = html.escape(text[2:] if is_item else text)
        if text:
            body.append(f"<h{level}>{text}</h{level}>" if level else f"<li>{text}</li>" if is_item else f"<p>{text}</p>")
    if in_list:
        body.append("</ul>")
    title = heading(doc.body[0])[1][:30]
    charset = "gbk" if doc.flag == "gbk" else "utf-8"
    page = BARE_PAGE if doc.flag == "spam" else PAGE
    return page.format(title=html.escape(title), body="\n".join(body), charset=charset).encode(charset)


def chinese_font():
    """The font file for PDF: $FIRM_FONT, or WenQuanYi Micro Hei where the package puts it."""
    for path in (os.environ.get("FIRM_FONT", ""), "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"):
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("install fonts-wqy-microhei, or point FIRM_FONT to wqy-microhei.ttc")


def to_pdf(doc):
    from reportlab.lib.enums import TA_LEFT
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    # Embedded, so that the text comes out without a CJK language pack on the reader's side.
    pdfmetrics.registerFont(TTFont("Chinese", chinese_font()))
    style = lambda n, size, gap: ParagraphStyle(n, fontName="Chinese", fontSize=size, leading=size * 1.6,
                                                spaceBefore=gap, wordWrap="CJK", alignment=TA_LEFT)
    styles = {1: style("h1", 17, 0), 2: style("h2", 13.5, 8), 0: style("p", 10.5, 3)}
    flow = []
    for line in doc.body:
        level, text = heading(line)
        if text:
            flow.append(Paragraph(html.escape(text[2:] if text.startswith("- ") else text), styles[min(level, 2)]))
    buf = io.BytesIO()
    SimpleDocTemplate(buf, pagesize=A4, title=heading(doc.body[0])[1], author="恒屿电梯维保有限公司",
                      invariant=1).build(flow)
    return buf.getvalue()


def to_docx(doc):
    import docx

    d = docx.Document()
    p = d.core_properties
    p.author = p.last_modified_by = "恒屿电梯维保有限公司"
    p.title, p.comments, p.created, p.modified, p.revision = heading(doc.body[0])[1], "", FIXED_DATE, FIXED_DATE, 1
    rows = []

    def flush():
        if rows:
            t = d.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
            for r in rows:
                for cell, text in zip(t.add_row().cells, r):
                    cell.text = text
            rows.clear()

    for line in doc.body:
        if line.startswith("|"):
            if "---" not in line:
                rows.append([c.strip() for c in line.strip("|").split("|")])
            continue
        flush()
        level, text = heading(line)
        if level:
            d.add_heading(text, level)
        elif text.startswith("- "):
            d.add_paragraph(text[2:], style="List Bullet")
        elif text:
            d.add_paragraph(text)
    flush()
    raw = io.BytesIO()
    d.save(raw)
    # Write the archive again with a fixed date on every member.
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as src, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as dst:
        for item in src.infolist():
            info = zipfile.ZipInfo(item.filename, FIXED_DATE.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            dst.writestr(info, src.read(item.filename))
    return out.getvalue()


def render(doc):
    if doc.ext == "html":
        return to_html(doc)
    if doc.ext == "pdf":
        return to_pdf(doc)
    if doc.ext == "docx":
        return to_docx(doc)
    if doc.flag == "mojibake":
        return to_text(damage(doc.body)).encode("utf-8")
    if doc.flag == "gb18030":
        return to_text(doc.body).replace("\n", "\r\n").encode("gb18030")
    return to_text(doc.body).encode("utf-8")


# ---------------------------------------------------------------------------------------------
# Near-duplicates


def grams(text, n=5):
    text = re.sub(r"\s+", "", text)
    return {text[i:i + n] for i in range(len(text) - n + 1)}


def jaccard(a, b):
    return len(a & b) / len(a | b) if a or b else 0.0


def lightly_edited(text, values):
    """Replace words here and there, never inside a line's stated values, until the copy is
    different enough."""
    base, head = grams(text), text.split("\n", 1)
    out = head[0] + "\n（本件经整理，文字略有改动）\n" + head[1]
    for n in itertools.count():
        changed = False
        for old, new in EDITS:
            at = [m.start() for m in re.finditer(old, out)]
            at = [i for i in at if not any(old in v for v in values if v in out[max(0, i - 12):i + 12])]
            if not at:
                continue
            i = at[(n * 7 + len(old)) % len(at)]
            out = out[:i] + new + out[i + len(old):]
            changed = True
            if jaccard(base, grams(out)) <= EDIT_TARGET:
                return out
        if not changed:
            return out


# ---------------------------------------------------------------------------------------------
# Exam

QUOTA = {  # table -> (choice, short, attributes allowed)
    "机型": (46, 12, None),
    "项目": (22, 7, None),
    "备件": (14, 4, None),
    "部门": (6, 3, ("分机号", "负责人")),
    "规则": (18, 6, None),
    "事件": (10, 4, ("停梯时长", "主要责任人", "扣款金额", "发生日期", "报告编号"))}
# For these the values of other entities would give the answer away (a school has few lifts),
# so the wrong values are other numbers of about the same size.
NEARBY = {"电梯台数", "年度维保费", "单价", "安全库存", "停梯时长", "扣款金额"}
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def compact(text):
    return re.sub(r"[^0-9A-Za-z\u3400-\u9fff]", "", text)


def overlaps(text, runs, n=13):
    t = compact(text)
    return any(t[i:i + n] in runs for i in range(len(t) - n + 1))


def all_runs(texts, n=13):
    runs = set()
    for t in map(compact, texts):
        runs.update(t[i:i + n] for i in range(len(t) - n + 1))
    return runs


def number_in(value):
    found = NUMBER.findall(value)
    return float(found[0]) if len(found) == 1 else None


def nearby_numbers(value, rank, rng):
    """Three wrong values of similar size and roundness, `rank` of them below the right one."""
    text = NUMBER.search(value).group()
    decimals = len(text.split(".")[1]) if "." in text else 0
    unit = 10 ** -decimals
    whole = round(float(text) / unit)
    grain = next((g for g in (1000, 500, 100, 50, 20, 10, 5) if whole % g == 0 and whole > g), 1)

    def fits(n):
        return n > 0 and n % grain == 0 and (grain > 1 or whole < 20 or n % 5) and n != whole

    span = max(4 * grain, round(whole * 0.6))
    low = [n for n in range(max(1, whole - span), whole) if fits(n)]
    high = [n for n in range(whole + 1, whole + span + 1) if fits(n)]
    same = lambda ns: [n for n in ns if len(str(n)) == len(str(whole))] or ns
    low, high = (same(low) if len(same(low)) >= 3 else low), (same(high) if len(same(high)) >= 3 else high)
    rank = max(min(rank, len(low)), 3 - len(high))
    picks = rng.sample(low, rank) + rng.sample(high, 3 - rank)
    return [NUMBER.sub(f"{n * unit:.{decimals}f}", value, count=1) for n in picks]


def pool_values(fb, fact, rank, rng):
    """Three values that other entities have for the same attribute."""
    pool = sorted({f.value for f in fb.facts.values() if f.table == fact.table and f.attr == fact.attr} - {fact.value})
    gold = number_in(fact.value)
    if gold is not None and all(number_in(v) is not None for v in pool):
        low = [v for v in pool if number_in(v) < gold]
        high = [v for v in pool if number_in(v) > gold]
        rank = max(min(rank, len(low)), 3 - len(high))
        return rng.sample(low, rank) + rng.sample(high, 3 - rank)
    return rng.sample(pool, 3)


def make_exam(fb, texts):
    rng = random.Random(20260301)
    copies = {c for _, c, _ in EXACT} | {c for _, c in NEAR}
    runs = all_runs(t for p, t in texts.items())
    choice, short = [], []
    for table, (n_choice, n_short, attrs) in QUOTA.items():
        # Take the attributes in turn so that all of them are asked.
        by_attr = defaultdict(list)
        for f in fb.facts.values():
            stated = [p for p in dict.fromkeys(f.files) if p not in copies]
            if f.table == table and (attrs is None or f.attr in attrs) and len(stated) >= 3 and len(f.value) <= 12:
                if not overlaps(f.asks[0], runs) and not overlaps(f.asks[0] + f.value, runs):
                    by_attr[f.attr].append(f)
        for fs in by_attr.values():
            rng.shuffle(fs)
        order = [f for layer in itertools.zip_longest(*by_attr.values()) for f in layer if f]
        if table == "规则":
            rng.shuffle(order)
        assert len(order) >= n_choice + n_short, (table, len(order))
        choice += order[:n_choice]
        short += order[n_choice:n_choice + n_short]

    def source(f):
        """A readable document, different from question to question."""
        stated = [p for p in dict.fromkeys(f.files) if p not in copies]
        prose = [p for p in stated if not p.endswith(".csv")] or stated
        return "raw/" + prose[len(f.entity + f.value) % len(prose)]

    rows, slots, ranks = [], [], []
    for n, f in enumerate(choice):
        if not slots:
            slots = rng.sample(range(4), 4)
        if not ranks:
            ranks = rng.sample(range(4), 4)
        if f.table == "规则" and (number_in(f.value) is None or f.attr in ("时间", "日期")):
            wrong = rng.sample(f.wrong, 3)
        elif f.table == "规则" or f.attr in NEARBY:
            wrong = nearby_numbers(f.value, ranks.pop(), rng)
        else:
            wrong = pool_values(fb, f, ranks.pop(), rng)
        rng.shuffle(wrong)
        slot = slots.pop()
        rows.append({"id": f"firm-{n + 1:03d}", "type": "choice", "question": f.asks[0],
                     "choices": wrong[:slot] + [f.value] + wrong[slot:], "answer": slot, "source": source(f)})
    for n, f in enumerate(short):
        rows.append({"id": f"firm-{n + 201:03d}", "type": "short", "question": f.asks[0],
                     "answer": f.value, "source": source(f)})
    return rows


# ---------------------------------------------------------------------------------------------
# Building


def plain(doc):
    return to_text([heading(l)[1] for l in doc.body])


def build(out):
    fb = FactBase()
    docs = load_docs(fb)
    raw, texts = {}, {}
    for doc in docs:
        raw[doc.path], texts[doc.path] = render(doc), plain(doc)
    for path, text in csv_docs(fb).items():
        raw[path], texts[path] = text.encode("utf-8"), text
    for original, copy, encoding in EXACT:
        raw[copy] = raw[original] if encoding is None else texts[original].replace("\n", "\r\n").encode(encoding)
        texts[copy] = texts[original]
    similar = {}
    values = sorted({f.value for f in fb.facts.values()} | {f.entity for f in fb.facts.values()}
                    | {f.attr for f in fb.facts.values()})
    for original, copy in NEAR:
        text = lightly_edited(raw[original].decode("utf-8"), values)
        raw[copy], texts[copy] = text.encode("utf-8"), text
        similar[copy] = round(jaccard(grams(raw[original].decode("utf-8")), grams(text)), 4)

    planted = {}
    planted["exact_duplicate"] = {"count": len(EXACT), "files": ["raw/" + c for _, c, _ in EXACT],
                                  "detail": [{"original": "raw/" + o, "copy": "raw/" + c,
                                              "same": "bytes" if e is None else "text, in " + e} for o, c, e in EXACT]}
    planted["near_duplicate"] = {"count": len(NEAR), "files": ["raw/" + c for _, c in NEAR],
                                 "detail": [{"original": "raw/" + o, "copy": "raw/" + c,
                                             "jaccard_char5": similar[c]} for o, c in NEAR]}
    for kind, values in PLANTED_VALUES.values():
        files = [p for p, t in texts.items() if any(re.search(rf"(?<!\d){re.escape(v)}(?![\dX])", t) for v in values)]
        planted[kind] = {"count": len(values), "files": ["raw/" + p for p in files], "detail": values}
    flagged = lambda flag: ["raw/" + d.path for d in docs if d.flag == flag]
    planted["mojibake"] = {"count": len(flagged("mojibake")), "files": flagged("mojibake"),
                           "detail": "UTF-8 bytes read as GB18030, saved as UTF-8; text.encode('gb18030').decode('utf-8') restores it"}
    pages = ["raw/" + d.path for d in docs if d.ext == "html" and d.flag != "spam"]
    planted["boilerplate"] = {"count": len(pages), "files": pages, "detail": BOILERPLATE}
    planted["spam"] = {"count": len(flagged("spam")), "files": flagged("spam"),
                       "detail": "gambling, loans, keyword stuffing: the whole document must be dropped"}
    demo = {"question": "望潮公馆的电梯台数是多少？", "expect": fb.facts["望潮公馆.电梯台数"].value,
            "source": "raw/合同/项目情况汇编.docx"}
    exam = make_exam(fb, texts)

    shutil.rmtree(os.path.join(out, "raw"), ignore_errors=True)
    for path, data in raw.items():
        full = os.path.join(out, "raw", path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
    dump = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent) + "\n"
    for name, text in (("exam.jsonl", "".join(map(dump, exam))), ("planted.json", dump(planted, 1)),
                       ("demo.json", dump(demo, 1))):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(text)
    return fb


# ---------------------------------------------------------------------------------------------
# Checking: everything is read back from the files, not taken from the builder


def extract(path):
    """The text of one raw document."""
    data = read_bytes(path)
    if path.endswith(".pdf"):
        return subprocess.run(["pdftotext", "-enc", "UTF-8", path, "-"], check=True, capture_output=True).stdout.decode("utf-8")
    if path.endswith(".docx"):
        with zipfile.ZipFile(path) as z:
            xml = z.read("word/document.xml").decode("utf-8")
        return html.unescape(re.sub(r"<[^>]+>", "", xml.replace("</w:p>", "\n")))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    if path.endswith(".html"):
        text = re.sub(r"(?s)<(script|style).*?</\1>", "", text)
        text = html.unescape(re.sub(r"<[^>]+>", "\n", text))
    return text


def walk(folder):
    return sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, fs in os.walk(folder) for f in fs)


def check_same(tmp, files, expect):
    names = ["raw/" + f for f in files] + ["exam.jsonl", "planted.json", "demo.json"]
    same = walk(os.path.join(tmp, "raw")) == files
    differ = [n for n in names if not os.path.exists(os.path.join(tmp, n)) or
              read_bytes(os.path.join(tmp, n)) != read_bytes(os.path.join(ROOT, n))]
    expect(same and not differ, f"a rebuild gives the same bytes {differ[:3]}")


def check():
    problems = []

    def expect(ok, message):
        print(("ok    " if ok else "FAIL  ") + message)
        if not ok:
            problems.append(message)

    raw = os.path.join(ROOT, "raw")
    files = walk(raw)
    texts = {f: extract(os.path.join(raw, f)) for f in files}
    planted = json.loads(read(os.path.join(ROOT, "planted.json")))
    exam = [json.loads(l) for l in read(os.path.join(ROOT, "exam.jsonl")).splitlines()]
    strip = lambda paths: [p[len("raw/"):] for p in paths]

    # Rebuilt from source, the files are the same (skipped where a library or the font is missing).
    fb = FactBase()
    load_docs(fb)
    csv_docs(fb)
    with tempfile.TemporaryDirectory() as tmp:
        try:
            build(tmp)
        except (ImportError, FileNotFoundError) as error:
            print("skip  rebuild:", error)
        else:
            check_same(tmp, files, expect)

    # Sizes and formats.
    size = sum(os.path.getsize(os.path.join(raw, f)) for f in files)
    by_ext = defaultdict(int)
    for f in files:
        by_ext[f.rsplit(".", 1)[1]] += 1
    han = sum(len(re.findall(r"[\u3400-\u9fff]", t)) for t in texts.values())
    chars = sum(len(re.sub(r"\s", "", t)) for t in texts.values())
    gb = [f for f in files if f.endswith(".txt") and b"\r\n" in read_bytes(os.path.join(raw, f))]
    expect(size < 2 << 20, f"raw/ has {size} bytes (< 2 MiB)")
    expect(60 <= len(files) <= 90, f"{len(files)} documents: {dict(by_ext)}, GB18030 txt: {len(gb)}")
    expect(chars >= 90000, f"{chars} characters, {han} of them Chinese")
    for ext, least in {"html": 6, "md": 12, "pdf": 4, "docx": 5, "csv": 4}.items():
        expect(by_ext[ext] >= least, f"{ext}: {by_ext[ext]} >= {least}")
    expect(len(gb) >= 5, f"GB18030 with CRLF: {len(gb)}")

    # Duplicates.
    for d in planted["exact_duplicate"]["detail"]:
        a, b = strip([d["original"], d["copy"]])
        expect(texts[a].replace("\r\n", "\n") == texts[b].replace("\r\n", "\n"), f"same text: {b}")
    sets = {f: grams(t) for f, t in texts.items()}
    known = {frozenset(strip([d["original"], d["copy"]])) for k in ("exact_duplicate", "near_duplicate")
             for d in planted[k]["detail"]}
    for d in planted["near_duplicate"]["detail"]:
        j = jaccard(*(sets[p] for p in strip([d["original"], d["copy"]])))
        expect(NEAR_LOW <= j <= NEAR_HIGH and abs(j - d["jaccard_char5"]) < 1e-3, f"near-duplicate {d['copy']}: {j:.3f}")
    worst = max((jaccard(sets[a], sets[b]), a, b) for a, b in itertools.combinations(files, 2)
                if frozenset((a, b)) not in known)
    expect(worst[0] < OTHERS_BELOW, f"most similar other pair {worst[0]:.3f}: {worst[1]} / {worst[2]}")

    # Personal data, counted by independent patterns over the documents that are neither copies nor spam.
    involved = {p for d in planted["exact_duplicate"]["detail"] + planted["near_duplicate"]["detail"]
                for p in strip([d["original"], d["copy"]])} | set(strip(planted["spam"]["files"]))
    patterns = {"id": r"(?<![\dA-Za-z])\d{17}[\dX](?![\dA-Za-z])", "phone": r"(?<!\d)1[3-9]\d{9}(?!\d)",
                "card": r"(?<!\d)6\d{15,18}(?!\d)", "email": r"[\w.+-]+@[\w-]+\.[\w.]+",
                "landline": r"(?<!\d)0\d{2,3}-\d{7,8}(?!\d)"}
    hits = {k: [m for f in files for m in re.findall(p, texts[f])] for k, p in patterns.items()}
    clean = [f for f in involved if any(re.search(p, texts[f]) for p in patterns.values())]
    expect(not clean, f"no personal data in copies, their originals or spam {clean}")
    ids = [x for x in hits["id"] if id_ok(x)]
    expect(len(ids) == planted["id_card"]["count"] == 8, f"valid identity numbers: {len(ids)}")
    expect(len(hits["id"]) - len(ids) == planted["id_card_near_miss"]["count"] == 6, "identity near misses: 6")
    expect(len(hits["phone"]) == planted["phone"]["count"] == 12, f"mobile numbers: {len(hits['phone'])}")
    every = "\n".join(texts.values())
    missing = [p for p in BAD_PHONES if every.count(p) != 1 or re.fullmatch(patterns["phone"], p)]
    expect(not missing and planted["phone_near_miss"]["count"] == 4, f"mobile near misses: 4 {missing}")
    cards = [x for x in hits["card"] if luhn_ok(x)]
    expect(len(cards) == planted["bank_card"]["count"] == 5, f"valid bank cards: {len(cards)}")
    expect(len(hits["card"]) - len(cards) == planted["bank_card_near_miss"]["count"] == 4, "bank card near misses: 4")
    expect(not [x for x in hits["id"] if x.isdigit() and luhn_ok(x)], "no identity number passes as a bank card")
    expect(len(hits["email"]) == planted["email"]["count"] == 3, f"e-mail addresses: {len(hits['email'])}")
    expect(len(hits["landline"]) == planted["landline"]["count"] == 3, f"landlines: {len(hits['landline'])}")

    # Mojibake, boilerplate, spam.
    for f in strip(planted["mojibake"]["files"]):
        restored = texts[f].encode("gb18030").decode("utf-8")
        expect(restored.encode("utf-8").decode("gb18030") == texts[f] and "的" in restored, f"reversible mojibake: {f}")
    for f in strip(planted["boilerplate"]["files"]):
        expect(all(s in texts[f] for s in BOILERPLATE), f"boilerplate present: {f}")
    others = [s for s in BOILERPLATE for f in files if s in texts[f] and f not in strip(planted["boilerplate"]["files"])]
    expect(not others, "boilerplate strings occur in web pages only")
    expect(planted["spam"]["count"] == 4 and len(planted["mojibake"]["files"]) == 3, "4 spam documents, 3 mojibake")

    # Exam.
    choice = [q for q in exam if q["type"] == "choice"]
    short = [q for q in exam if q["type"] == "short"]
    expect(len(choice) >= 100 and len(short) >= 30, f"exam: {len(choice)} choice, {len(short)} short")
    slots = [sum(q["answer"] == k for q in choice) for k in range(4)]
    expect(max(slots) - min(slots) <= max(1, len(choice) // 50), f"gold positions {slots}")
    expect(all(len(set(q["choices"])) == 4 and max(map(len, q["choices"])) <= 14 for q in choice), "options distinct and short")
    expect(all(len(q["answer"]) <= 12 for q in short), "short answers short")
    longest = sum(len(q["choices"][q["answer"]]) > max(len(c) for i, c in enumerate(q["choices"]) if i != q["answer"]) for q in choice)
    shortest = sum(len(q["choices"][q["answer"]]) < min(len(c) for i, c in enumerate(q["choices"]) if i != q["answer"]) for q in choice)
    expect(longest <= len(choice) * 0.1 and shortest <= len(choice) * 0.1, f"gold alone longest {longest}, alone shortest {shortest}")
    ranks = [0] * 4
    for q in choice:
        numbers = [number_in(c) for c in q["choices"]]
        if None not in numbers:
            ranks[sum(n < numbers[q["answer"]] for n in numbers)] += 1
    expect(max(ranks) <= sum(ranks) * 0.34, f"rank of the gold number among the options {ranks}")
    runs = all_runs(texts.values())
    bad = [q["id"] for q in exam if overlaps(q["question"], runs)
           or overlaps(q["question"] + (q["choices"][q["answer"]] if q["type"] == "choice" else q["answer"]), runs)]
    expect(not bad, f"no 13-character run shared with a document {bad}")
    expect(len({q["question"] for q in exam}) == len(exam) == len({q["id"] for q in exam}), "questions and ids are unique")
    by_question = {f.asks[0]: f for f in fb.facts.values()}
    unique = [f for f in files if f not in set(strip(planted["exact_duplicate"]["files"] + planted["near_duplicate"]["files"]))]
    squeezed = {f: re.sub(r"\s", "", texts[f]) for f in unique}
    few, lost, wrong = [], [], []
    for q in exam:
        f = by_question[q["question"]]
        near = re.compile(f"{re.escape(f.entity)}.{{0,30}}?{re.escape(f.value)}|{re.escape(f.value)}.{{0,14}}?{re.escape(f.entity)}")
        stated = [n for n in unique if not n.endswith(".csv") and near.search(squeezed[n])]
        if len(stated) + 1 < 3 or len(set(f.files)) < 3:
            few.append(q["id"])
        if q["source"][len("raw/"):] not in stated:
            lost.append(q["id"])
        if q["type"] == "choice":
            statement = re.compile("|".join(re.escape(s.replace(f.value, "\0")).replace("\0", "(.{0,12})") for s in f.says))
            wrong += [q["id"] for c in q["choices"] if c != f.value
                      if any(c in m.group(0) for t in squeezed.values() for m in statement.finditer(t)
                             if f.value not in m.group(0))]
    expect(not few, f"every exam fact is stated in three documents or more {few}")
    expect(not lost, f"every source states its fact {lost}")
    expect(not wrong, f"no wrong option is stated anywhere {wrong}")
    secret = [v for _, values in PLANTED_VALUES.values() for v in values if v in read(os.path.join(ROOT, "exam.jsonl"))]
    expect(not secret, "no personal data in the exam")
    expect(len(fb.facts) >= 150, f"{len(fb.facts)} facts in the base")
    demo = json.loads(read(os.path.join(ROOT, "demo.json")))
    expect(demo["expect"] in squeezed[demo["source"][len("raw/"):]], "demo source has its answer")
    print(f"\n{len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    if sys.argv[1:]:
        sys.exit(__doc__)
    build(ROOT)
    print("written to examples/firm/")
