"""Makes cases.json: what Python's jinja2 renders for the templates of this folder.

Usage: python make.py [FOLDER]      (made with Jinja2 3.1.6; pip install jinja2)

The environment is the one of transformers' apply_chat_template: trim_blocks, lstrip_blocks, a
tojson that neither escapes nor sorts, raise_exception, loop controls. The templates were written
for this test in the style of the models they are named after. An "error" case is one where jinja2
or the template raises.
"""

import json
import sys
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


TOOLS = [{"type": "function", "function": {
    "name": "search_law", "description": "检索法条 \"全文\"",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
                   "required": ["query"]}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "search_law", "arguments": {"query": "违约责任", "limit": 3}}}]}
CONVERSATIONS = {
    "plain": [{"role": "user", "content": "你好"}],
    "system": [{"role": "system", "content": " 你是法律助手。\n"}, {"role": "user", "content": "什么是合同？"},
               {"role": "assistant", "content": "合同是协议。"}, {"role": "user", "content": "谢谢 <b>&"}],
    "no_system": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                  {"role": "user", "content": "c"}],
    "tools": [{"role": "user", "content": "查"}, CALL, {"role": "tool", "content": "第577条"},
              {"role": "tool", "content": "第578条"}],
    "thinking": [{"role": "user", "content": "1+1"},
                 {"role": "assistant", "content": "<think>\n简单\n</think>\n\n2"},
                 {"role": "user", "content": "2+2"},
                 {"role": "assistant", "content": "<think>\n也简单\n</think>\n\n4"}],
    "reasoning": [{"role": "user", "content": "q"},
                  {"role": "assistant", "reasoning_content": "\n想\n", "content": "\na"}],
    "bad_role": [{"role": "critic", "content": "x"}],
}


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    cases = []
    for path in sorted(folder.glob("*.jinja")):
        template = environment().from_string(path.read_text(encoding="utf-8"))
        for name, messages in CONVERSATIONS.items():
            if path.stem == "language" and name != "plain":
                continue
            for prompt, extra in ((True, {}), (False, {}), (True, {"enable_thinking": False})):
                tools = TOOLS if name == "tools" else None
                try:
                    text = template.render(messages=messages, tools=tools, documents=None,
                                           add_generation_prompt=prompt, bos_token="<s>",
                                           eos_token="</s>", **extra)
                    outcome = {"text": text}
                except Exception as error:
                    outcome = {"error": str(error)}
                cases.append({"template": path.name, "name": name, "messages": messages,
                              "tools": tools, "add_generation_prompt": prompt, "extra": extra,
                              **outcome})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
