// RUN: phantom-opt %s --phantom-encode-exchanges=encoding=bf16 --split-input-file --verify-diagnostics

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @stateful(%g: tensor<4x64xf32, #phantom.state<"phantom" = shard(0)>>) -> tensor<16x64xf32, #phantom.state<"phantom" = per_rank>> {
  // expected-error @+1 {{has a state: run phantom-strip-states before}}
  %y = phantom.all_gather %g dim 0 on @mesh "phantom"
      : tensor<4x64xf32, #phantom.state<"phantom" = shard(0)>> -> tensor<16x64xf32, #phantom.state<"phantom" = per_rank>>
  return %y : tensor<16x64xf32, #phantom.state<"phantom" = per_rank>>
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @buffers(%w: memref<8xf32>) {
  // expected-error @+1 {{works on buffers: encode exchanges before phantom-bufferize}}
  phantom.collective <all_gather> %w on @mesh "phantom" : memref<8xf32>
  return
}
