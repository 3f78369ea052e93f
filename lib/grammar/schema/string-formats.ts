// The formats of JSON Schema that are enforced, as regular expressions. Each accepts only what the RFC that the standard
// names does, and not all of it: no obsolete forms, no quoted mailboxes, no leap seconds. Others are annotations.
import { wholeMatch } from '../regex.ts'
import type { Node } from '../rules.ts'

const DATE =
  '(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))' +
  '|(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)'
const CLOCK = '([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d'
const ZONE = '(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)'
const BYTE = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${BYTE}(\\.${BYTE}){3}`
const LABEL = '[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?'
const HOST = `${LABEL}(\\.${LABEL}){0,4}`
const PATH_CHAR = "[A-Za-z0-9_.~!$&'()*+,;=:@-]|%[0-9A-F]{2}"
const PATH = `(/(${PATH_CHAR})*)*`
const QUERY = `(\\?(${PATH_CHAR}|[/?])*)?(#(${PATH_CHAR}|[/?])*)?`
const NAME = '[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}'
const FRACTION = '(\\.\\d{1,6})?'
const POINTER = '(/([A-Za-z0-9_.-]|~[01])*)*'
// Of an expression: literal characters, classes, and what may be repeated.
const ATOM = '([A-Za-z0-9 _:@=,-]|\\\\[dDwWsS.]|\\.|\\[\\^?[A-Za-z0-9_ ]+\\])'
const HEX4 = '[0-9a-f]{1,4}'

const FORMATS: Record<string, string> = {
  date: DATE,
  time: `${CLOCK}${FRACTION}${ZONE}`,
  'date-time': `${DATE}T${CLOCK}${FRACTION}${ZONE}`,
  duration:
    'P(\\d{1,4}W|(\\d{1,4}Y(\\d{1,2}M(\\d{1,2}D)?)?|\\d{1,2}M(\\d{1,2}D)?|\\d{1,3}D)(T(\\d{1,2}H(\\d{1,2}M(\\d{1,2}S)?)?|\\d{1,2}M(\\d{1,2}S)?|\\d{1,2}S))?' +
    '|T(\\d{1,2}H(\\d{1,2}M(\\d{1,2}S)?)?|\\d{1,2}M(\\d{1,2}S)?|\\d{1,2}S))',
  email: `[a-z0-9_+-]{1,20}(\\.[a-z0-9_+-]{1,20}){0,3}@${LABEL}(\\.${LABEL}){1,3}`,
  hostname: HOST,
  ipv4: IPV4,
  ipv6: [
    `(${HEX4}:){7}${HEX4}|(${HEX4}:){1,7}:|:((:${HEX4}){1,7}|:)`,
    ...[1, 2, 3, 4, 5, 6].map((n) => `(${HEX4}:){${n}}(:${HEX4}){1,${7 - n}}`),
  ].join('|'),
  uri: `(https?|ftp)://${HOST}(:[1-9]\\d{0,3})?${PATH}${QUERY}|urn:[a-z0-9][a-z0-9-]{1,30}:(${PATH_CHAR})+|mailto:[a-z0-9._-]+@${HOST}`,
  // Not of the standard; as ajv has it, without user names.
  url: `(https?|ftp)://${NAME}(\\.${NAME}){0,2}\\.[a-z]{2,10}(:[1-9]\\d{1,3})?(/(${PATH_CHAR}|[/?])*)?`,
  'uri-reference': `((https?)://${HOST})?${PATH}${QUERY}`,
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  'json-pointer': '(/([A-Za-z0-9_. -]|~[01])*)*',
  'json-pointer-uri-fragment': `#${POINTER}`,
  'relative-json-pointer': `(0|[1-9]\\d{0,3})(#|${POINTER})`,
  'uri-template': '([A-Za-z0-9_.~/:?&=-]|\\{[a-z][a-z0-9_]{0,20}\\})*',
  regex: `\\^?(${ATOM}[*+?]?|\\|)*\\$?`,
  byte: '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?',
}
Object.assign(FORMATS, {
  'iso-time': FORMATS['time'],
  'iso-date-time': FORMATS['date-time'],
  iri: FORMATS['uri'],
  'iri-reference': FORMATS['uri-reference'],
  'idn-email': FORMATS['email'],
  'idn-hostname': FORMATS['hostname'],
})

const nodes = new Map<string, Node>()

/** Undefined for a format that is not enforced. */
export function formatNode(format: string): Node | undefined {
  if (!Object.hasOwn(FORMATS, format)) return undefined
  const node = nodes.get(format) ?? wholeMatch(FORMATS[format]!, `format ${format}`)
  nodes.set(format, node)
  return node
}

export const enforcedFormats = (): string[] => Object.keys(FORMATS)
