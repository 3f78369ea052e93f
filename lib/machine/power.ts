// Whether this machine runs on its battery. Only Linux says so in a file; elsewhere it would take a program or a library
// of the system, so there the answer is that we do not know.
//
// https://docs.kernel.org/power/power_supply_class.html
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from './read.ts'

export type Power = 'battery' | 'mains' | 'unknown'

/** `root` is '' but in tests. */
export function power(root = '', platform: NodeJS.Platform = process.platform): Power {
  if (platform !== 'linux') return 'unknown'
  const folder = `${root}/sys/class/power_supply`
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return 'unknown'
  }
  const of = (name: string, what: string) => text(join(folder, name, what))
  // A battery of a mouse or a pen has the scope Device.
  const supplies = names.filter((name) => of(name, 'scope') !== 'Device')
  if (supplies.some((name) => of(name, 'online') === '1')) return 'mains'
  const batteries = supplies.filter((name) => of(name, 'type') === 'Battery')
  if (batteries.length === 0) return 'unknown' // a desktop, a server, or a machine that another one pretends to be
  const unplugged = supplies.some((name) => of(name, 'online') === '0')
  return unplugged || batteries.some((name) => of(name, 'status') === 'Discharging') ? 'battery' : 'mains'
}
