// npm run prebuild:all [-- NAME …]: every prebuilt addon that this machine can make, into prebuilds/, and a table of what
// each weighs and asks for. Fails when one asks for what Node does not promise: memory outside Electron's cage, V8 or
// libuv themselves, or a glibc newer than that of Node 20. What was not made, and why, is in the table too.
const { copyFileSync, mkdirSync, readFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { TARGETS, build, obstacle, root } = require('./targets.cjs')

const NEWEST_GLIBC = 28

/** Names in the tables of an ELF, Mach-O or PE file: all that it imports is among them. */
function namesIn(file) {
  return new Set(readFileSync(file, 'latin1').match(/[A-Za-z_][\w.-]{3,}/g))
}

/** What a file asks of the process that loads it, and what it must not ask. */
function inspect(file) {
  const names = [...namesIn(file)]
  const forbidden = names.filter((name) =>
    /^_?(napi_create_external_(arraybuffer|buffer)|_ZNK?2v8|_ZN4node|uv_[a-z]+_)/.test(name),
  )
  const glibc = Math.max(0, ...names.map((name) => Number(/^GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0)))
  if (glibc > NEWEST_GLIBC) forbidden.push(`glibc 2.${glibc}`)
  if (!names.some((name) => /^_?napi_register_module_v1$/.test(name))) forbidden.push('no napi_register_module_v1')
  return { forbidden, needs: glibc > 0 ? `glibc 2.${glibc}` : system(file, names) }
}

function system(file, names) {
  const bytes = readFileSync(file)
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    // The load commands begin at 32; LC_BUILD_VERSION is 0x32, and has the oldest system as 16.8.8 bits.
    for (let at = 32, n = bytes.readUInt32LE(16); n-- > 0; at += bytes.readUInt32LE(at + 4))
      if (bytes.readUInt32LE(at) === 0x32) return `macOS ${bytes.readUInt32LE(at + 12) >> 16}`
    return 'macOS'
  }
  if (bytes.toString('latin1', 0, 2) === 'MZ') {
    const libraries = new Set(
      names.filter((name) => /\.dll$/i.test(name)).map((name) => name.replace(/^api-ms-win-crt.*/, 'UCRT')),
    )
    return `Windows 10 (${[...libraries].join(', ')})`
  }
  return 'musl'
}

const row = (...cells) => console.log(cells.map((cell, i) => String(cell).padEnd([18, 10, 9][i] ?? 0)).join(' '))

let failures = 0
const wanted = process.argv.slice(2)
row('target', 'MB', 'seconds', 'needs')
for (const target of TARGETS) {
  if (wanted.length > 0 && !wanted.includes(target.name)) continue
  const problem = obstacle(target)
  if (problem) {
    row(target.name, '-', '-', `not made: ${problem}`)
    continue
  }
  try {
    const begin = performance.now()
    const { folder, warnings } = build(target, 'kvasir')
    const seconds = ((performance.now() - begin) / 1000).toFixed(0)
    const file = join(root, 'prebuilds', target.file)
    mkdirSync(dirname(file), { recursive: true })
    copyFileSync(join(folder, 'build', 'Release', 'kvasir.node'), file)
    const { forbidden, needs } = inspect(file)
    row(target.name, (readFileSync(file).length / 1e6).toFixed(1), seconds, needs)
    for (const complaint of [...forbidden, ...warnings]) console.log(`  ${complaint}`)
    failures += forbidden.length > 0 || warnings.length > 0
  } catch (error) {
    failures++
    row(target.name, '-', '-', `failed: ${error.message}`)
  }
}
console.log(`${failures} failed`)
process.exit(failures ? 1 : 0)
