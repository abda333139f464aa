# ===- export.py - Export PyTorch models to ONNX, with what they compute -=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: export.py --output DIR [--only TEXT]

Writes, for each module of networks.py and each way to export it, NAME.onnx (with external data where the exporter
chooses so) and NAME.npz: input, output and, for feed-forward nets, target and the losses of ten SGD steps. An export
that PyTorch itself refuses is named in skipped.json with its reason.
"""
import argparse
import itertools
import json
import logging
import os
import sys
import warnings

import numpy as np
import torch

import networks

BATCH, STEPS, LEARNING_RATE = 4, 10, 0.05


def variants():
    """Exporter, mode, batch and type: every mode and batch with both exporters in f32; bf16 as users ship it."""
    for exporter, mode, batch in itertools.product(("dynamo", "torchscript"), ("eval", "train"), ("static", "dynamic")):
        yield exporter, mode, batch, "f32"
    for exporter in ("dynamo", "torchscript"):
        yield exporter, "eval", "static", "bf16"


def export(module, example, path, exporter, mode, batch):
    module.train(mode == "train")
    training = torch.onnx.TrainingMode.TRAINING if mode == "train" else torch.onnx.TrainingMode.EVAL
    if exporter == "dynamo":
        dynamic = ({0: torch.export.Dim("batch", min=1, max=1 << 20)},) if batch == "dynamic" else None
        torch.onnx.export(module, (example,), path, dynamo=True, dynamic_shapes=dynamic, input_names=["x"],
                          output_names=["y"], verbose=False)
    else:
        axes = {"x": {0: "batch"}, "y": {0: "batch"}} if batch == "dynamic" else None
        torch.onnx.export(module, (example,), path, dynamo=False, dynamic_axes=axes, input_names=["x"],
                          output_names=["y"], training=training, do_constant_folding=mode == "eval")


def train(module, x, target):
    """Losses of SGD on one batch."""
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def save(folder, name, make, inputs, trained, variant):
    exporter, mode, batch, kind = variant
    torch.manual_seed(0)
    module, x = make(), inputs(BATCH)
    with torch.no_grad():
        for parameter in module.parameters():  # equal parameters would be merged, and ones and zeros hide errors
            parameter.add_(0.1 * torch.randn_like(parameter))
    if kind == "bf16":
        module = module.to(torch.bfloat16)
        x = x.to(torch.bfloat16) if x.is_floating_point() else x
    export(module, x, os.path.join(folder, name + ".onnx"), exporter, mode, batch)
    values = {"x": (x.float() if x.is_floating_point() else x).numpy(), "y": module(x).float().detach().numpy()}
    if trained and kind == "f32":
        target = torch.randn(values["y"].shape)
        values["target"], values["losses"] = target.numpy(), np.array(train(module.train(), x, target))
    np.savez(os.path.join(folder, name + ".npz"), **values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    os.makedirs(arguments.output, exist_ok=True)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    skipped, count = {}, 0
    models = [(name, *model, True) for name, model in networks.FEED_FORWARD.items()]
    models += [(name, *model, False) for name, model in networks.TRANSFORMERS.items()]
    for (model, make, inputs, trained), variant in itertools.product(models, variants()):
        name = "-".join((model, *variant))
        if arguments.only not in name:
            continue
        try:
            save(arguments.output, name, make, inputs, trained, variant)
            count += 1
        except Exception as error:
            skipped[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    with open(os.path.join(arguments.output, "skipped.json"), "w") as file:
        json.dump(skipped, file, indent=1)
    print(f"PyTorch {torch.__version__}: {count} models exported, {len(skipped)} refused by PyTorch", flush=True)
    for name, reason in skipped.items():
        print(f"  {name}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
