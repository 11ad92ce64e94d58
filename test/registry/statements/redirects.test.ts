import { describe, expect, it } from 'vitest'
import { collect } from '../../../src/oci/content.ts'
import { challenge, json } from '../../support/fake-send.ts'
import { startFront } from '../front.ts'
import { playTurns, type Turn } from '../turns.ts'
import { blob } from '../upload-script.ts'
import { bearer, desk } from './speech.ts'

const host = 'https://reg.example'

describe('a redirect', () => {
  const get = `GET ${host}/v2/app/blobs/${blob.descriptor.digest}`
  const login: readonly Turn[] = [
    [get, undefined, challenge(bearer)],
    [desk, undefined, json({ token: 't' })],
  ]

  it.each([
    ['to another host', 'https://blobs.example/b?sig=x', 'https://blobs.example/b?sig=x', undefined],
    ['to another port', 'https://reg.example:444/b', 'https://reg.example:444/b', undefined],
    ['to its own origin', `${host}/b?x=y`, `${host}/b?x=y`, 'Bearer t'],
    ['to a path (Google)', '/artifacts-downloads/b', `${host}/artifacts-downloads/b`, 'Bearer t'],
    ['to a relative path', '../b', `${host}/v2/app/b`, 'Bearer t'],
    ['without a scheme', '//blobs.example/b', 'https://blobs.example/b', undefined],
  ])(
    '2. %s is followed, with Authorization at its own origin only',
    async (_, location, target, authorization) => {
      for (const status of [302, 307]) {
        const { registry, expectTold } = playTurns('reg.example', [
          ...login,
          [get, 'Bearer t', { status, headers: { location } }],
          [`GET ${target}`, authorization, { body: 'twelve bytes' }],
        ])
        const content = await registry.repository('app').getBlob(blob.descriptor)
        expect((await collect(content, 100, 'blob')).toString()).toBe('twelve bytes')
        expectTold()
      }
    },
  )

  it('2. of ACR is told by name when its store of blobs refuses it, with the login of the registry', async () => {
    const xml =
      '\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>InvalidAuthenticationInfo</Code><Message>Authentication information is not given in the correct format.\nRequestId:1</Message></Error>'
    const { registry } = playTurns('reg.example', [
      ...login,
      [get, 'Bearer t', { status: 307, headers: { location: 'https://store.example/b' } }],
      ['GET https://store.example/b', undefined, { status: 401, body: xml }],
    ])
    await expect(registry.repository('app').getBlob(blob.descriptor)).rejects.toMatchObject({
      message: expect.stringMatching(/correct format\. RequestId:1 \(401 InvalidAuthenticationInfo\)$/),
      hint: 'log in with: dray login reg.example',
    })
  })

  it('also: blobs are asked for as they are, with Accept-Encoding: identity, before and after it', async () => {
    await using store = await startFront((_, response) => response.end('twelve bytes'))
    await using front = await startFront((_, response) =>
      response.writeHead(307, { location: `${store.url}/b` }).end(),
    )
    await collect(await front.repository.getBlob(blob.descriptor), 100, 'blob')
    expect([...front.seen, ...store.seen].map(({ headers }) => headers['accept-encoding'])).toEqual([
      'identity',
      'identity',
    ])
  })
})
