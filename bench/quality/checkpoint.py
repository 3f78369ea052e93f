"""The oracle's side of a GGUF checkpoint: its weights de-quantised to float32 in a Hugging Face Llama, and its
tokenizer built from its own tables. Nothing of Kvasir is used.

GGUF keeps q_proj and k_proj with the rows of each head reordered so that rotary pairs are neighbours
(2i, 2i + 1); Hugging Face rotates (i, i + head_dim / 2). `unpermute` undoes the reordering.
"""

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    rows, cols = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


class Checkpoint:
    def __init__(self, path: str):
        self.reader = gguf.GGUFReader(path)
        self.architecture = self.value("general.architecture")
        if self.architecture != "llama":
            raise SystemExit(f"{path}: architecture {self.architecture}; the oracle reads llama")

    def value(self, key: str, default=None):
        field = self.reader.get_field(key)
        return default if field is None else field.contents()

    def hyper(self, key: str, default=None):
        return self.value(f"{self.architecture}.{key}", default)

    def config(self) -> LlamaConfig:
        heads = self.hyper("attention.head_count")
        return LlamaConfig(
            vocab_size=len(self.value("tokenizer.ggml.tokens")),
            hidden_size=self.hyper("embedding_length"),
            intermediate_size=self.hyper("feed_forward_length"),
            num_hidden_layers=self.hyper("block_count"),
            num_attention_heads=heads,
            num_key_value_heads=self.hyper("attention.head_count_kv", heads),
            max_position_embeddings=self.hyper("context_length"),
            rms_norm_eps=self.hyper("attention.layer_norm_rms_epsilon"),
            rope_parameters={"rope_type": "default", "rope_theta": self.hyper("rope.freq_base", 10000.0)},
            tie_word_embeddings=not any(tensor.name == "output.weight" for tensor in self.reader.tensors),
            attn_implementation="eager",
        )

    def model(self) -> LlamaForCausalLM:
        """float32, eager attention. Fails when a weight is missing or left over."""
        config = self.config()
        state = {}
        for tensor in self.reader.tensors:
            weight = np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
            parts = tensor.name.split(".")
            if parts[0] == "blk":
                name = f"model.layers.{parts[1]}.{LAYER[parts[2]]}.weight"
                if parts[2] == "attn_q":
                    weight = unpermute(weight, config.num_attention_heads)
                if parts[2] == "attn_k":
                    weight = unpermute(weight, config.num_key_value_heads)
            elif parts[0] in TOP:
                name = TOP[parts[0]] + ".weight"
            else:
                raise SystemExit(f"a tensor that the oracle does not know: {tensor.name}")
            state[name] = torch.from_numpy(np.ascontiguousarray(weight))
        if config.tie_word_embeddings:
            state["lm_head.weight"] = state["model.embed_tokens.weight"]
        model = LlamaForCausalLM(config).float().eval()
        model.load_state_dict(state, strict=True)
        return model

    def tokenizer(self) -> Tokenizer:
        """Byte-level BPE as the checkpoint was trained with it: GPT-2's regex, digits one by one."""
        kind, pre = self.value("tokenizer.ggml.model"), self.value("tokenizer.ggml.pre")
        if (kind, pre) != ("gpt2", "smollm"):
            raise SystemExit(f"tokenizer {kind}/{pre}; the oracle reads gpt2/smollm")
        vocabulary = {token: id for id, token in enumerate(self.value("tokenizer.ggml.tokens"))}
        merges = [tuple(merge.split(" ")) for merge in self.value("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer
