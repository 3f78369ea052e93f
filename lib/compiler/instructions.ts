// What a tape is made of, as native/program/format.h lays it out: the ops, and the operands of each in order.
import type { Dtype } from '../graph/dtype.ts'
import type { Dim } from '../graph/shape.ts'

/** Something in the arena: a buffer once memory.ts has given it a place. */
export interface Value {
  readonly id: number
  readonly rows: Dim
  readonly cols: number
  readonly dtype: typeof Dtype.f32 | typeof Dtype.act8
}

/** What the instructions of a program ask of a weight's format (WeightNeed in format.h). */
export const Need = { any: 0, f32: 1, floats: 2, quantised: 3 } as const
export type NeedName = keyof typeof Need

/** A number that grows by `stride` in each iteration of a REPEAT; index −1 is "none". */
export interface Indexed {
  readonly index: number
  readonly stride: number
}

export type OperandKind = 'read' | 'write' | 'update' | 'weight' | 'layer' | 'int' | 'float'

export type Operand =
  | { readonly kind: 'read' | 'write' | 'update'; readonly value: Value }
  | ({ readonly kind: 'weight' | 'layer' } & Indexed)
  | { readonly kind: 'int' | 'float'; readonly number: number }

export interface Instruction {
  readonly op: OpName
  readonly operands: readonly Operand[]
}

export interface Repeat {
  readonly op: 'repeat'
  readonly count: number
  readonly body: readonly Instruction[]
}

export const MAX_SEGMENTS = 3

const weight = (...names: string[]): [string, OperandKind][] => names.map((name) => [name, 'weight'])
const int = (...names: string[]): [string, OperandKind][] => names.map((name) => [name, 'int'])

/** Code, and name and kind of the operands, in the order of the words. `update` is read and written in place. */
export const OPS = {
  embed: { code: 1, operands: [...weight('table'), ['y', 'write']] },
  rms_norm: { code: 2, operands: [['x', 'read'], ...weight('w'), ...int('gather'), ['eps', 'float'], ['y', 'write']] },
  quantize: {
    code: 3,
    operands: [
      ['x', 'read'],
      ['y', 'write'],
    ],
  },
  linear: {
    code: 4,
    operands: [
      ['x', 'read'],
      ['y', 'write'],
      ...int('column', 'accumulate', 'segments'),
      ...weight('w0', 'bias0', 'w1', 'bias1', 'w2', 'bias2'),
    ],
  },
  rope_table: { code: 5, operands: [...weight('inv_freq'), ['scale', 'float'], ['y', 'write']] },
  rope_kv: {
    code: 6,
    operands: [
      ['qkv', 'update'],
      ['table', 'read'],
      ...int('heads'),
      ...weight('q_norm', 'k_norm'),
      ['eps', 'float'],
      ...int('interleaved'),
      ['layer', 'layer'],
    ],
  },
  attention: {
    code: 7,
    operands: [
      ['qkv', 'read'],
      ...int('heads'),
      ['scale', 'float'],
      ...int('window'),
      ['layer', 'layer'],
      ['y', 'write'],
    ],
  },
  swiglu: {
    code: 8,
    operands: [
      ['x', 'read'],
      ['y', 'write'],
    ],
  },
  add: {
    code: 9,
    operands: [
      ['x', 'read'],
      ['y', 'update'],
    ],
  },
  gated_linear: {
    code: 13,
    operands: [['x', 'read'], ['y', 'write'], ['both', 'write'], ...weight('gate', 'gate_bias', 'up', 'up_bias')],
  },
  sample: { code: 10, operands: [['logits', 'update']] },
  pool: { code: 11, operands: [['x', 'read'], ...int('mean')] },
} as const satisfies Record<string, { code: number; operands: readonly (readonly [string, OperandKind])[] }>

export type OpName = keyof typeof OPS
export const REPEAT_CODE = 12

export const read = (value: Value): Operand => ({ kind: 'read', value })
export const write = (value: Value): Operand => ({ kind: 'write', value })
export const update = (value: Value): Operand => ({ kind: 'update', value })
export const integer = (number: number | boolean): Operand => ({ kind: 'int', number: Number(number) })
export const float = (number: number): Operand => ({ kind: 'float', number })
export const layerOf = (index: number): Operand => ({ kind: 'layer', index, stride: 0 })
export const weightAt = (index: number): Operand => ({ kind: 'weight', index, stride: 0 })
export const NONE: Operand = weightAt(-1)

export const isValue = (operand: Operand): operand is Extract<Operand, { value: Value }> => 'value' in operand
export const isIndexed = (operand: Operand): operand is Extract<Operand, Indexed> => 'index' in operand

/** Words of an operand on the tape. */
export const operandWords = (kind: OperandKind): number => (kind === 'weight' || kind === 'layer' ? 2 : 1)
