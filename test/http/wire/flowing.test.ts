import { createHash, type Hash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flow, pour } from '../../../src/flow.ts'
import { makeAuthority, readKeyPair } from '../../support/certificates.ts'
import { requirePeers } from '../../support/peers.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'
import { bytes, gate, meet, type Peer, pattern, type RawServerOptions } from './raw-server.ts'

const recordBytes = 16 * 1024
const digest = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')
const turn = () => new Promise(resolve => setImmediate(resolve))

/** Answers each GET of `/<seed>/<length>` with that pattern, in records of TLS, by a length or in chunks. */
async function serve(peer: Peer): Promise<void> {
  for (;;) {
    const [, seed = '', length = ''] = /^GET \/(\d+)\/(\d+)/.exec(await peer.request()) ?? []
    await answerWith(peer, pattern(Number(length), Number(seed)))
  }
}

async function answerWith(peer: Peer, content: Buffer): Promise<void> {
  const isChunked = content.length % 2 === 1
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`
  peer.socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`)
  for (let at = 0; at < content.length; at += recordBytes) {
    const piece = content.subarray(at, at + recordBytes)
    const last = piece.length.toString(16)
    const framed = isChunked ? Buffer.concat([Buffer.from(`${last}\r\n`), piece, Buffer.from('\r\n')]) : piece
    if (!peer.socket.write(framed)) await peer.write('')
  }
  if (isChunked) peer.socket.write('0\r\n\r\n')
}

