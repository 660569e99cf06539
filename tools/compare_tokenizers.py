#!/usr/bin/env python3
"""Compares Plinth's tokenizers with the original libraries on large real text, id by id and byte by byte.

Usage: tools/compare_tokenizers.py [--plinth build/release/src/cli/plinth] [--mb 20] [--only NAME]

Needs tokenizers, sentencepiece and zstd (the program), and the shared data (PLINTH_SHARED_DATA). The text is Chinese
law, Chinese documentation with code, a textbook, Shakespeare, conversations, emoji and broken UTF-8, mixed in blocks.
For each tokenizer: the ids of the library and of `plinth tokenize`, the text that each makes of these ids, and how
fast each encodes on one thread (`plinth bench tokenize` in the same run by the clock; the library by its processor
time, which is never more). The Hugging Face library takes only valid
text, so it gets each broken byte as U+FFFD; SentencePiece and Plinth's reading of its models get the bytes as they are.
Exit code 0 when all agree, 1 when one differs, 77 when the shared data is missing.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

SOURCES = ["pretrain/modern_chinese_translations.txt.zst", "pretrain/tidb_docs_zh_md.jsonl.zst",
           "pretrain/oi_wiki_zh_md.jsonl.zst", "pretrain/d2l_zh_md.jsonl.zst", "pretrain/poems_and_classics.jsonl.zst",
           "pretrain/tinyshakespeare_en.txt.zst", "sft/llamafactory_alpaca_en_demo.jsonl.zst",
           "raw/encodings/charset_fixtures.tar.zst"]
EMOJI = "🦙👍🏽👩‍👩‍👧‍👦🏳️‍🌈❤️‍🔥😀🫠①㎡½ﬁ\u200b\ufeff"
BROKEN = [b"\xff\xfe", b"\xe4\xb8", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"]
# A block is encoded at a time: the libraries' own time grows faster than the text.
BLOCK = 1 << 20


def unpacked(path):
    if path.suffix != ".zst":
        return path.read_bytes()
    return subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout


def blocks(data, size):
    """Blocks of real text, a tenth of them with emoji, a tenth with broken bytes."""
    rng = random.Random(5)
    texts = [unpacked(data / source) for source in SOURCES]
    out, total = [], 0
    while total < size:
        text = rng.choice(texts)
        at = rng.randrange(max(1, len(text) - BLOCK))
        block = bytearray(text[at:at + BLOCK])
        if rng.random() < 0.1:
            for _ in range(1000):
                place = rng.randrange(len(block))
                block[place:place] = rng.choice(EMOJI).encode() * rng.randint(1, 3)
        if rng.random() < 0.1:
            for _ in range(1000):
                place = rng.randrange(len(block))
                block[place:place] = rng.choice(BROKEN)
        out.append(bytes(block))
        total += len(block)
    return out


def one_by_one(block):
    """Each broken byte as one U+FFFD."""
    text = block.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in text)


def byte_level(vocabulary, merges, pattern, nfc, ignore_merges):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=ignore_merges))
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer.to_str()


PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def qwen2(data):
    vocabulary = json.loads(unpacked(data / "tokenizers/qwen2/vocab.json.zst"))
    lines = unpacked(data / "tokenizers/qwen2/merges.txt.zst").decode().split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return byte_level(vocabulary, merges, PATTERN % r"\p{N}", True, False)


def llama3(data):
    import base64

    shown = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    hidden = [b for b in range(256) if b not in shown]
    alphabet = {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}
    write = lambda token: "".join(alphabet[b] for b in token)
    lines = unpacked(data / "tokenizers/tiktoken/meta-llama-3-8B.tiktoken.zst").split(b"\n")
    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in lines if line}
    merges = [(write(token[:cut]), write(token[cut:])) for token in ranks for cut in range(1, len(token))
              if token[:cut] in ranks and token[cut:] in ranks]
    vocabulary = {write(token): rank for token, rank in ranks.items()}
    return byte_level(vocabulary, merges, PATTERN % r"\p{N}{1,3}", False, True)


def cases(data):
    folder = data / "tokenizers"
    yield "qwen2", "tokenizer.json", lambda: qwen2(data).encode()
    yield "llama3", "tokenizer.json", lambda: llama3(data).encode()
    yield "minimind", "tokenizer.json", lambda: unpacked(folder / "minimind/tokenizer.json")
    yield "nanozhgpt", "tokenizer.json", lambda: unpacked(folder / "nanozhgpt/tokenizer.json.zst")
    yield "llama2", "tokenizer.model", lambda: unpacked(folder / "llama2/tokenizer.model")
    yield "internlm2", "tokenizer.model", lambda: unpacked(folder / "internlm2/tokenizer.model.zst")
    yield "sp-unigram-en", "tokenizer.model", lambda: unpacked(folder / "sentencepiece-tests/test_model.model")
    yield "sp-unigram-ja", "tokenizer.model", lambda: unpacked(folder / "sentencepiece-tests/test_ja_model.model")


class HuggingFace:
    def __init__(self, source):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_str(source.decode())
        self.tokenizer.encode_special_tokens = True  # text that spells <pad> is text
        self.prepare = lambda block: one_by_one(block).encode()

    def encode(self, block):
        return self.tokenizer.encode(block.decode(), add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True).encode()


class SentencePiece:
    def __init__(self, source):
        import sentencepiece

        self.processor = sentencepiece.SentencePieceProcessor(model_proto=source)
        self.prepare = lambda block: block

    def encode(self, block):
        return self.processor.encode(block)

    def decode(self, ids):
        return self.processor.decode(ids).encode()


def plinth_encode(plinth, tokenizer, path):
    result = subprocess.run([plinth, "tokenize", tokenizer, "--file", path, "--json"], capture_output=True, check=True)
    return json.loads(result.stdout)["ids"]


def compare(name, kind, source, texts, plinth, work):
    """Prints a line; whether all agree."""
    tokenizer = work / kind
    tokenizer.write_bytes(source)
    library = (HuggingFace if kind.endswith(".json") else SentencePiece)(source)
    texts = [library.prepare(block) for block in texts]
    seconds, differ, n_ids = 0.0, 0, 0
    for i, block in enumerate(texts):
        begin = time.process_time()
        expected = library.encode(block)
        seconds += time.process_time() - begin
        n_ids += len(expected)
        (work / "text").write_bytes(block)
        found = plinth_encode(plinth, tokenizer, work / "text")
        (work / "ids").write_text(json.dumps({"ids": expected}))
        back = subprocess.run([plinth, "detokenize", tokenizer, "--file", work / "ids"], capture_output=True, check=True)
        if found != expected or back.stdout != library.decode(expected):
            differ += 1
            if differ == 1:
                at = next((k for k, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
                print(f"  {name}: block {i} differs at id {at}: plinth {found[at:at + 8]}, library {expected[at:at + 8]}")
    (work / "text").write_bytes(b"".join(texts))
    bench = subprocess.run([plinth, "bench", "tokenize", "--model", tokenizer, "--file", work / "text", "--repeats", "3",
                            "--json"], capture_output=True, check=True)
    speed = json.loads(bench.stdout)["rows"][0]["value"]
    size = sum(map(len, texts)) / 1e6
    print(f"{name:14} {size:5.1f} MB {n_ids:9} ids, {differ} of {len(texts)} blocks differ; encode "
          f"{speed:6.1f} MB/s, library {size / seconds:6.1f} MB/s: {speed * seconds / size:5.1f}x", flush=True)
    return differ == 0


def main():
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plinth", default=str(root / "build/release/src/cli/plinth"))
    parser.add_argument("--mb", type=float, default=20)
    parser.add_argument("--only")
    options = parser.parse_args()
    data = Path(os.environ.get("PLINTH_SHARED_DATA", root / "../shared/data"))
    if not (data / "tokenizers").is_dir():
        print(f"skipped: no tokenizers in {data} (set PLINTH_SHARED_DATA)")
        return 77
    texts = blocks(data, int(options.mb * 1e6))
    same = True
    with tempfile.TemporaryDirectory() as work:
        for name, kind, source in cases(data):
            if options.only in (None, name):
                same &= compare(name, kind, source(), texts, options.plinth, Path(work))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
