# ===- inference_onnxruntime.py - Latencies of a model in onnxruntime -------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: inference_onnxruntime.py MODEL.onnx THREADS INPUTS OUTPUTS

Does what infer_loop does, with inputs and outputs that are bound once."""
import statistics
import sys
import time

import numpy as np
import onnxruntime

LEAST_CALLS = 5


def median_seconds(run, seconds):
    times, start = [], time.perf_counter()
    run()  # caches, and threads that sleep
    while len(times) < LEAST_CALLS or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main():
    model, threads, inputs, outputs = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    width = session.get_inputs()[0].shape[1]
    x = np.fromfile(inputs, np.float32).reshape(-1, width)
    y = np.zeros((len(x), session.get_outputs()[0].shape[1]), np.float32)
    binding = session.io_binding()
    bind = lambda array: dict(device_type="cpu", device_id=0, element_type=np.float32, shape=array.shape,
                              buffer_ptr=array.ctypes.data)
    binding.bind_input(session.get_inputs()[0].name, **bind(x))
    binding.bind_output(session.get_outputs()[0].name, **bind(y))
    run = lambda: session.run_with_iobinding(binding)
    run()
    y.tofile(outputs)
    print("ready", flush=True)
    for line in sys.stdin:
        print(median_seconds(run, float(line)), flush=True)


if __name__ == "__main__":
    main()
