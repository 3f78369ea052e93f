// What compiled kernels must be like: no spills, registers within a budget, and in their machine code the tensor
// instructions that they are written for.

// Three blocks of 128 threads on a multiprocessor of 65536 registers, which are given out by eights, or one of 384 whose warps
// hand them over; two blocks for the tiles that keep 64 sums and more in a thread's registers.
const registerBudget = (kernel) => (/_wide$|_prefill_128$/.test(kernel) ? 240 : 168)

// Which machine instructions a kernel must contain: a missing one means that the compiler put something slower in its place.
const needed = [
  [/^linear_.*_(wide|narrow)$/, ['IMMA']],
  [/^attention_prefill_/, ['IMMA']],
  [/^linear_b?f16_wgmma_/, ['HGMMA', 'UTMALDG', 'SYNCS']],
  [/^linear_q.*_wgmma_\d+$/, ['IGMMA', 'UTMALDG', 'UBLKCP', 'SYNCS', 'USETMAXREG']],
  [/^attention_.*wgmma_/, ['HGMMA', 'UTMALDG', 'SYNCS', 'USETMAXREG']],
  [/^conformance$/, ['IMMA', 'HMMA', 'LDSM', 'LDGSTS']],
]
const counted = ['IMMA', 'HMMA', 'IGMMA', 'HGMMA', 'QGMMA', 'QMMA', 'LDSM', 'LDGSTS', 'UTMALDG', 'UBLKCP', 'LDL', 'STL']

/** A row for each kernel and target, from what ptxas says with -v. */
function* ofAssembler(log) {
  for (const part of log.split('Compiling entry function ').slice(1)) {
    const [, kernel, target] = part.match(/^'(\w+)' for '(\w+)'/)
    const [, stores, loads] = part.match(/(\d+) bytes spill stores, (\d+) bytes spill loads/)
    yield { kernel, target, registers: Number(part.match(/Used (\d+) registers/)[1]), spills: +stores + +loads }
  }
}

/** What cuobjdump -sass prints → counts of instructions by `kernel target`. */
function ofMachineCode(sass) {
  const counts = new Map()
  let target = ''
  let of = null
  for (const line of sass.split('\n')) {
    const arch = line.match(/^arch = (\w+)/)
    if (arch) target = arch[1]
    const name = line.match(/Function : (\w+)/)
    if (name) {
      of = {}
      counts.set(`${name[1]} ${target}`, of)
    }
    const instruction = line.match(/^\s+\/\*[0-9a-f]{4,}\*\/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)/)
    if (of && instruction) of[instruction[1]] = (of[instruction[1]] ?? 0) + 1
  }
  return counts
}

// sin and cos reduce arguments beyond 10⁵ by a table in local memory.
const mayUseLocal = /^rope_table$/

/** What is wrong with a kernel on a target, in words. */
function faultsOf({ kernel, target, registers, spills, code }) {
  const faults = []
  const budget = registerBudget(kernel)
  if (registers > budget) faults.push(`${registers} registers, at most ${budget}`)
  if (spills > 0) faults.push(`${spills} bytes of spills`)
  if (!code) faults.push('no machine code')
  for (const local of ['LDL', 'STL'])
    if (code?.[local] && !mayUseLocal.test(kernel)) faults.push(`${code[local]} ${local}`)
  for (const [names, instructions] of needed)
    if (code && names.test(kernel)) for (const one of instructions) if (!code[one]) faults.push(`no ${one}`)
  return faults.map((fault) => `${kernel} for ${target}: ${fault}`)
}

/** One row for each kernel: registers by target, and what the first target's machine code holds. */
function table(rows) {
  const kernels = new Map()
  for (const { kernel, target, registers, spills, code = {} } of rows) {
    const row = kernels.get(kernel) ?? {}
    row[target] = spills ? `${registers} (${spills} spilled)` : registers
    row.instructions ??= counted
      .filter((name) => code[name])
      .map((name) => `${code[name]} ${name}`)
      .join(', ')
    kernels.set(kernel, row)
  }
  return Object.fromEntries(kernels)
}

module.exports = { faultsOf, ofAssembler, ofMachineCode, table }
