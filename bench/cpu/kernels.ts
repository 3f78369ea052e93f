// The bench of the kernels alone (bench/kernels/linear.cc), built when it is asked for.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Figures, ROOT } from '../harness.ts'

const FORMATS = ['q4_0', 'q4_1', 'q8_0', 'f32']

export interface Machine {
  ghz: number
  /** Read bandwidth of all threads together. */
  gb_per_s: number
  /** What the instructions of the 4-bit tiles allow them. */
  gmac_per_s: number
}

export class KernelBench {
  private readonly program = join(ROOT, 'build', 'linear_bench')

  constructor() {
    execFileSync('cmake', ['--build', join(ROOT, 'build'), '--target', 'linear_bench'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  machine(threads: number): Machine {
    return JSON.parse(this.run('--machine', String(threads))) as Machine
  }

  /** Prints the table of each format, for every instruction set that runs here, or for the one of KVASIR_ISA. */
  table(): Figures {
    const forced = process.env['KVASIR_ISA']
    const sets = forced ? ['--isa', forced] : []
    const figures: Figures = {}
    for (const format of FORMATS) {
      const lines = this.run(...sets, '--format', format, '--shape', '0')
        .trimEnd()
        .split('\n')
      Object.assign(figures, (JSON.parse(lines.pop()!) as { figures: Figures }).figures)
      console.log(`${lines.join('\n')}\n`)
    }
    return figures
  }

  private run(...args: string[]): string {
    return execFileSync(this.program, args, { encoding: 'utf8' })
  }
}
