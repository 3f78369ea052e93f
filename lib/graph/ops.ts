// The vocabulary that models are written in. Each op adds one node; its meaning is that of the papers.
import type { AttentionShape, Graph, Rotary, Tensor, Weight } from './graph.ts'

/** [T, dim]: the table's row of each token of the step. */
export function embed(g: Graph, table: Weight): Tensor {
  const out = g.tensor('T', table.cols)
  g.push({ op: 'embed', table, out })
  return out
}

/** x · Wᵀ (+ bias). */
export function linear(x: Tensor, weight: Weight, bias: Weight | null = null): Tensor {
  const out = x.graph.tensor(x.rows, weight.rows)
  x.graph.push({ op: 'linear', x, weight, bias, out })
  return out
}

/** x / rms(x) · w. A weight shorter than a row norms each head of its length alone. */
export function rmsNorm(x: Tensor, weight: Weight, eps: number): Tensor {
  const out = x.graph.tensor(x.rows, x.cols)
  x.graph.push({ op: 'rmsNorm', x, weight, eps, out })
  return out
}

/** Rotates each head of x by its token's position. */
export function rope(x: Tensor, rotary: Rotary): Tensor {
  const out = x.graph.tensor(x.rows, x.cols)
  x.graph.push({ op: 'rope', x, rotary, out })
  return out
}

/** Appends k and v to the sequence's pages and attends, causally, over all of them. */
export function pagedAttention(q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape): Tensor {
  const out = q.graph.tensor(q.rows, q.cols)
  q.graph.push({ op: 'pagedAttention', q, k, v, shape, out })
  return out
}

/** x · sigmoid(x). */
export function silu(x: Tensor): Tensor {
  const out = x.graph.tensor(x.rows, x.cols)
  x.graph.push({ op: 'silu', x, out })
  return out
}

export function mul(a: Tensor, b: Tensor): Tensor {
  const out = a.graph.tensor(a.rows, a.cols)
  a.graph.push({ op: 'mul', a, b, out })
  return out
}

export function add(a: Tensor, b: Tensor): Tensor {
  const out = a.graph.tensor(a.rows, a.cols)
  a.graph.push({ op: 'add', a, b, out })
  return out
}

/** [L, cols]: the rows of x that the step samples from or scores. */
export function rows(x: Tensor): Tensor {
  const out = x.graph.tensor('L', x.cols)
  x.graph.push({ op: 'rows', x, out })
  return out
}

/** One token of each row of logits, by its sequence's sampler. */
export function sample(logits: Tensor): void {
  logits.graph.push({ op: 'sample', logits })
}

/** One vector of each sequence: the mean of its tokens' rows, or its last token's. */
export function pool(x: Tensor, method: 'mean' | 'last'): void {
  x.graph.push({ op: 'pool', x, mean: method === 'mean' })
}
