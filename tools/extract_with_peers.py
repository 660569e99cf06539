#!/usr/bin/env python3
"""Extracts the pages of an article set with libraries that users would pick today.

usage: tools/extract_with_peers.py DIR

DIR holds ground-truth.json and html/ID.html.gz, as scrapinghub/article-extraction-benchmark has them. Writes
DIR/output/NAME.json for trafilatura and readability-lxml (those that are installed: pip install trafilatura
readability-lxml lxml_html_clean), which `plinth bench refine --articles DIR` then scores beside its own extractor.
"""
import gzip
import importlib.metadata
import json
import pathlib
import sys
import time


def trafilatura():
    from trafilatura import extract

    return lambda page: extract(page, include_comments=False) or ""


def readability_lxml():
    from lxml import html
    from readability import Document

    return lambda page: html.fromstring(Document(page).summary()).text_content()


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    ids = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    pages = {i: gzip.open(folder / "html" / f"{i}.html.gz", "rt", encoding="utf-8").read() for i in ids}
    size = sum(len(page.encode()) for page in pages.values())
    (folder / "output").mkdir(exist_ok=True)
    for name, make in (("trafilatura", trafilatura), ("readability-lxml", readability_lxml)):
        try:
            extract, version = make(), importlib.metadata.version(name)
        except ImportError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        began = time.perf_counter()
        found = {i: {"articleBody": extract(page)} for i, page in pages.items()}
        seconds = time.perf_counter() - began
        with open(folder / "output" / f"{name}.json", "w", encoding="utf-8") as out:
            json.dump({"version": version, "output": found}, out, ensure_ascii=False)
        print(f"{name} {version}: {len(found)} pages, {size / 1e6 / seconds:.1f} MB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
