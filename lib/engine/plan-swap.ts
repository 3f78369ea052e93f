// How much room there is outside the KV cache for pages of sequences that gave way.
//
// Beside a card, the memory of the machine is room that nothing else uses: by default a quarter of what is free, and no
// more than the KV cache itself. On the processor that memory serves better as pages of the KV cache; a file helps there.
import { KvasirError } from '../errors.ts'
import { freeDisk, type Machine } from '../machine/machine.ts'
import { checkOptions, expected, integer } from '../sampling/check.ts'
import type { SwapOptions } from '../scheduler/swap.ts'

export interface SwapSpaceOptions {
  /** Of the pages that there is room for. */
  bytes: number
  /** A folder with room for them on its disk: they go to a file there, which has no name and ends with the model. */
  folder?: string
}

export interface SwapPlan extends SwapOptions {
  folder: string | undefined
}

/** Bytes that are copied in a millisecond, until copies have been timed. */
const GUESS = { memory: 4e6, file: 1e6, card: 10e6 }

interface Around {
  prefixCache: boolean
  /** Bytes of a page of the KV cache, and how many there are. */
  pageBytes: number
  pages: number
  host: Pick<Machine, 'memory' | 'available' | 'memoryLimit'>
  card: boolean
}

/** Checks the option `swap` of load(); undefined: no swap. Throws KV_ARGUMENT, KV_UNSUPPORTED and KV_DISK. */
export function planSwap(option: unknown, around: Around): SwapPlan | undefined {
  const { pageBytes, card } = around
  const { bytes, folder } = option === undefined ? byDefault(around) : asAsked(option, around)
  const pages = Math.min(Math.floor(bytes / pageBytes), 2 ** 24)
  if (pages < 1) return undefined
  return { pages, folder, guessMs: pageBytes / GUESS[folder !== undefined ? 'file' : card ? 'card' : 'memory'] }
}

function byDefault({
  card,
  prefixCache,
  pageBytes,
  pages,
  host,
}: Around): Partial<SwapSpaceOptions> & { bytes: number } {
  return { bytes: card && prefixCache ? Math.min(host.available / 4, pages * pageBytes) : 0 }
}

function asAsked(option: unknown, { prefixCache, pageBytes, host, card }: Around) {
  if (option === false) return { bytes: 0, folder: undefined }
  if (typeof option !== 'object' || option === null) throw expected('swap', 'false or { bytes, folder? }', option)
  checkOptions(option, ['bytes', 'folder'])
  if (!prefixCache)
    throw new KvasirError(
      'KV_ARGUMENT',
      'swap: pages that come back are found by the prefix cache; leave prefixCache on',
    )
  const { bytes: asked, folder } = option as Partial<SwapSpaceOptions>
  if (folder !== undefined && (typeof folder !== 'string' || folder === ''))
    throw expected('swap.folder', 'the path of a folder', folder)
  if (folder !== undefined && card)
    throw new KvasirError('KV_UNSUPPORTED', "swap.folder: a file needs device: 'cpu'; a card's pages go to memory")
  const { memory, memoryLimit } = host
  const most = folder === undefined ? Math.min(memory, memoryLimit ?? memory) : 2 ** 46
  const bytes = integer('swap.bytes', asked ?? null, 0, { min: pageBytes, max: most })
  const free = folder === undefined ? Infinity : freeDisk(folder)
  if (bytes > free)
    throw new KvasirError('KV_DISK', `swap.bytes: ${bytes} asked for, the disk of ${folder} has ${free} left`)
  return { bytes, folder }
}
