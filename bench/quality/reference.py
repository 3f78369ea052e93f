"""Perplexity of a GGUF checkpoint by Hugging Face transformers, in float32 on the de-quantised weights.

    pip install -r test/fixtures/requirements.txt && python bench/quality/reference.py MODEL.gguf

Protocol (protocol.json), the same in bench/quality.bench.ts:
  - the text is tokenised whole, with no BOS and no control token read from it, and cut to the first `tokens` ids;
  - the ids are cut into windows of `window` that do not overlap; the last one is shorter;
  - a window starts with an empty context, and each of its tokens but the first is scored by the natural log of its
    probability given those before it in the window;
  - perplexity = exp(-sum / number of scored tokens).

Writes reference.json beside this file: the figures, what they were computed with, and a SHA-256 of the ids as
little-endian int32, which shows whether another tokenizer cut the same text the same way.
"""

import hashlib
import json
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from checkpoint import Checkpoint

HERE = Path(__file__).parent


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def token_ids(checkpoint: Checkpoint, protocol: dict) -> tuple[np.ndarray, str]:
    text = (HERE.parent / "data" / protocol["text"]).read_bytes()
    ids = checkpoint.tokenizer().encode(text.decode("utf-8")).ids
    if len(ids) < protocol["tokens"]:
        raise SystemExit(f"the text has {len(ids)} tokens, the protocol asks for {protocol['tokens']}")
    return np.array(ids[: protocol["tokens"]], dtype="<i4"), sha256(text)


def window_nll(model, ids: np.ndarray) -> float:
    """Negative log-likelihood of a window, summed in float64. The head runs in pieces: its output is large."""
    tokens = torch.from_numpy(ids.astype(np.int64))
    with torch.no_grad():
        hidden = model.model(tokens[None]).last_hidden_state[0]
        total = 0.0
        for begin in range(0, len(ids) - 1, 256):
            end = min(begin + 256, len(ids) - 1)
            logits = model.lm_head(hidden[begin:end])
            losses = torch.nn.functional.cross_entropy(logits, tokens[begin + 1 : end + 1], reduction="none")
            total += losses.double().sum().item()
    return total


def main(path: str) -> None:
    torch.set_num_threads(2)
    protocol = json.loads((HERE / "protocol.json").read_text())
    checkpoint = Checkpoint(path)
    ids, text_hash = token_ids(checkpoint, protocol)
    model = checkpoint.model()
    windows = []
    for begin in range(0, len(ids), protocol["window"]):
        started = time.time()
        window = ids[begin : begin + protocol["window"]]
        windows.append({"tokens": len(window), "nll": window_nll(model, window)})
        print(f"window {len(windows)}: {windows[-1]['nll']:.3f} ({time.time() - started:.0f} s)", flush=True)
    nll = sum(window["nll"] for window in windows)
    scored = sum(window["tokens"] - 1 for window in windows)
    reference = {
        "model": {"file": Path(path).name, "sha256": sha256(Path(path).read_bytes())},
        "text": {"file": protocol["text"], "sha256": text_hash},
        "ids": {"count": len(ids), "first": ids[:16].tolist(), "sha256": sha256(ids.tobytes())},
        "window": protocol["window"],
        "perplexity": math.exp(nll / scored),
        "nll": nll,
        "scored": scored,
        "windows": windows,
        "arithmetic": "float32, eager attention, weights de-quantised by the gguf package",
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers", "gguf", "numpy")},
    }
    (HERE / "reference.json").write_text(json.dumps(reference, indent=2) + "\n")
    print(f"perplexity {reference['perplexity']:.4f} over {scored} tokens")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python reference.py MODEL.gguf")
    main(sys.argv[1])
