import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import { NetworkError } from '../../src/http/network-error.ts'
import { chunksOf } from '../support/sample-image.ts'
import { type Handler, startFront } from './front.ts'
import { answer, big, blob, open, openBig, takesUploads } from './upload-script.ts'

describe('a login in the middle of an upload', () => {
  it('has the source opened again, and the upload goes on', async () => {
    let tokens = 0
    let opened = 0
    let wanted = 'Bearer t1'
    const inner = takesUploads()
    const takesToken: Handler = (seen, response) => {
      if (seen.path.startsWith('/token')) {
        tokens += 1
        return response.end(JSON.stringify({ token: `t${tokens}`, expires_in: 3600 }))
      }
      if (seen.method === 'PUT') wanted = 'Bearer t2'
      if (seen.headers.authorization === wanted) return inner(seen, response)
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"', connection: 'close' }).end()
    }
    await using front = await startFront(takesToken)
    const counting = () => {
      opened += 1
      return openBig()
    }
    expect(await front.repository.putBlob(big.descriptor, counting)).toBe('copied')
    expect({ tokens, opened }).toEqual({ tokens: 2, opened: 2 })
  })
})

describe('a registry that answers early and hangs up', () => {
  it.each([
    [403, 'UNAUTHORIZED'],
    [409, 'REGISTRY'],
  ])('with %i is heard, or its broken connection is told, and nothing hangs', async (status, code) => {
    await using front = await startFront(
      takesUploads({
        PUT: async ({ message }, response) => {
          await once(message, 'data')
          response.writeHead(status, { connection: 'close' }).end('stop')
        },
      }),
      { retryPolicy: { retries: 2 } },
    )
    const put = front.repository.putBlob(big.descriptor, openBig)
    // Which of the two it is, the system's buffers decide.
    await expect(put).rejects.toSatisfy((error: { code: string }) => [code, 'NETWORK'].includes(error.code))
  })
})

describe('an abort while a session is opened', () => {
  it('waits for its answer, sends nothing, and cancels it', async () => {
    const caller = new AbortController()
    const inner = takesUploads()
    await using front = await startFront((seen, response) => {
      if (seen.method !== 'POST') return inner(seen, response)
      caller.abort()
      setImmediate(() => inner(seen, response))
    })
    const put = front.repository.putBlob(blob.descriptor, open, { signal: caller.signal })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect(front.lines.map(line => line.split(' ', 1)[0])).toEqual(['POST', 'DELETE'])
  })
})

describe('content that breaks off', () => {
  const fault = new Error('the source broke off')
  const breaking = async function* (): Chunks {
    yield Buffer.from('twelve')
    throw fault
  }

  it.each<[when: string, own: Record<string, Handler>]>([
    ['in one piece', {}],
    ['in pieces', { PUT: answer(413) }],
  ])('is the error that is thrown, and the session is cancelled: %s', async (_, own) => {
    let isFirst = own.PUT !== undefined
    await using front = await startFront(takesUploads(own))
    const openOnce = async () => {
      const content = isFirst ? chunksOf(blob.bytes) : breaking()
      isFirst = false
      return content
    }
    await expect(front.repository.putBlob(blob.descriptor, openOnce)).rejects.toBe(fault)
    expect(front.lines).toContain('DELETE /upload/1?state=a')
    expect(front.clock.sleeps).toEqual([])
  })

  it('because its own connection broke is left to the one who opened it', async () => {
    const broken = new NetworkError('broken', 'cannot reach the source')
    const failing = async function* (): Chunks {
      yield Buffer.from('twelve')
      throw broken
    }
    await using front = await startFront(takesUploads())
    await expect(front.repository.putBlob(blob.descriptor, async () => failing())).rejects.toBe(broken)
    expect(front.clock.sleeps).toEqual([])
  })

  it('before it begins is the error that is thrown', async () => {
    await using front = await startFront(takesUploads())
    const broken = async () => {
      throw fault
    }
    await expect(front.repository.putBlob(blob.descriptor, broken)).rejects.toBe(fault)
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })

  it.each([
    ['less', ['twelve'], /ended after 6 of 12 bytes$/],
    ['more', ['twelve bytes', '!'], /more than the 12 bytes/],
    ['none', [], /ended after 0 of 12 bytes$/],
  ])('or holds %s than its descriptor says, is not tried again', async (_, pieces, message) => {
    await using front = await startFront(takesUploads())
    const put = front.repository.putBlob(blob.descriptor, async () => chunksOf(...pieces))
    await expect(put).rejects.toMatchObject({ code: 'INTEGRITY', message: expect.stringMatching(message) })
    expect(front.clock.sleeps).toEqual([])
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })
})

describe('an abort in the middle of an upload', () => {
  it.each<[when: string, own: Record<string, Handler>, opening: number]>([
    ['in one piece', {}, 1],
    ['in pieces', { PUT: answer(413) }, 2],
  ])('ends it, though the source stalls, and cancels the session: %s', async (_, own, opening) => {
    const controller = new AbortController()
    let opened = 0
    const stalling = async function* (): Chunks {
      yield Buffer.from('twelve')
      controller.abort()
      await new Promise(() => {})
    }
    const openThen = async () => {
      opened += 1
      return opened === opening ? stalling() : chunksOf(blob.bytes)
    }
    await using front = await startFront(takesUploads(own))
    const put = front.repository.putBlob(blob.descriptor, openThen, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })

  it('ends the wait before the next session', async () => {
    const controller = new AbortController()
    await using front = await startFront(
      takesUploads({
        DELETE: (seen, response) => {
          controller.abort()
          return answer(204)(seen, response)
        },
        PUT: answer(500),
      }),
    )
    const put = front.repository.putBlob(blob.descriptor, open, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ name: 'DrayError' })
    expect(front.lines.filter(line => line.startsWith('PUT'))).toHaveLength(1)
  })
})
