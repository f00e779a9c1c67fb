"""The published PromptEHR training step as the peer of bench/promptehr.ts.

Usage: promptehr-peer.py FOLDER WEIGHTS, with FOLDER the untouched repository (RyanWangZf/PromptEHR; torch and
transformers 4.25.1 must be there) and WEIGHTS a safetensors file. Reads {"config", "heads", "batch", "steps", ...} on
standard input; writes seconds of each part of each step, the loss before the first, and the greatest memory as JSON.
The step is what the repository's Trainer settings do: forward, backward, clipping at 0.5, transformers' AdamW. Its
labels are mapped to a head's outputs by a table instead of by its tokenizer, which is quicker.
"""

import importlib
import json
import pathlib
import resource
import struct
import sys
import time
import types

import numpy
import torch
from transformers import BartConfig
from transformers.generation import utils as generation_utils
from transformers.optimization import AdamW


class Labels:
    """What the model asks of its tokenizer: the output of a head for a token, shifted by three."""

    label_offset = 3

    def __init__(self, heads, tokens):
        self.tokenizer_dict = heads
        self.tables = {}
        for name, tokens in heads.items():
            table = torch.zeros(tokens, dtype=torch.long)
            table[torch.tensor(tokens)] = torch.arange(len(tokens)) + self.label_offset
            self.tables[name] = table

    def encode(self, labels, code_type):
        return self.tables[code_type][labels]


def read_safetensors(path):
    content = numpy.memmap(path, dtype=numpy.uint8, mode="r")
    size = struct.unpack("<Q", content[:8].tobytes())[0]
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + size].tobytes()).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        values = content[8 + size + first : 8 + size + end].view(numpy.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def load_model(folder, task):
    # The package's own __init__ wants libraries that training does not.
    package = types.ModuleType("promptehr")
    package.__path__ = [str(pathlib.Path(folder) / "promptehr")]
    sys.modules["promptehr"] = package
    if not hasattr(generation_utils, "_expand_inputs_for_generation"):
        mixin = generation_utils.GenerationMixin
        generation_utils._expand_inputs_for_generation = mixin._expand_inputs_for_generation
    model_module = importlib.import_module("promptehr.model")
    heads = task["heads"]
    config = BartConfig(**task["config"], scale_embedding=False, activation_function="gelu", use_cache=False)
    config.__dict__.update({name: len(tokens) for name, tokens in heads.items()})
    config.__dict__.update(task["prompts"], data_tokenizer_num_vocab=config.vocab_size)
    return model_module.BartForEHRSimulation(config, Labels(heads, config.vocab_size))


def main():
    folder, weights = sys.argv[1:3]
    task = json.load(sys.stdin)
    torch.manual_seed(1)
    model = load_model(folder, task)
    missing, unexpected = model.load_state_dict(read_safetensors(weights), strict=False)
    # What we do not save: further names of the shared embedding, and a bias that is always zero.
    wrong = [name for name in missing if "embed_tokens" not in name and name not in ("lm_head.weight", "final_logits_bias")]
    if wrong or unexpected:
        raise SystemExit(f"weights do not fit: {wrong} missing, {unexpected} unexpected")
    batch = {name: torch.tensor(values) for name, values in task["batch"].items()}
    batch["code_type"] = task["codeType"]
    model.eval()
    with torch.no_grad():
        loss = float(model(**batch).loss)
    model.train()
    optimizer = AdamW(model.parameters(), lr=1e-5, weight_decay=1e-4, no_deprecation_warning=True)
    parts, steps = [], []
    for _ in range(task["steps"] + 1):
        processor = time.process_time()
        times = [time.perf_counter()]
        training_loss = model(**batch).loss
        times.append(time.perf_counter())
        training_loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        times.append(time.perf_counter())
        optimizer.step()
        model.zero_grad()
        times.append(time.perf_counter())
        parts.append([after - before for before, after in zip(times, times[1:])])
        steps.append({"wall": times[-1] - times[0], "processor": time.process_time() - processor})
    json.dump(
        {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "loss": loss,
            "parameters": sum(p.numel() for p in model.parameters()),
            "parts": parts[1:],
            "steps": steps[1:],
            "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        sys.stdout,
    )


main()
