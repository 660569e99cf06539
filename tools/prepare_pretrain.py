#!/usr/bin/env python3
"""usage: tools/prepare_pretrain.py DATA_DIR OUT_DIR

Turns public corpora into the document files that recipes/plinth-zh-base.toml names: one JSON object
a line, {"text": ...} or {"messages": [...]}, deterministic. Only sources whose licence lets the trained weights be
redistributed are read; each is listed in models/plinth-zh-base.md with its licence.

DATA_DIR  holds pretrain/, raw/ and sft/ with the zstd files named below (needs the zstd command)
OUT_DIR   gets statutes.jsonl, prose.jsonl, technical.jsonl, dialogue.jsonl
"""
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import io
from pathlib import Path


def unpack(path):
    return subprocess.run(["zstd", "-dqc", "--long=27", str(path)], check=True, capture_output=True).stdout


def rows(path):
    for line in unpack(path).decode("utf-8").splitlines():
        yield json.loads(line)


def keep(key, share):
    """A seedless sample: the same documents on every machine."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) < share * 2**32


def han_share(text):
    return sum("\u4e00" <= c <= "\u9fff" for c in text) / max(1, len(text))


def write(path, documents):
    """A document is a text, or a list of turns that user and assistant take in turn."""
    n = chars = 0
    with open(path, "w", encoding="utf-8") as out:
        for document in documents:
            if isinstance(document, str):
                row = {"text": document}
            else:
                row = {"messages": [{"role": ("user", "assistant")[i % 2], "content": turn.strip()}
                                    for i, turn in enumerate(document)]}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            n += 1
            chars += len(document if isinstance(document, str) else "".join(document))
    print(f"{path.name}: {n} documents, {chars} characters")


class Paragraphs:
    """Drops paragraphs seen before, in any document: statutes come in many near-identical versions."""

    def __init__(self):
        self.seen = set()

    def fresh(self, paragraph):
        key = re.sub(r"^第[一二三四五六七八九十百千零]+条\s*", "", paragraph)
        if len(key) < 12:
            return True
        digest = hashlib.sha1(key.encode()).digest()[:8]
        if digest in self.seen:
            return False
        self.seen.add(digest)
        return True


def statutes(data):
    fresh = Paragraphs().fresh
    archive = tarfile.open(fileobj=io.BytesIO(unpack(data / "raw/law/laws_md.tar.zst")))
    members = sorted((m for m in archive.getmembers() if m.isfile() and m.name.endswith(".md")),
                     key=lambda m: m.name)
    for member in members:
        # Local rules (DLC) are half of the archive and much alike: a quarter of them is enough.
        if "DLC" in member.name and not keep(member.name, 0.25):
            continue
        text = archive.extractfile(member).read().decode("utf-8")
        title = re.match(r"#\s*(.+)", text)
        body = text.split("<!-- INFO END -->")[-1]
        lines = [l.strip().lstrip("#").strip() for l in body.split("\n")]
        lines = [l for l in lines if l and fresh(l)]
        if sum(map(len, lines)) >= 200:
            yield "\n".join(([title.group(1).strip()] if title else []) + lines)


def prose(data):
    text = unpack(data / "pretrain/modern_chinese_translations.txt.zst").decode("utf-8")
    for chapter in re.split(r"\n\n+", text):
        # The source has one sentence a line; paragraphs of about 200 characters read better.
        chapter = re.sub(r"[ \u3000]+", "", chapter)
        if len(chapter) < 200 or not keep(chapter, 0.5):
            continue
        paragraphs, current = [], ""
        for sentence in chapter.split("\n"):
            current += sentence
            if len(current) > 200:
                paragraphs.append(current)
                current = ""
        yield "\n".join(paragraphs + ([current] if current else []))


def plain_markdown(text):
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"```.*?```|~~~.*?~~~", "", text, flags=re.S)
    text = re.sub(r"<[^>\n]*>", "", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r":[a-z]+:`[^`]*`", "", text)
    text = re.sub(r"[*_`]{1,3}", "", text)
    lines = []
    for line in text.split("\n"):
        line = re.sub(r"^\s*(#+|>|[-*+]|\d+\.)\s*", "", line).strip()
        if line.startswith(("[!", "|", ":", "$", "!")) or len(line) < 4:
            continue
        if han_share(line) >= 0.4:
            lines.append(line)
    return lines


def technical(data):
    fresh = Paragraphs().fresh
    sources = [("raw/finance/d365_finance_operations_zh_md.jsonl.zst", 0.75),
               ("pretrain/d2l_zh_md.jsonl.zst", 1.0),
               ("pretrain/howtocook_zh_md.jsonl.zst", 1.0)]
    for name, share in sources:
        for row in rows(data / name):
            if not keep(row["path"], share):
                continue
            lines = [l for l in plain_markdown(row["text"]) if fresh(l)]
            if sum(map(len, lines)) >= 200:
                yield "\n".join(lines)


def dialogue(data):
    for name in ("huatuo_llama_data", "llamafactory_alpaca_zh_demo"):
        for row in rows(data / f"sft/{name}.jsonl.zst"):
            question = row["instruction"] + ("\n" + row["input"] if row.get("input") else "")
            if row["output"].strip():
                yield [question, row["output"]]
    for row in rows(data / "sft/kdconv_dev_test.jsonl.zst"):
        yield [m["message"] for m in row["messages"]]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for make in (statutes, prose, technical, dialogue):
        write(out / f"{make.__name__}.jsonl", make(data))


if __name__ == "__main__":
    main()
