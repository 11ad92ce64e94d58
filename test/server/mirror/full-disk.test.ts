import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { DrayError } from '../../../src/errors.ts'
import { type Claim, PartialFolder } from '../../../src/layout/partial-folder.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import { Download } from '../../../src/server/mirror/download.ts'
import { Storage } from '../../../src/server/storage/storage.ts'
import { sampleBlob } from '../../support/sample-image.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { mirrorOf, startUpstream } from './site.ts'

const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8) * 17) & 255))
const { descriptor } = sampleBlob(bytes)

/** Has room for so many bytes of each part. */
class FullFolder extends PartialFolder {
  readonly #room: number

  constructor(dir: string, room: number) {
    super(dir)
    this.#room = room
  }

  override async claim(digest: Digest): Promise<Claim> {
    const claim = await super.claim(digest)
    const { file } = claim.part
    const write = file.write.bind(file)
    file.write = (async (piece: Buffer, offset: number, length: number, position: number) => {
      if (position + length <= this.#room) return write(piece, offset, length, position)
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
    }) as typeof file.write
    return claim
  }
}

describe('a blob for which the disk has no room', () => {
  it.each([
    ['all of it', 0, bytes.length - 1],
    ['a part that there was room for', 1000, 2000],
    ['a part on both sides', 900_000, 2_000_000],
    ['a part that there was no room for', 2_500_000, 2_600_000],
    ['its last byte', bytes.length - 1, bytes.length - 1],
  ])('is given out all the same: %s', async (_, start, end) => {
    await using folder = await makeTempDir()
    await using upstream = await startUpstream()
    await upstream.registry.putBlob('library/big', { bytes, descriptor })
    const storage = new Storage(folder.path)
    const faults: DrayError[] = []
    const download = new Download({
      descriptor,
      upstream: await mirrorOf(upstream).open('library/big'),
      layout: await storage.openToWrite('docker.io/library/big'),
      sharedBlobs: storage.sharedBlobs,
      partials: new FullFolder(join(folder.path, '_mirror'), 1_000_000),
      signal: new AbortController().signal,
      onFetched: () => undefined,
      onUnstored: fault => faults.push(fault),
    })
    const running = download.run()
    await download.ready()
    const early = buffer(download.read({ start, end }))
    expect((await early).equals(bytes.subarray(start, end + 1))).toBe(true)
    await running
    const late = await buffer(download.read({ start, end }))
    expect(late.equals(bytes.subarray(start, end + 1))).toBe(true)
    expect(faults).toEqual([expect.objectContaining({ code: 'IO' })])
    expect(await storage.find('docker.io/library/big')).toBeUndefined()
  })
})
