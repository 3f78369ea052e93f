// What dequantize_row and quantize_row share: a row is blocks of a format, and each format has one function for a block.
#pragma once

#include "native/base/check.h"
#include "native/base/dtype.h"

namespace kvasir {

constexpr int kWeightFormats = static_cast<int>(Dtype::q6_k) + 1;

// Calls the function of `dtype` for every block of a row of n values: call(function, first value, first byte).
// `functions` are in the order of Dtype; `who` is named in the error.
template <typename Function, typename Call>
void each_block(const Function (&functions)[kWeightFormats], Dtype dtype, int64_t n, const char* who, Call call) {
  const int format = static_cast<int>(dtype);
  KV_CHECK(format >= 0 && format < kWeightFormats, "KV_UNSUPPORTED", who, ": format ", format, " holds no weights");
  const Block block = block_of(dtype);
  KV_CHECK(n % block.values == 0, "KV_NATIVE", who, ": ", n, " values are not whole blocks of ", block.values);
  int64_t byte = 0;
  for (int64_t i = 0; i < n; i += block.values, byte += block.bytes) call(functions[format], i, byte);
}

}  // namespace kvasir
