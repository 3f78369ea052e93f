// ajv for a schema of any draft that it knows.
import type { ValidateFunction } from 'ajv'
import Ajv from 'ajv'
import Ajv2019 from 'ajv/dist/2019.js'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

const NEWER = /"(prefixItems|\$defs|dependentRequired|dependentSchemas|unevaluatedProperties|minContains)":/

/** Throws where ajv cannot compile it. */
export function validatorOf(schema: Record<string, unknown>): ValidateFunction {
  const { $schema, ...rest } = schema
  const draft = String($schema ?? '')
  const newer = /2020/.test(draft) || (draft === '' && NEWER.test(JSON.stringify(rest)))
  const Class = newer ? Ajv2020 : /2019/.test(draft) ? Ajv2019 : Ajv
  const ajv = new Class({ strict: false, logger: false, validateSchema: false })
  addFormats(ajv)
  return ajv.compile(rest)
}
