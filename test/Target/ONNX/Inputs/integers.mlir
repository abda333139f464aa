module attributes {phantom.model = "integers"} {
  func.func @forward(%a: tensor<4xi8> {phantom.input = "a", phantom.unsigned}, %x: tensor<4xf32> {phantom.input = "x"},
                     %n: tensor<4xi64> {phantom.input = "n"})
      -> (tensor<4xi8> {phantom.output = "y", phantom.unsigned}, tensor<4xf32> {phantom.output = "z"},
          tensor<4xi1> {phantom.output = "c"}, tensor<4xi64> {phantom.output = "m"}) {
    %one = arith.constant dense<255> : tensor<4xi8>
    %flags = arith.constant dense<[true, false, true, true]> : tensor<4xi1>
    %y = arith.addi %a, %one : tensor<4xi8>
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    %positive = arith.cmpf ogt, %x, %zero : tensor<4xf32>
    %different = arith.cmpi ne, %a, %y : tensor<4xi8>
    %both = arith.andi %positive, %different : tensor<4xi1>
    %c = arith.xori %both, %flags : tensor<4xi1>
    %z = arith.select %c, %x, %zero : tensor<4xi1>, tensor<4xf32>
    %m = arith.maxsi %n, %n : tensor<4xi64>
    return %y, %z, %c, %m : tensor<4xi8>, tensor<4xf32>, tensor<4xi1>, tensor<4xi64>
  }
}
