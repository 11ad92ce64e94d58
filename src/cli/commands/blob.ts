import type { Command } from 'commander'
import { DrayError } from '../../errors.ts'
import type { ImageSource } from '../../image-store.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { CliContext } from '../context.ts'
import { digestIn, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface BlobFlags extends CommonFlags {
  readonly start?: number
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<blob>', 'repository@digest, or a location such as oci:DIR@digest')
    .option('--start <byte>', 'begin at this byte; the rest cannot be verified then', parseByte)
    .action((text: string, flags: BlobFlags) => run(text, flags, context))
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray blob alpine@sha256:… > layer.tar.gz', 'a layer, verified as it comes'],
    ['dray blob alpine@sha256:… | tar tz', 'look into a layer'],
  ])
}

async function run(text: string, flags: BlobFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  const digest = digestIn(location)
  if (digest === undefined) {
    throw new DrayError('USAGE', `"${text}" names no blob`, {
      hint: 'a blob has no tag: give repository@sha256:…',
    })
  }
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { readBlob } = await import('../../transfer/read-blob.ts')
    const { store } = await session.openSource(location, options.endFlags(flags))
    const descriptor = await describe(store, digest)
    const { start } = flags
    const { signal } = context
    const content =
      start === undefined
        ? readBlob(store, descriptor, { signal })
        : await store.getBlob(descriptor, { start, signal })
    await session.printRaw(content)
  })
}

/** A digest says nothing of the size, which verifying needs. */
async function describe(store: ImageSource, digest: Descriptor['digest']): Promise<Descriptor> {
  if (store.findBlob === undefined) {
    throw new DrayError('UNSUPPORTED', `${store.name}: blobs cannot be looked up by their digests alone`)
  }
  const found = await store.findBlob(digest)
  if (found !== undefined) return found
  throw new DrayError('NOT_FOUND', `${store.name} has no blob ${digest}`)
}

function parseByte(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new DrayError('USAGE', `--start: "${text}" is not a number of bytes`)
}
