import { expect, it } from 'vitest'
import { power } from '../../lib/machine/power.ts'
import { files } from '../support/files.ts'

const battery = (status: string) => ({ 'BAT0/type': 'Battery', 'BAT0/status': status })
const adapter = (online: string) => ({ 'AC/type': 'Mains', 'AC/online': online })
const of = (supplies: Record<string, string>) =>
  power(
    files(Object.fromEntries(Object.entries(supplies).map(([path, text]) => [`sys/class/power_supply/${path}`, text]))),
    'linux',
  )

it('is on battery when nothing else gives power', () => {
  expect(of({ ...adapter('0'), ...battery('Discharging') })).toBe('battery')
  expect(of({ ...adapter('0'), ...battery('Not charging') })).toBe('battery') // held at a threshold, unplugged since
  expect(of(battery('Discharging'))).toBe('battery')
  expect(of({ ...adapter('1'), ...battery('Charging') })).toBe('mains')
  expect(of({ ...adapter('1'), ...battery('Discharging') })).toBe('mains') // more is used than the adapter gives
  expect(of({ ...adapter('0'), 'USBC/type': 'USB', 'USBC/online': '1', ...battery('Full') })).toBe('mains')
  expect(of(battery('Full'))).toBe('mains')
})

it('a mouse has a battery, too', () => {
  const mouse = { 'mouse/type': 'Battery', 'mouse/scope': 'Device', 'mouse/status': 'Discharging' }
  expect(of({ ...mouse, ...adapter('1') })).toBe('mains')
  expect(of(mouse)).toBe('unknown')
})

it('is unknown where nobody says', () => {
  expect(of({})).toBe('unknown')
  expect(power(files({}), 'linux')).toBe('unknown')
  expect(power('', 'darwin')).toBe('unknown')
  expect(power('', 'win32')).toBe('unknown')
})
