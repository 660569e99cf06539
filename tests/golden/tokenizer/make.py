"""Makes the golden files of this folder with the Hugging Face `tokenizers` library.

Usage: python make.py [FOLDER]      (made with tokenizers 0.23.3; pip install tokenizers)

For each pre-tokenizer Plinth knows, trains a byte-level BPE of 600 tokens on the sample below and
writes <name>.json (the tokenizer.json) and <name>.encodings.json: a list of {text, ids, decoded}
where ids is encode(text, add_special_tokens=False) and decoded is decode(ids).
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, trainers

COMMON = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"gpt-2": None, "qwen2": COMMON % r"\p{N}", "llama-bpe": COMMON % r"\p{N}{1,3}"}

SAMPLE = """
当事人一方不履行合同义务或者履行合同义务不符合约定的，应当承担继续履行、采取补救措施或者赔偿损失等违约责任。
合同是民事主体之间设立、变更、终止民事法律关系的协议。依法成立的合同，受法律保护。
患者出现发热、咳嗽、乏力等症状，应当及时就医；医生根据检查结果给出诊断与治疗方案。
设备运行温度不得超过 85℃，每 500 小时更换一次润滑油，更换前必须切断电源。
公司2023年实现营业收入12,345.67万元，同比增长8.9%，净利润1,024万元。
春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。
The quick brown fox jumps over the lazy dog. It's a test, isn't it? We'll see; they've gone.
The parties agree that the contract is governed by the law of the place of performance.
int main(int argc, char** argv) { return argc > 1 ? 0 : 1; }  // no comment
Ἀθῆναι, Москва, ประเทศไทย, עברית, العربية, 日本語テキスト, 한국어 텍스트, Tiếng Việt
""" * 4

TEXTS = [
    "", " ", "  ", "\n", "\n\n", " \n ", "\t\t\n\r\n x", "a", "'", "'s", "'S it's IT'S we'LL 'ſ",
    "Hello, world!", " Hello  world", "hello   \n\n   world  ", "1234567890 12 345,678.90",
    "３４５ ①②③ Ⅷ ½ ٣٤٥ ४५६", "合同义务，应当承担违约责任。", "（一）当事人的名称、姓名和住所；",
    "\u3000\u3000全角空格开头", "e\u0301 vs é, Å vs A\u030a, \u1100\u1161\u11a8 vs 각, \u2126", "🦙🏻‍👩‍👧 emoji 👍🏽",
    "<|im_start|>user\n你好<|im_end|>\n<think>\n想\n</think>", "<|im_start|><|im_start|", "x<think>y",
    "mixed中文English混排123数字", "\u200b\u200d\ufeff zero\u00a0width\u2028line\u0085next",
    "a\r\nb\rc\n\n\n  d", "....!!!???\n\n，，，。。。", "𠀀𠀁 extension B", "ﬁ ligature ſ", "_under_score__",
    SAMPLE[:600],
]


def random_texts(seed, n):
    rng = random.Random(seed)
    alphabet = list(" \n\r\t'sStTdDlLrReEvVmM09,.!\u3000\u00a0的是，。a\u0301é１²ⅷ🦙") + ["<think>", "  "]
    return ["".join(rng.choice(alphabet) for _ in range(rng.randint(1, 40))) for _ in range(n)]


def build(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    pattern = PATTERNS[name]
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, show_progress=False, special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([SAMPLE], trainer)
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ("<think>", "</think>")])
    return tokenizer


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for name in PATTERNS:
        tokenizer = build(name)
        tokenizer.save(str(folder / f"{name}.json"), pretty=False)
        rows = []
        for text in TEXTS + random_texts(7, 60):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.encodings.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
