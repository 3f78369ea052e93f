// Real tokenizer.json files as GGUF metadata: the GGUF gives the same ids.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { native } from '../../lib/native.ts'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { openCheckpoint } from '../../lib/weights/open.ts'
import { quantizeCheckpoint } from '../../lib/weights/quantize.ts'
import { safetensors, tinyConfig } from '../support/checkpoint.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { FuzzText } from '../tokenizer/fuzz-text.ts'
import { packagePath } from '../tokenizer/vocabularies.ts'

const folder = temporaryFolder()

/** A folder with the tokenizer and nothing of a model but a narrow embedding. */
function folderOf(name: string): string {
  const path = join(folder, name)
  const text = readFileSync(packagePath(name), 'utf8')
  const { model, added_tokens } = JSON.parse(text)
  const ids = [...Object.values(model.vocab), ...added_tokens.map(({ id }: { id: number }) => id)] as number[]
  const vocabulary = ids.reduce((most, id) => Math.max(most, id), 0) + 1
  const bos = added_tokens.find(({ content }: { content: string }) => /^(<s>|<\|begin_of_text\|>)$/.test(content))
  mkdirSync(path)
  writeFileSync(join(path, 'tokenizer.json'), text)
  writeFileSync(
    join(path, 'config.json'),
    JSON.stringify({ ...tinyConfig, hidden_size: 8, bos_token_id: bos?.id ?? null, eos_token_id: null }),
  )
  const embedding = { shape: [vocabulary, 8], values: new Float32Array(vocabulary * 8) }
  writeFileSync(join(path, 'model.safetensors'), safetensors({ 'model.embed_tokens.weight': embedding }, 'F16'))
  return path
}

async function encoder(path: string) {
  const checkpoint = await openCheckpoint(path)
  const tokenizer = await openTokenizer(checkpoint, { open: (file) => native().openFile(file) })
  return { checkpoint, encode: async (text: string) => [...(await tokenizer.encode(text, true, true))] }
}

describe.each([
  ['llama3', 'llama-bpe'],
  ['qwen3', 'qwen2'],
  ['llama2', undefined],
])('%s', (name, pre) => {
  test('the same ids for the same text', async () => {
    const source = folderOf(name)
    const path = join(folder, `${name}.gguf`)
    await quantizeCheckpoint(await openCheckpoint(source), path, 'f16')
    const [json, gguf] = [await encoder(source), await encoder(path)]
    expect(gguf.checkpoint.tokenizer.pre).toBe(pre)

    const fuzz = new FuzzText(7)
    for (let i = 0; i < 300; i++) {
      // GGUF has no place for a normaliser; Qwen's composes characters.
      const text = fuzz.next().normalize('NFC')
      const [expected, got] = [await json.encode(text), await gguf.encode(text)]
      if (got.join() !== expected.join()) expect.fail(`${JSON.stringify(text)}\n${got}\nexpected\n${expected}`)
    }
  })
})

test.each(['deepseek_v3'])('%s splits text in a way that has no name here, and is refused', async (name) => {
  const checkpoint = await openCheckpoint(folderOf(name))
  await expect(quantizeCheckpoint(checkpoint, join(folder, 'none.gguf'), 'f16')).rejects.toMatchObject({
    code: 'KV_UNSUPPORTED',
  })
})
