// kvasir serve MODEL: the model behind OpenAI's HTTP API, until a signal ends it.
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { KvasirError } from '../errors.ts'
import { serve } from '../server/index.ts'
import { loadOptions, modelFlags, number, optional } from './flags.ts'
import { openModel } from './open-model.ts'

const help = `kvasir serve MODEL

  --host ADDRESS        default 127.0.0.1      --port N          default 8080
  --name NAME           what clients call the model; may be repeated
  --threads N           default: the physical cores
  --context N           tokens of a prompt and its answer
  --sequences N         requests computed at once; more wait in line
  --kv kv8|f16|f32      format of the KV cache\n`

export async function serveCommand(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      ...modelFlags,
      host: { type: 'string' },
      port: { type: 'string' },
      name: { type: 'string', multiple: true },
      sequences: { type: 'string' },
    },
  })
  if (values.help) return void process.stdout.write(help)
  const [model] = positionals
  if (model === undefined) throw new KvasirError('KV_ARGUMENT', 'expected a model: kvasir serve MODEL')

  const llm = await openModel(model, {
    ...loadOptions(values),
    ...optional('maxSequences', number(values, 'sequences')),
  })
  try {
    const server = await serve(llm, {
      names: values.name ?? [...new Set([model, llm.info.name])],
      ...optional('host', values.host),
      ...optional('port', number(values, 'port')),
    })
    process.stdout.write(`${llm.info.name} at ${server.url}\n`)
    await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
    await server.close()
  } finally {
    await llm.dispose()
  }
}
