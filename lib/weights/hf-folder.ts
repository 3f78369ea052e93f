// A Hugging Face folder: config.json, tokenizer.json, and weights in one safetensors file or in shards with an index.
import { basename, join, resolve, sep } from 'node:path'
import { KvasirError } from '../errors.ts'
import { access, readFile } from '../files.ts'
import { type Checkpoint, type CheckpointTensor, type CheckpointTokenizer, vocabularyOf } from './checkpoint.ts'
import { configOf } from './hf-config.ts'
import { parseObject, readSafetensors } from './safetensors.ts'

type Json = Record<string, unknown>

/** `file` names one weights file of the folder, or one shard of many; without it index or model.safetensors decide. */
export async function openFolder(folder: string, file?: string): Promise<Checkpoint> {
  const tensors = new Map((await readTensors(folder, file)).map((tensor) => [tensor.name, tensor]))
  const source = join(folder, 'config.json')
  const json = await needJson(folder, 'config.json')
  const hasHead = tensors.has('lm_head.weight')
  const config = configOf(json, source, vocabularyOf(folder, tensors), hasHead)
  if (config.tie_word_embeddings) tensors.delete('lm_head.weight')

  const tokenizerConfig = (await readJson(folder, 'tokenizer_config.json')) ?? {}
  const generation = (await readJson(folder, 'generation_config.json')) ?? {}
  const ends = [generation['eos_token_id'], json['eos_token_id']].flat().filter((id) => isId(id, config.vocab_size))
  return {
    path: folder,
    kind: 'safetensors',
    name: basename(resolve(folder)),
    config,
    tokenizer: await tokenizerOf(folder, json, tokenizerConfig, config.vocab_size),
    chatTemplate: (await readText(folder, 'chat_template.jinja')) ?? templateOf(tokenizerConfig),
    stopTokens: [...new Set(ends as number[])],
    warnings: [],
    tensors,
  }
}

const isId = (value: unknown, vocabulary: number): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) < vocabulary

async function readTensors(folder: string, file?: string): Promise<CheckpointTensor[]> {
  const found = await readJson(folder, 'model.safetensors.index.json')
  const listed = found ? shardsOf(found, join(folder, 'model.safetensors.index.json')) : []
  const index = file && !listed.includes(file) ? undefined : found
  const shards = index ? listed : [file ?? 'model.safetensors']
  const tensors: CheckpointTensor[] = []
  const seen = new Map<string, string>()
  for (const shard of shards) {
    for (const tensor of await readSafetensors(join(folder, shard))) {
      const other = seen.get(tensor.name)
      if (other) throw new KvasirError('KV_FORMAT', `${folder}: tensor ${tensor.name} is in both ${other} and ${shard}`)
      seen.set(tensor.name, shard)
      tensors.push(tensor)
    }
  }
  for (const [name, shard] of Object.entries(Object(index?.['weight_map']))) {
    if (seen.get(name) !== shard)
      throw new KvasirError('KV_FORMAT', `${folder}: the index promises tensor ${name} in ${shard}, which has none`)
  }
  return tensors
}

function shardsOf(index: Json, path: string): string[] {
  const shards = [...new Set(Object.values(Object(index['weight_map'])))]
  for (const shard of shards) {
    // The index is not trusted to leave its folder.
    if (
      typeof shard !== 'string' ||
      !shard.endsWith('.safetensors') ||
      shard !== basename(shard) ||
      shard.includes(sep)
    )
      throw new KvasirError('KV_FORMAT', `${path} names the shard ${JSON.stringify(shard)}, expected a file beside it`)
  }
  if (shards.length === 0) throw new KvasirError('KV_FORMAT', `${path} has no weight_map`)
  return (shards as string[]).sort()
}

async function tokenizerOf(
  folder: string,
  config: Json,
  tokenizerConfig: Json,
  vocabulary: number,
): Promise<CheckpointTokenizer> {
  const path = join(folder, 'tokenizer.json')
  try {
    await access(path)
  } catch (cause) {
    throw new KvasirError(
      'KV_NOT_FOUND',
      `${folder} has no tokenizer.json: convert the tokenizer with the Python library tokenizers, or take a GGUF file`,
      { cause },
    )
  }
  const source: CheckpointTokenizer = { kind: 'json', path }
  const bos = config['bos_token_id']
  const eos = [config['eos_token_id']].flat()[0]
  if (isId(bos, vocabulary)) source.bos = bos
  if (isId(eos, vocabulary)) source.eos = eos
  if (typeof tokenizerConfig['add_bos_token'] === 'boolean') source.addBos = tokenizerConfig['add_bos_token']
  if (typeof tokenizerConfig['add_eos_token'] === 'boolean') source.addEos = tokenizerConfig['add_eos_token']
  return source
}

/** chat_template is a string, or a list of named ones of which "default" is for plain chat. */
function templateOf(tokenizerConfig: Json): string | null {
  const template = tokenizerConfig['chat_template']
  if (typeof template === 'string') return template
  if (!Array.isArray(template)) return null
  const plain = template.find((one) => Object(one).name === 'default') as Json | undefined
  return typeof plain?.['template'] === 'string' ? plain['template'] : null
}

async function readText(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new KvasirError('KV_DISK', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}

async function readJson(folder: string, name: string): Promise<Json | undefined> {
  const text = await readText(folder, name)
  return text === undefined ? undefined : parseObject(text, join(folder, name))
}

async function needJson(folder: string, name: string): Promise<Json> {
  const json = await readJson(folder, name)
  if (!json)
    throw new KvasirError(
      'KV_NOT_FOUND',
      `${folder} has no ${name}: take the whole folder of the model, not only its weights`,
    )
  return json
}
