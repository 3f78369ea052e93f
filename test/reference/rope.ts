// Rotary embedding of one head in double precision.

/** cos and sin of every pair: [cos…, sin…]. The angle is rounded to f32 first, as in published implementations. */
export function ropeTable(position: number, invFreq: Float32Array, scale: number): Float64Array {
  const angles = Array.from(invFreq, (f) => Math.fround(position * f))
  return Float64Array.from([...angles.map((a) => Math.cos(a) * scale), ...angles.map((a) => Math.sin(a) * scale)])
}

export function rotate(x: Float64Array, table: ArrayLike<number>, rotaryDim: number, interleaved: boolean): void {
  const half = rotaryDim / 2
  for (let i = 0; i < half; i++) {
    const [a, b] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half]
    const [cos, sin] = [table[i]!, table[half + i]!]
    const [first, second] = [x[a]!, x[b]!]
    x[a] = first * cos - second * sin
    x[b] = second * cos + first * sin
  }
}
