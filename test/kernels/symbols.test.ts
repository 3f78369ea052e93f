import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

// An inline function that two instruction sets both emit is one function after linking, and the linker may keep the
// copy with AVX code: it would run on a processor that lacks it. So the objects of a set may define nothing weak, and
// nothing global outside the namespace of their set.
const objects = join(__dirname, '../../build/CMakeFiles')

test.each(['avx2', 'avxvnni', 'avx512'])('the kernel objects of %s share no symbol with other sets', (isa) => {
  if (process.arch !== 'x64') return
  const folder = join(objects, `kvasir_cpu_${isa}.dir/native/cpu`)
  const files = readdirSync(folder).filter((name) => name.endsWith('.o'))
  expect(files.length).toBeGreaterThan(5)
  const shared: string[] = []
  for (const file of files) {
    const lines = execFileSync('nm', ['-C', '--defined-only', join(folder, file)], { encoding: 'utf8' }).split('\n')
    for (const line of lines) {
      const [, kind, name] = /^[0-9a-f]* *(\w) (.*)$/.exec(line) ?? []
      if (!kind || !name) continue
      const weak = 'WVvwu'.includes(kind)
      const foreign = kind === kind.toUpperCase() && !name.includes(`kvasir::cpu::${isa}::`)
      if (weak || foreign) shared.push(`${file}: ${kind} ${name}`)
    }
  }
  expect(shared).toEqual([])
})
