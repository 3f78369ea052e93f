// Where downloaded models are kept: KVASIR_CACHE, or what the system's conventions say.
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export function modelFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return resolve(env['KVASIR_CACHE'] || defaultFolder(env, platform), 'models')
}

function defaultFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (platform === 'win32') return join(env['LOCALAPPDATA'] || join(homedir(), 'AppData', 'Local'), 'kvasir')
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'kvasir')
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kvasir')
}
