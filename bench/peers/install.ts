// Puts the peers, at pinned versions, into a folder of the cache (KVASIR_PEERS or ~/.cache/kvasir/peers): outside the
// repository, and only once. A peer that has no build for this system is reported and left out.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { progress } from '../harness.ts'

const run = promisify(execFile)

export const NODE_LLAMA_CPP = '3.22.1'
export const OPENVINO_GENAI = '2026.4.1.0'

/** Packages with the CPU binaries; the optional dependencies bring CUDA and Vulkan as well, 700 MB of them. */
const LLAMA_BINARIES: Record<string, string> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
}

function peersFolder(): string {
  const folder = process.env['KVASIR_PEERS'] || join(homedir(), '.cache', 'kvasir', 'peers')
  mkdirSync(folder, { recursive: true })
  return folder
}

/** The folder whose node_modules has node-llama-cpp. */
export async function installNodeLlamaCpp(): Promise<string> {
  const folder = join(peersFolder(), `node-llama-cpp-${NODE_LLAMA_CPP}`)
  const done = join(folder, 'installed')
  if (existsSync(done)) return folder
  const binary = LLAMA_BINARIES[`${process.platform}-${process.arch}`]
  if (!binary) throw new Error(`node-llama-cpp has no binary for ${process.platform}-${process.arch}`)
  progress(`installing node-llama-cpp ${NODE_LLAMA_CPP} in ${folder}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const packages = [`node-llama-cpp@${NODE_LLAMA_CPP}`, `@node-llama-cpp/${binary}@${NODE_LLAMA_CPP}`]
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await run(npm, ['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
    cwd: folder,
    shell: process.platform === 'win32',
    // Inside `npm run` this variable would point npm at our package.
    env: { ...process.env, npm_config_local_prefix: folder },
  })
  writeFileSync(done, packages.join('\n'))
  return folder
}

/** The Python of an environment that has openvino-genai. */
export async function installOpenVino(): Promise<string> {
  const folder = join(peersFolder(), `openvino-genai-${OPENVINO_GENAI}`)
  const python = process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python')
  const done = join(folder, 'installed')
  if (existsSync(done)) return python
  progress(`installing openvino-genai ${OPENVINO_GENAI} in ${folder}`)
  await run(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', folder])
  await run(python, ['-m', 'pip', 'install', '--quiet', `openvino-genai==${OPENVINO_GENAI}`, 'numpy'])
  writeFileSync(done, OPENVINO_GENAI)
  return python
}
