// The driver layer against the look-alike, from C++ (test/native/driver_test.cc).
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { buildSimt, cardReports, lookalike } from '../support/lookalike.ts'
import { temporaryFolder } from '../support/temporary.ts'

const report = join(temporaryFolder(), 'report')
let env: NodeJS.ProcessEnv
let build: string
const run = (...args: string[]) =>
  execFileSync(join(build, 'driver_test'), args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })

beforeAll(() => {
  env = { ...process.env, ...lookalike(), KVASIR_SIMT_REPORT: report }
  build = buildSimt('driver_test')
})

it('records and replays graphs, keeps the order of a stream, times, and refuses bad arguments', () => {
  expect(run().trim().split('\n')).toEqual(['arguments: ok', 'capture: ok', 'events: ok', 'graph: ok', 'order: ok'])
  for (const { allocations, objects } of cardReports(report))
    expect({ allocations, objects }).toEqual({ allocations: 0, objects: 0 })
  expect(
    cardReports(report)
      .map(({ graphLaunches }) => graphLaunches)
      .at(-1),
  ).toBe(3)
})

it.each(['overrun', 'null'])('a kernel that touches what is not its own ends the card, not the process: %s', (name) => {
  expect(run(name)).toBe(`${name}: ok\n`)
})
