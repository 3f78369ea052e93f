#!/usr/bin/env node
// The command line: finds the command, runs it, and turns errors into one sentence and an exit code.
import { KvasirError } from '../errors.ts'

interface Command {
  usage: string
  about: string
  run(argv: string[]): Promise<void>
}

const commands: Record<string, Command> = {
  chat: {
    usage: 'chat [MODEL] [WORDS …]',
    about: 'talk with a model; with words, or a pipe in front, answer once',
    run: async (argv) => (await import('./chat.ts')).chatCommand(argv),
  },
  generate: {
    usage: 'generate MODEL TEXT',
    about: 'continue a text, without a chat template',
    run: async (argv) => (await import('./generate.ts')).generateCommand(argv),
  },
  serve: {
    usage: 'serve MODEL',
    about: "answer requests of OpenAI's API over HTTP",
    run: async (argv) => (await import('./serve.ts')).serveCommand(argv),
  },
  pull: {
    usage: 'pull NAME',
    about: 'bring a model into the cache and print its path',
    run: async (argv) => (await import('./pull.ts')).pullCommand(argv),
  },
  inspect: {
    usage: 'inspect MODEL',
    about: 'what a model is, and what it needs',
    run: async (argv) => (await import('./inspect.ts')).inspectCommand(argv),
  },
  doctor: {
    usage: 'doctor [MODEL]',
    about: 'what was found here, what was chosen and why, what to do',
    run: async (argv) => (await import('./doctor.ts')).doctorCommand(argv),
  },
  quantize: {
    usage: 'quantize IN OUT',
    about: 'store a model in another format',
    run: async (argv) => (await import('./quantize.ts')).quantizeCommand(argv),
  },
  bench: {
    usage: 'bench replay TRACE',
    about: 'the scheduler on a trace of a real service, policies side by side',
    run: async (argv) => (await import('./bench.ts')).benchCommand(argv),
  },
}

function help(): string {
  const width = Math.max(...Object.values(commands).map(({ usage }) => usage.length))
  const lines = Object.values(commands).map(({ usage, about }) => `  kvasir ${usage.padEnd(width)}  ${about}`)
  return `${lines.join('\n')}\n\nMODEL is a name (smollm2:135m), a .gguf file or a folder. kvasir COMMAND --help tells more.\n`
}

async function main([name, ...argv]: string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(help())
    return name === undefined ? 2 : 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    process.stderr.write(`kvasir: there is no command ${JSON.stringify(name)}\n\n${help()}`)
    return 2
  }
  try {
    await command.run(argv)
    return 0
  } catch (error) {
    process.stderr.write(`kvasir ${name}: ${explain(error)}\n`)
    return isUsage(error) ? 2 : 1
  }
}

const isUsage = (error: unknown) => String((error as NodeJS.ErrnoException)?.code).startsWith('ERR_PARSE_ARGS')

function explain(error: unknown): string {
  if (error instanceof KvasirError) return error.message
  if (isUsage(error)) return `${(error as Error).message.split('. ')[0]}; see kvasir help`
  // Not an error that we foresaw: the stack is what a report needs.
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

// Whoever reads us may stop reading (… | head): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
