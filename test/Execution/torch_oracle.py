# ===- torch_oracle.py - Training in PyTorch ------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: torch_oracle.py < JOBS

Run by a Python that has PyTorch. Each line of the input is a job, a JSON object: it says what phantom-run train was
told, and where the parameters, the data and the rows of each step are (npz). It is answered with one line: its losses
and gradient norms, or an error. All in f64: models of tanh layers, dense or phantom, whose gradients are PyTorch's,
and PyTorch's own optimizers, schedulers, losses and clipping.
"""
import json
import math
import sys
import traceback

import numpy as np
import torch


class Mlp(torch.nn.Module):
    """Layers fc1, fc2, …: z = W y + b, or, of p ranks, z_j = L_j y_j + Σ_{i≠j} D_ji^T C_i y_i + b_j."""

    def __init__(self, arrays):
        super().__init__()
        self.depth = max(int(name[2:].split(".")[0]) for name in arrays)
        self.names = {}
        for name, value in arrays.items():
            self.names[name] = torch.nn.Parameter(torch.tensor(value, dtype=torch.float64))
            self.register_parameter(name.replace(".", "_"), self.names[name])

    def layer(self, i, y):
        get = lambda kind: self.names.get(f"fc{i}.{kind}")
        if get("weight") is not None:
            return torch.nn.functional.linear(y, get("weight"), get("bias"))
        local, compressor, decompressor = get("local"), get("compressor"), get("decompressor")
        ranks = len(local)
        shards = y.unflatten(1, (ranks, -1)).transpose(0, 1)
        ghosts = shards @ compressor.mT
        others = decompressor * (1 - torch.eye(ranks, dtype=torch.float64))[:, :, None, None]
        parts = shards @ local.mT + torch.einsum("sbk,dskm->dbm", ghosts, others)
        return parts.transpose(0, 1).flatten(1) + get("bias")

    def forward(self, y):
        for i in range(1, self.depth + 1):
            y = self.layer(i, y)
            y = y if i == self.depth else torch.tanh(y)
        return y


def optimizer_of(job, parameters):
    rate, decay = job["learning_rate"], job["weight_decay"]
    if job["optimizer"] == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    if job["optimizer"] == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay,
                           momentum=0.9 if job["optimizer"] == "momentum" else 0)


def scheduler_of(job, optimizer):
    """Falls begin behind the warm-up, which rises to the full rate in its last step; all of them end above zero."""
    schedulers, total = torch.optim.lr_scheduler, job["steps"]
    warmup = math.ceil(job["warmup"] * total)
    rest = total - warmup
    if job["schedule"] == "cosine":
        main = schedulers.CosineAnnealingLR(optimizer, T_max=rest)
    elif job["schedule"] == "linear":
        main = schedulers.PolynomialLR(optimizer, total_iters=rest, power=1.0)
    elif job["schedule"] == "wsd":
        decay = math.ceil(0.2 * total)
        main = schedulers.LambdaLR(optimizer, lambda step: min(1.0, (rest - step) / decay))
    else:
        main = schedulers.ConstantLR(optimizer, factor=1.0)
    if not warmup:
        return main
    rise = schedulers.LambdaLR(optimizer, lambda step: (step + 1) / warmup)
    return schedulers.SequentialLR(optimizer, [rise, main], milestones=[warmup])


def train(job):
    arrays = np.load(job["parameters"])
    model = Mlp({name: arrays[name] for name in arrays.files})
    data = np.load(job["data"])
    x, t, order = torch.tensor(data["x"], dtype=torch.float64), torch.tensor(data["t"]), data["order"]
    if job["loss"] == "cross-entropy":
        criterion = torch.nn.CrossEntropyLoss(label_smoothing=job["label_smoothing"])
    else:
        criterion, t = torch.nn.MSELoss(), t.to(torch.float64)
    optimizer = optimizer_of(job, model.parameters())
    scheduler = scheduler_of(job, optimizer)
    losses, norms = [], []
    for rows in order:
        optimizer.zero_grad()
        total = 0.0
        for part in np.split(rows, job["accumulate"]):
            loss = criterion(model(x[part]), t[part]) / job["accumulate"]
            loss.backward()
            total += loss.item()
        largest = job["clip_norm"] or math.inf
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), largest).item())
        losses.append(total)
        optimizer.step()
        scheduler.step()
    return {"losses": losses, "norms": norms}


def answer(line):
    try:
        return train(json.loads(line))
    except Exception:
        return {"error": traceback.format_exc()}


def main():
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
