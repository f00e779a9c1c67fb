"""The published HALO code as the peer of bench/halo.ts.

Usage: halo-peer.py FOLDER, with FOLDER the untouched repository (btheodorou99/HALO_Inpatient at 8d30ef8); torch and numpy
must be there. Answers one request per line of standard input, both JSON. `HALOModel` and `HALOConfig` are imported as
they stand and `get_batch` is lifted out of train_model.py, whose module level trains at once. A step is that script's:
zero_grad, forward, backward, Adam. Sampling is timed by `HALOModel.sample` itself, made to end after some columns.
"""

import ast
import json
import pathlib
import resource
import struct
import sys
import time

import numpy
import torch


def read_safetensors(path):
    content = numpy.memmap(path, dtype=numpy.uint8, mode="r")
    size = struct.unpack("<Q", content[:8].tobytes())[0]
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + size].tobytes()).items():
        first, end = entry["data_offsets"]
        values = content[8 + size + first : 8 + size + end].view(numpy.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


class Peer:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        sys.path.insert(0, str(self.folder))

    def open(self, config, patients, weights=None):
        from config import HALOConfig
        from model import HALOModel

        torch.manual_seed(4)
        self.config = HALOConfig(**config)
        self.model = HALOModel(self.config)
        if weights is not None:
            # The masks are in its state as well; they are not in ours.
            self.model.load_state_dict(read_safetensors(weights), strict=False)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.config.lr)
        self.model.train()
        tree = ast.parse((self.folder / "train_model.py").read_text())
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "get_batch"]
        for patient in patients:
            patient["labels"] = numpy.array(patient["labels"], dtype=float)
        scope = {"np": numpy, "config": self.config, "train_ehr_dataset": patients}
        exec(compile(tree, "train_model.py", "exec"), scope)
        self.get_batch = scope["get_batch"]
        return {
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }

    def step(self, first):
        start = time.perf_counter()
        visits, mask = self.get_batch(first, self.config.batch_size, "train")
        visits = torch.tensor(visits, dtype=torch.float32)
        mask = torch.tensor(mask, dtype=torch.float32)
        batched = time.perf_counter()
        self.optimizer.zero_grad()
        loss, _, _ = self.model(visits, position_ids=None, ehr_labels=visits, ehr_masks=mask)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        self.optimizer.step()
        end = time.perf_counter()
        return {
            "loss": loss.item(),
            "batch": batched - start,
            "parts": [forward - batched, backward - forward, end - backward],
        }

    def sample(self, patients):
        """Seconds of the transformer, and of one turn of the loop over columns, for one visit of so many patients.

        Untrained, each column is in half of the patients, so the loop takes the columns one by one.
        """
        width = self.config.total_vocab_size
        record = torch.zeros((patients, 3, width))
        record[:, 0, width - 3] = 1
        self.model.eval()

        def visit(turns):
            self.model.ehr_head.tot_vocab = turns
            with torch.no_grad():
                return seconds(lambda: self.model.sample(record.clone()))[0]

        visit(1)
        one = min(visit(1) for _ in range(3))
        nine = min(visit(9) for _ in range(3))
        self.model.ehr_head.tot_vocab = width
        turn = (nine - one) / 8
        return {"turn": turn, "transformer": one - turn}

    def gemm(self, size):
        a, b = torch.randn(size, size), torch.randn(size, size)
        torch.mm(a, b)
        return {"seconds": [seconds(lambda: torch.mm(a, b))[0] for _ in range(10)]}

    def memory(self):
        return {"mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main():
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(peer, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


main()
