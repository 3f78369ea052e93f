// Two conventions for rotary pairs in the rows of q and k. Hugging Face pairs row i of a head with row i + d/2; GGUF's
// llama architecture pairs neighbours, 2i with 2i + 1. The same values, in another order of rows.

/** Rows of whole heads from Hugging Face's order to GGUF's. `headRows` is d; `rowBytes` the size of a row. */
export function interleave(bytes: Uint8Array, headRows: number, rowBytes = 4): Uint8Array {
  const result = new Uint8Array(bytes.length)
  const half = headRows / 2
  for (let row = 0; row * rowBytes < bytes.length; row++) {
    const within = row % headRows
    const from = row - within + (within % 2) * half + Math.floor(within / 2)
    result.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes)
  }
  return result
}
