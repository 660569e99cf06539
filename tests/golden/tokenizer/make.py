"""Makes the golden files of this folder with the Hugging Face `tokenizers` and the `sentencepiece` libraries.

Usage: python make.py FOLDER NAME...      (made with tokenizers 0.23.3, sentencepiece 0.2.3)

NAME of a pre-tokenizer (gpt-2, qwen2, ...): trains a byte-level BPE of 600 tokens on the sample below and
writes <name>.json (the tokenizer.json) and <name>.encodings.json: a list of {text, ids, decoded}
where ids is encode(text, add_special_tokens=False) and decoded is decode(ids).
NAME llama2, mistral, added: the same for BPE over characters with byte fallback, and for added tokens with rules.
NAME sp-...: trains a SentencePiece model and writes <name>.model and <name>.encodings.json; texts that are not
UTF-8 have `hex` instead of `text`.
NAME shared-...: only the encodings, of the model files in PLINTH_SHARED_DATA/tokenizers.
"""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

COMMON = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"gpt-2": None, "qwen2": COMMON % r"\p{N}", "llama-bpe": COMMON % r"\p{N}{1,3}"}
# Several splits, one after the other.
SEQUENCES = {
    "smollm": None,  # Digits, then GPT-2's
    "tekken": [r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "deepseek-v3": [
        r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""],
}
SP = {
    "sp-bpe": dict(model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity",
                   remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True,
                   user_defined_symbols=["<sep>", "合同", "  "], control_symbols=["<ctl>"]),
    "sp-unigram": dict(model_type="unigram", vocab_size=400, user_defined_symbols=["<sep>", "合同"],
                       control_symbols=["<ctl>"], rules="41\t61\nFF0C\t2C\n3000\t20\n65 301\tE9\n200B\t\n"),
    "sp-suffix": dict(model_type="unigram", vocab_size=500, byte_fallback=True, treat_whitespace_as_suffix=True,
                      normalization_rule_name="identity"),
    "sp-plain": dict(model_type="bpe", vocab_size=400, add_dummy_prefix=False, normalization_rule_name="identity"),
}
SHARED = {
    "shared-llama2": "llama2/tokenizer.model", "shared-internlm2": "internlm2/tokenizer.model.zst",
    "shared-test_model": "sentencepiece-tests/test_model.model",
    "shared-test_ja_model": "sentencepiece-tests/test_ja_model.model",
}
BROKEN = [b"\xff\xfeab\xe4\xb8", b"\xe4\xb8\xad\xe4\xb8 \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80x", b"a\x00b"]

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


def build_sequence(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "tekken"))
    splits = [pre_tokenizers.Split(Regex(r), behavior="isolated") for r in SEQUENCES[name] or []]
    if name == "smollm":
        splits = [pre_tokenizers.Digits(individual_digits=True)]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "smollm")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits + [byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([SAMPLE], trainers.BpeTrainer(
        vocab_size=600, show_progress=False, special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ("<think>", "</think>")])
    return tokenizer


def build_characters(name):
    """Llama 2's and Mistral's way: merges over characters, bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    marks = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(marks)
    words = [word for line in SAMPLE.splitlines() for word in line.split()]
    tokenizer.train_from_iterator(words, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, limit_alphabet=180,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]))
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [t for t in spec["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    if name == "mistral":
        tokenizer.normalizer = None
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
        tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    if name == "added":
        tokenizer.add_tokens([AddedToken("<think>", normalized=False, lstrip=True),
                              AddedToken("<|end|>", normalized=False, rstrip=True),
                              AddedToken("brown fox", normalized=True), AddedToken("the", single_word=True, normalized=False)])
    strip = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(strip)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def write_rows(path, rows):
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def hugging_face(folder, name):
    if name in PATTERNS:
        tokenizer = build(name)
    elif name in SEQUENCES:
        tokenizer = build_sequence(name)
    else:
        tokenizer = build_characters(name)
    tokenizer.save(str(folder / f"{name}.json"), pretty=False)
    rows = []
    for text in TEXTS + random_texts(7, 60):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
    write_rows(folder / f"{name}.encodings.json", rows)


def train_sentencepiece(name):
    options = dict(SP[name])
    if "rules" in options:
        rules = Path(tempfile.mkdtemp()) / "rules.tsv"
        rules.write_text(options.pop("rules"))
        options["normalization_rule_tsv"] = str(rules)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SAMPLE.splitlines()), model_writer=model, minloglevel=2,
        hard_vocab_limit=False, character_coverage=0.98, num_threads=1, **options)
    return model.getvalue()


def sentence_piece(folder, name):
    if name in SP:
        model = train_sentencepiece(name)
        (folder / f"{name}.model").write_bytes(model)
    else:
        path = Path(os.environ["PLINTH_SHARED_DATA"]) / "tokenizers" / SHARED[name]
        model = path.read_bytes()
        if path.suffix == ".zst":
            model = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    rows = []
    for text in TEXTS + random_texts(7, 60) + ["x<sep>y 合同 <sep> z", "<ctl><s>", " <sep>", "A，b  e\u0301"] + BROKEN:
        ids = processor.encode(text)
        row = {"hex": text.hex()} if isinstance(text, bytes) else {"text": text}
        rows.append(row | {"ids": ids, "decoded": processor.decode(ids)})
    write_rows(folder / f"{name}.encodings.json", rows)


def main():
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        if name in SP or name in SHARED:
            sentence_piece(folder, name)
        else:
            hugging_face(folder, name)


if __name__ == "__main__":
    main()
