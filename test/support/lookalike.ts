// A card for tests: the look-alike of libcuda over the emulator (native/simt/lookalike), built once. The environment of a
// process is read when the driver is first opened, so a test with another machine runs in a process of its own.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(__dirname, '..', '..')
const build = join(root, 'build', 'test-simt')

/** Builds targets of CMakeLists.txt; returns the folder that they are in. */
export function buildSimt(...targets: string[]): string {
  execFileSync('cmake', ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], { stdio: 'pipe' })
  execFileSync('cmake', ['--build', build, '--target', ...targets, '-j2'], { stdio: 'pipe' })
  return build
}

/** Builds the look-alike; the environment in which it is the machine's driver. */
export function lookalike(settings: Record<string, string> = {}): Record<string, string> {
  const folder = buildSimt('kvasir-simt-cuda')
  return {
    KVASIR_LIBCUDA: join(folder, 'libkvasir-simt-cuda.so'),
    KVASIR_CUDA_KERNELS: join(folder, 'simt-kernels'),
    ...settings,
  }
}

/** What the look-alike counted, a line for each time that the last user of a card went. */
export interface CardReport {
  device: number
  /** Kernels run, those of graphs included; graphs run, and their kernels; operations recorded and not run. */
  launches: number
  graphLaunches: number
  graphKernels: number
  captured: number
  /** Of the launches, those of kernels for compute capability 9.0 alone. */
  wgmmaKernels: number
  copies: number
  /** What was not given back: blocks of the card's memory; streams, events, graphs, libraries and pinned memory. */
  allocations: number
  objects: number
}
export const cardReports = (path: string): CardReport[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []

/** Runs a script in a process with this environment. It may use `load`, and prints with `report(value)`. */
export function inProcess<T>(env: Record<string, string>, script: string): T {
  const source = `
    const { load } = require(${JSON.stringify(join(root, 'dist'))})
    const report = (value) => console.log('report:' + JSON.stringify(value))
    ;(async () => { ${script} })().catch(({ code, message }) => report({ code, message }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', source], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  const line = stdout.split('\n').find((one) => one.startsWith('report:'))
  if (!line) throw new Error(`the process reported nothing: ${stdout}${stderr}`)
  return JSON.parse(line.slice('report:'.length)) as T
}
