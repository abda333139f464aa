// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=2 ghost-width=1" --verify-diagnostics -o /dev/null

phantom.parameter @a.weight : tensor<8x6xf32> init <uniform, fan_in = 6> trainable
phantom.parameter @b.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @c.weight : tensor<3x8xf32> init <uniform, fan_in = 8> trainable

func.func @forward(%x: tensor<5x6xf32> {phantom.input = "x"}, %a: tensor<8x6xf32> {phantom.parameter = @a.weight},
                   %b: tensor<8x8xf32> {phantom.parameter = @b.weight}, %c: tensor<3x8xf32> {phantom.parameter = @c.weight}) -> tensor<5x3xf32> {
  // expected-remark @+1 {{layer 'a' is column parallel: 24 weights per rank, of 48}}
  %0 = phantom.linear %x, %a : (tensor<5x6xf32>, tensor<8x6xf32>) -> tensor<5x8xf32>
  // expected-remark @+1 {{layer 'b' is a phantom layer of 1 ghosts per rank: 24 weights per rank, of 64}}
  %1 = phantom.linear %0, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  // expected-remark @+1 {{layer 'c' is row parallel: 12 weights per rank, of 24, and one all-reduce}}
  %2 = phantom.linear %1, %c : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %2 : tensor<5x3xf32>
}
