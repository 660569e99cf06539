#!/usr/bin/env python3
"""usage: tools/make_general.py CORPUS_DIR RUN_DIR OUT_DIR

The general leg of the embedded base, made from its own pretraining data:

OUT_DIR/general-heldout.jsonl     pieces of documents that the base was never trained on: the general
                                  suite of a proof (bits per character)
OUT_DIR/general-replay.jsonl.zst  rows that it was trained on, to be mixed into tuning

CORPUS_DIR  what tools/prepare_pretrain.py wrote
RUN_DIR     what plinth pretrain wrote (its heldout.txt says what was held out)
Deterministic; needs the zstd command.
"""
import hashlib
import json
import subprocess
import sys
from pathlib import Path

PIECE = 500  # characters of a held-out piece
HELDOUT_PIECES = 120
REPLAY_CHARS = {"statutes": 200_000, "prose": 200_000, "technical": 120_000, "dialogue": 120_000}


def rank(key):
    return hashlib.sha256(key.encode()).hexdigest()


def pieces(document):
    """Whole lines, about PIECE characters together."""
    current = ""
    for line in document.split("\n"):
        if current and len(current) + len(line) > PIECE:
            yield current
            current = ""
        current += line + "\n"
    if len(current) > PIECE // 2:
        yield current


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    corpus, run, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    heldout = (run / "heldout.txt").read_text(encoding="utf-8")

    documents = [d for d in heldout.split("\n\n") if d.strip() and "<|im_start|>" not in d]
    # The first pieces of every document only, so that no single long statute weighs most.
    candidates = [p for d in documents for p in list(pieces(d))[:4] if len(p) <= 3 * PIECE]
    chosen = sorted(candidates, key=rank)[:HELDOUT_PIECES]
    with open(out / "general-heldout.jsonl", "w", encoding="utf-8") as f:
        for i, text in enumerate(chosen, 1):
            f.write(json.dumps({"id": f"general-{i:03}", "type": "text", "text": text}, ensure_ascii=False) + "\n")

    rows = []
    for name, chars in REPLAY_CHARS.items():
        lines = (corpus / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        for line in sorted(lines, key=rank):
            row = json.loads(line)
            if "text" in row:
                if row["text"] in heldout:
                    continue
                row["text"] = row["text"][:1500]
            elif row["messages"][-1]["content"] in heldout:
                continue
            size = len(row["text"]) if "text" in row else sum(len(m["content"]) for m in row["messages"])
            rows.append(row)
            chars -= size
            if chars <= 0:
                break
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    packed = subprocess.run(["zstd", "-19", "-q", "-c"], input=text.encode(), check=True, capture_output=True).stdout
    (out / "general-replay.jsonl.zst").write_bytes(packed)
    print(f"{len(chosen)} held-out pieces, {len(rows)} replay rows, {len(packed)} bytes")


if __name__ == "__main__":
    main()
