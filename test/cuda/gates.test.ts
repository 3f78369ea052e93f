// The gates of npm run build:cuda, on words of ptxas and cuobjdump.
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'

interface Row {
  kernel: string
  target: string
  registers: number
  spills: number
  code?: Record<string, number>
}
const { faultsOf, ofAssembler, ofMachineCode } = createRequire(__filename)('../../scripts/cuda-gates.cjs') as {
  ofAssembler(log: string): Iterable<Row>
  ofMachineCode(sass: string): Map<string, Record<string, number>>
  faultsOf(row: Row): string[]
}

const assembler = (kernel: string, registers: number, spilled: number) => `
ptxas info    : Compiling entry function '${kernel}' for 'sm_90a'
ptxas info    : Function properties for ${kernel}
    0 bytes stack frame, ${spilled} bytes spill stores, ${spilled} bytes spill loads
ptxas info    : Used ${registers} registers, used 1 barriers`
const code = (kernel: string, ...instructions: string[]) => `
arch = sm_90a
		Function : ${kernel}
	.headerflags	@"EF_CUDA_SM90"
${instructions.map((one, i) => `        /*${i.toString(16).padStart(3, '0')}0*/                   ${one} ;   /* 0x0000 */`).join('\n')}`

function faults(kernel: string, registers: number, spilled: number, ...instructions: string[]) {
  const counts = ofMachineCode(code(kernel, ...instructions))
  const rows = [...ofAssembler(assembler(kernel, registers, spilled))]
  return rows.flatMap((row) => faultsOf({ ...row, code: counts.get(`${row.kernel} ${row.target}`) }))
}

it('passes what is as it should be', () => {
  expect(faults('linear_q4_0_wide', 168, 0, 'IMMA.16832.S8.S8 R4, R8.ROW, R2.COL, R4', '@!P0 EXIT')).toEqual([])
})

it('names what spills, takes too many registers, lies in local memory or lacks its instructions', () => {
  expect(faults('add', 176, 4, '@P1 STL [R1], R2', 'LDL.64 R2, [R1]')).toEqual([
    'add for sm_90a: 176 registers, at most 168',
    'add for sm_90a: 8 bytes of spills',
    'add for sm_90a: 1 LDL',
    'add for sm_90a: 1 STL',
  ])
  expect(faults('linear_q4_0_wide', 168, 0, 'HMMA.16816.F32 R4, R8, R2, R4')).toEqual([
    'linear_q4_0_wide for sm_90a: no IMMA',
  ])
  expect([...ofAssembler(assembler('add', 8, 0))].flatMap(faultsOf)).toEqual(['add for sm_90a: no machine code'])
})
