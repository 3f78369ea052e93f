// The real model of the tests: KVASIR_TEST_MODEL, or smollm2:135m, fetched into the cache when it is not there.
import { resolveModel } from '../../lib/hub/resolve.ts'

/** Path of SmolLM2-135M-Instruct Q4_1. */
export function testModel(): Promise<string> {
  return resolveModel(process.env['KVASIR_TEST_MODEL'] || 'smollm2:135m')
}
