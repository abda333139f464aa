// RUN: phantom-opt %s --phantom-verify-partition --split-input-file --verify-diagnostics

#partial = #phantom.state<"phantom" = partial>
func.func @f(%x: tensor<4x8xf32, #partial>) -> tensor<4x8xf32, #partial> {
  %a = arith.addf %x, %x : tensor<4x8xf32, #partial>
  // expected-error @+1 {{'arith.mulf' of a partial value: reduce it first}}
  %b = arith.mulf %a, %x : tensor<4x8xf32, #partial>
  return %b : tensor<4x8xf32, #partial>
}

// -----

// expected-error @+1 {{argument 0 is data and has state #phantom.state<"phantom" = shard(1)>; data are replicated}}
func.func @f(%x: tensor<4x8xf32, #phantom.state<"phantom" = shard(1)>> {phantom.input = "x"}) {
  return
}

// -----

// expected-error @+1 {{result 0 has state #phantom.state<"phantom" = shard(1)>; outputs are replicated}}
func.func @f(%x: tensor<4x8xf32, #phantom.state<"phantom" = shard(1)>>) -> (tensor<4x8xf32, #phantom.state<"phantom" = shard(1)>> {phantom.output = "y"}) {
  return %x : tensor<4x8xf32, #phantom.state<"phantom" = shard(1)>>
}

// -----

phantom.parameter @w : tensor<4x8xf32> layout <shard(0)> init <uniform, fan_in = 8>
// expected-error @+1 {{argument 0 has type 'tensor<4x8xf32>', which the layout of parameter 'w' does not give}}
func.func @f(%w: tensor<4x8xf32> {phantom.parameter = @w}) {
  return
}

// -----

phantom.parameter @w : tensor<8xf32> init <uniform, fan_in = 8> trainable
// expected-error @+1 {{result 0 is of type 'tensor<8xf32, #phantom.state<"phantom" = partial>>', parameter @w of 'tensor<8xf32>'}}
func.func @f(%w: tensor<8xf32> {phantom.parameter = @w}, %g: tensor<8xf32, #phantom.state<"phantom" = partial>>)
    -> (tensor<8xf32, #phantom.state<"phantom" = partial>> {phantom.gradient = @w}) {
  return %g : tensor<8xf32, #phantom.state<"phantom" = partial>>
}
