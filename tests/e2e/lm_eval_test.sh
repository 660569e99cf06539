#!/usr/bin/env bash
# lm-evaluation-harness, unmodified, against a running server, with small tasks made here: log-likelihoods over /v1/completions (echo and
# logprobs; tokens from /tokenize), and generated answers over completions and chat completions. What it makes of them is what
# `plinth eval` makes of the same questions. LM_EVAL names another command.
. "$(dirname "$0")/lib.sh"
harness=${LM_EVAL:-$PWD/build/lm_eval/bin/lm_eval}
command -v "$harness" >/dev/null ||
  skip "no lm_eval; make it with: python3 -m venv build/lm_eval && build/lm_eval/bin/pip install 'lm_eval[api]'"

key=$("$PLINTH" key create --tenant e2e --json 2>/dev/null | jq -r .key)
start_server
mkdir -p "$work/tasks"
for i in $(seq 12); do
  jq -nc --arg q "电梯第${i}项维护由谁负责？" --argjson a "$((i % 3))" \
    '{question: $q, choices: ["维保人员负责这一项。", "乘客", "今天天气很好，我们去公园。"], answer: $a}'
done >"$work/tasks/choice.jsonl"
for i in $(seq 4); do jq -nc --arg q "电梯的日常维护由第${i}" '{question: $q, answer: "电梯"}'; done >"$work/tasks/short.jsonl"
cat >"$work/tasks/choice.yaml" <<END
task: lifts_choice
dataset_path: json
dataset_kwargs: {data_files: {test: "$work/tasks/choice.jsonl"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
END
cat >"$work/tasks/short.yaml" <<END
task: lifts_short
dataset_path: json
dataset_kwargs: {data_files: {test: "$work/tasks/short.jsonl"}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\n"], max_gen_toks: 12, temperature: 0}
metric_list: [{metric: exact_match}]
END
# Everything that it would fetch is here, and its caches go with the test.
export OPENAI_API_KEY=$key HF_HOME=$work/hf HF_DATASETS_OFFLINE=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
run() { # MODEL PATH TASK OUT ARGUMENTS...
  local model=$1 path=$2 task=$3 out=$4
  shift 4
  "$harness" run --model "$model" --model_args "model=plinth-zh-base,base_url=$address/$path,auth_token=$key,num_concurrent=4,max_retries=2,max_length=512" \
    --tasks "$task" --include_path "$work/tasks" --output_path "$work/$out" --log_samples "$@" >"$work/$out.log" 2>&1 ||
    { tail -n 40 "$work/$out.log" >&2; fail "$model on $task"; }
}
run local-completions completions lifts_choice choice
samples=$(find "$work/choice" -name 'samples_*.jsonl')
[ "$(wc -l <"$samples")" = 12 ] || fail "twelve samples: $samples"
# Each answer's log-likelihood by our own reckoning: the same tokens, asked for in one text.
jq -c '{q: .doc.question, choices: .doc.choices, seen: [.filtered_resps[][0] | tonumber]}' "$samples" >"$work/seen"
while read -r row; do
  for c in 0 1 2; do
    text=$(jq -r --argjson c $c '.q + .choices[$c]' <<<"$row")
    before=$(jq -nc --arg t "$(jq -r .q <<<"$row")" '{model: "plinth-zh-base", prompt: $t, add_special_tokens: false}' |
      curl -s -H "authorization: Bearer $key" "$address/tokenize" -d @- | jq .count)
    jq -nc --arg t "$text" '{model: "plinth-zh-base", prompt: $t, max_tokens: 0, echo: true, logprobs: 1}' |
      curl -s -H "authorization: Bearer $key" "$address/completions" -d @- |
      jq -e --argjson seen "$(jq ".seen[$c]" <<<"$row")" --argjson n "$before" \
        '(.choices[0].logprobs.token_logprobs[-((.usage.prompt_tokens) - $n):] | add) - $seen | fabs < 0.05' >/dev/null ||
      fail "log-likelihood of $text"
  done
done < <(head -n 3 "$work/seen")
run local-completions completions lifts_short short
run local-chat-completions chat/completions lifts_short chat --apply_chat_template
# What it saw is what the same requests say here.
direct() { curl -s -H "authorization: Bearer $key" "$address/$1" -d @-; }
for out in short chat; do
  samples=$(find "$work/$out" -name 'samples_*.jsonl')
  [ "$(wc -l <"$samples")" = 4 ] || fail "four samples: $samples"
  while read -r row; do
    ask=$(jq -c '{model: "plinth-zh-base", max_tokens: 12, temperature: 0, stop: ["\n"], prompt: .doc.question}' <<<"$row")
    if [ $out = short ]; then
      said=$(direct completions <<<"$ask" | jq -r '.choices[0].text')
    else
      said=$(jq -c '.messages = [{role: "user", content: .prompt}] | del(.prompt)' <<<"$ask" | direct chat/completions | jq -r '.choices[0].message.content')
    fi
    [ -n "$said" ] && [ "$(jq -r '.resps[0][0]' <<<"$row")" = "$said" ] || fail "$out: said $said, seen: $row"
  done <"$samples"
done
stop_server
echo "lm_eval: fine"
