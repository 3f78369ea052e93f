// Row-wise ops in double precision, one row at a time.

export function rmsNorm(x: Float32Array, w: Float32Array, eps: number): Float64Array {
  let squares = 0
  for (const v of x) squares += v * v
  const by = 1 / Math.sqrt(squares / x.length + eps)
  return Float64Array.from(x, (v, i) => v * by * w[i]!)
}

/** x holds gate, then up. */
export function swiglu(x: Float32Array): Float64Array {
  const dim = x.length / 2
  return Float64Array.from({ length: dim }, (_, i) => (x[i]! / (1 + Math.exp(-x[i]!))) * x[dim + i]!)
}