describe.each(['plain', 'TLS'])('over %s, a body', { timeout: 30_000 }, kind => {
  let folder: TempDir
  let options: RawServerOptions = {}
  const isTls = kind === 'TLS'

  beforeAll(async () => {
    folder = await makeTempDir()
    if (!isTls || !requirePeers('openssl')) return
    const authority = await makeAuthority(folder.path)
    options = { tls: await readKeyPair(await authority.issue('server', { usage: 'server' })) }
  })
  afterAll(() => folder.remove())

  it.skipIf(isTls && !requirePeers('openssl'))(
    'lies still in its memory while its taker is busy',
    async () => {
      await using meeting = await meet(serve, options)
      for (const length of [5_000_000, 5_000_001]) {
        const { body } = await meeting.ask({ path: `/7/${length}` })
        const content: Buffer[] = []
        let taking = 0
        await pour(body, async piece => {
          taking += 1
          expect(taking).toBe(1)
          // More arrives meanwhile. Only then is the piece looked at.
          for (let at = 0; at < 3; at += 1) await turn()
          content.push(Buffer.from(piece))
          taking -= 1
        })
        expect(Buffer.concat(content).equals(pattern(length, 7))).toBe(true)
      }
      expect(meeting.server.peers.length).toBe(1)
    },
  )

  it('may change between a taker that is busy and one that is not', async () => {
    await using meeting = await meet(serve, options)
    const length = 5_000_001
    const { body } = await meeting.ask({ path: `/8/${length}` })
    const content: Buffer[] = []
    let count = 0
    await pour(body, piece => {
      count += 1
      if (count % 3 !== 0) {
        content.push(Buffer.from(piece))
        return undefined
      }
      return turn().then(() => content.push(Buffer.from(piece)))
    })
    expect(Buffer.concat(content).equals(pattern(length, 8))).toBe(true)
  })

  it('that ends with its connection is whole, though the end comes while its taker is busy', async () => {
    const content = pattern(1_000_000, 4)
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write('HTTP/1.1 200 OK\r\n\r\n')
      peer.socket.end(content)
      await peer.closed
    }, options)
    const { body } = await meeting.ask()
    const seen: Buffer[] = []
    await pour(body, async piece => {
      for (let at = 0; at < 5; at += 1) await turn()
      seen.push(Buffer.from(piece))
    })
    expect(Buffer.concat(seen).equals(content)).toBe(true)
  })

  it('is iterated in pieces that last', async () => {
    await using meeting = await meet(serve, options)
    for (const length of [3_000_000, 3_000_001]) {
      const { body } = await meeting.ask({ path: `/9/${length}` })
      expect((await bytes(body)).equals(pattern(length, 9))).toBe(true)
    }
  })

  it('holds the server back while its taker is busy, whatever there is of it', async () => {
    let sent = 0
    const total = 128
    const piece = pattern(1024 * 1024, 3)
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total * piece.length}\r\n\r\n`)
      for (; sent < total; sent += 1) await peer.write(piece)
    }, options)
    const { body } = await meeting.ask()
    const go = gate()
    const hash = createHash('sha256')
    let isFirst = true
    const before = process.memoryUsage().arrayBuffers
    const pouring = pour(body, taken => {
      if (!isFirst) {
        hash.update(taken)
        return undefined
      }
      isFirst = false
      return go.passed.then(() => hash.update(taken))
    })
    for (let last = -1; last !== sent; ) {
      last = sent
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    expect(isFirst).toBe(false)
    expect(sent).toBeLessThan(32)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
    go.open()
    await pouring
    const whole: Hash = createHash('sha256')
    for (let at = 0; at < total; at += 1) whole.update(piece)
    expect(hash.digest('hex')).toBe(whole.digest('hex'))
  })

  it('in many small records costs no more memory than they are long', async () => {
    const length = 2_000_000
    const content = pattern(length, 5)
    await using meeting = await meet(async peer => {
      await peer.request()
      if (peer.socket instanceof TLSSocket) peer.socket.setMaxSendFragment(512)
      await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
      await peer.write(content)
    }, options)
    const { body } = await meeting.ask()
    const before = process.memoryUsage().arrayBuffers
    const hash = createHash('sha256')
    let most = 0
    await pour(body, async taken => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      await turn()
      hash.update(taken)
    })
    expect(hash.digest('hex')).toBe(digest(content))
    expect(most).toBeLessThan(2 * 1024 * 1024)
  })

  it('goes from server to slow server, while its connection serves the next', async () => {
    const received = new Map<string, string>()
    await using source = await meet(serve, options)
    await using sink = await meet(async peer => {
      for (;;) {
        const head = await peer.request()
        const left = Number(/content-length: (\d+)/.exec(head)?.[1])
        const hash = createHash('sha256')
        for (let at = 0; at < left; at += 100_000) {
          await turn()
          hash.update(await peer.read(Math.min(100_000, left - at)))
        }
        received.set(/^PUT (\S+)/.exec(head)?.[1] ?? '', hash.digest('hex'))
        await peer.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
      }
    }, options)
    const uploads: Promise<unknown>[] = []
    const blobs = Array.from({ length: 12 }, (_, at) => ({ seed: at + 1, length: 700_000 + at * 77_777 }))
    for (const { seed, length } of blobs) {
      const { body } = await source.ask({ path: `/${seed}/${length}` })
      const isRead = gate()
      const passing = flow(take => pour(body, take).finally(isRead.open))
      const upload = sink.ask({
        method: 'PUT',
        path: `/${seed}`,
        body: { length, open: async () => passing },
      })
      uploads.push(upload.then(answer => answer.discard()))
      // The last piece may not have left yet when the next blob is asked for.
      await isRead.passed
    }
    await Promise.all(uploads)
    expect(source.server.peers.length).toBe(1)
    for (const { seed, length } of blobs) {
      expect(received.get(`/${seed}`)).toBe(digest(pattern(length, seed)))
    }
  })

  it('is right in each of many at a time, whatever their sizes and stalls', async () => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    const random = randomFrom(42)
    const pause = async () => {
      if (random() < 0.1) await new Promise(resolve => setTimeout(resolve, random() * 20))
      else if (random() < 0.5) await turn()
    }
    const received = new Map<string, string>()
    await using meeting = await meet(async peer => {
      for (;;) {
        const head = await peer.request()
        const [, method, seed = '', length = ''] = /^(GET|PUT) \/(\d+)\/(\d+)/.exec(head) ?? []
        await pause()
        if (method === 'GET') {
          await answerWith(peer, pattern(Number(length), Number(seed)))
          continue
        }
        received.set(seed, digest(await peer.read(Number(length))))
        await peer.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
      }
    }, options)
    const { signal } = new AbortController()
    setMaxListeners(0, signal)
    const copies = Array.from({ length: 64 }, async (_, seed) => {
      for (let round = 0; round < 2; round += 1) {
        const length = Math.floor(random() ** 3 * 600_000)
        const { body } = await meeting.ask({ path: `/${seed}/${length}`, signal })
        const slow = flow(take =>
          pour(body, piece => {
            const taken = take(piece)
            if (taken === undefined && random() < 0.7) return undefined
            return Promise.resolve(taken).then(pause)
          }),
        )
        const answer = await meeting.ask({
          method: 'PUT',
          path: `/${seed}/${length}`,
          body: { length, open: async () => slow },
          signal,
        })
        expect(answer.status).toBe(201)
        await answer.discard()
        expect(received.get(String(seed))).toBe(digest(pattern(length, seed)))
      }
    })
    await Promise.all(copies)
    process.off('warning', warn)
    expect(warnings).toEqual([])
  })
})

/** Numbers from 0 to 1, the same in each run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
