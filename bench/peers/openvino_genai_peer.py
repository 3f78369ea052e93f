"""OpenVINO GenAI as a contender: python openvino_genai_peer.py MODEL THREADS SEQUENCES (protocol.ts has the protocol).

The continuous batching pipeline with its defaults for a CPU; prefix caching is off, since it would skip the prompt.
"""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import openvino as ov
import openvino_genai as genai

model, threads, sequences = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

begin = time.perf_counter()
scheduler = genai.SchedulerConfig()
scheduler.cache_size = 2
scheduler.enable_prefix_caching = False
scheduler.max_num_batched_tokens = 2048
scheduler.max_num_seqs = max(sequences, 32)
pipe = genai.ContinuousBatchingPipeline(model, scheduler, "CPU", {"INFERENCE_NUM_THREADS": threads})


def write(message: dict) -> None:
    print(json.dumps(message), flush=True)


def run(prompts: list[list[int]], generate: int) -> dict:
    config = genai.GenerationConfig(
        max_new_tokens=generate, ignore_eos=True, do_sample=False, apply_chat_template=False
    )
    begin = time.perf_counter()
    handles = [
        pipe.add_request(i, ov.Tensor(np.array([prompt], dtype=np.int64)), config)
        for i, prompt in enumerate(prompts)
    ]
    tokens: list[list[int]] = [[] for _ in prompts]
    first = 0.0
    while pipe.has_non_finished_requests():
        pipe.step()
        for ids, handle in zip(tokens, handles):
            while handle.can_read():
                for output in handle.read().values():
                    ids.extend(output.generated_ids)
        if not first and any(tokens):
            first = time.perf_counter()
    return {"tokens": tokens, "seconds": time.perf_counter() - begin, "firstTokenSeconds": first - begin}


write({"ready": True, "loadSeconds": time.perf_counter() - begin, "version": version("openvino-genai")})
for line in sys.stdin:
    task = json.loads(line)
    write(run(task["prompts"], task["generate"]))
