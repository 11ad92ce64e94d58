import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/send.ts'
import { tlsOptions } from '../../src/http/tls.ts'
import { makeSelfSigned, readKeyPair } from '../support/certificates.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const malformed = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

function newKey(type: 'pkcs8' | 'sec1' = 'pkcs8', passphrase?: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  return privateKey.export({ type, format: 'pem', ...encryption }).toString()
}

it('a certificate must be signed, unless told otherwise', async () => {
  expect(await tlsOptions({})).toMatchObject({ rejectUnauthorized: true })
  expect(await tlsOptions({ insecure: true })).toMatchObject({ rejectUnauthorized: false })
})

describe.skipIf(!requirePeers('openssl'))('a client certificate', () => {
  let own: { cert: string; key: string }
  const refusal = (settings: Partial<typeof own>) =>
    tlsOptions(settings).then(
      () => expect.fail('it was accepted'),
      (error: unknown) => error,
    )

  beforeAll(async () => {
    await using folder = await makeTempDir()
    own = await readKeyPair(await makeSelfSigned(folder.path, 'own'))
  })

  it('is taken with its key, and neither alone', async () => {
    expect(await tlsOptions(own)).toMatchObject({ rejectUnauthorized: true })
    for (const half of [{ cert: own.cert }, { key: own.key }]) {
      expect(await refusal(half)).toMatchObject({
        code: 'USAGE',
        message: 'a client certificate needs its key, and a key its certificate',
      })
    }
  })

  it('or key that is malformed is wrong usage, which no network mends', async () => {
    for (const half of [{ cert: malformed }, { key: malformed }]) {
      expect(await refusal({ ...own, ...half })).toMatchObject({
        name: 'DrayError',
        code: 'USAGE',
        message: expect.stringMatching(/^the client certificate and its key cannot be used: /),
        cause: expect.any(Error),
      })
    }
  })

  it('with the key of another one is told as such', async () => {
    expect(await refusal({ ...own, key: newKey() })).toMatchObject({
      code: 'USAGE',
      message: 'the key of the client certificate is that of another certificate',
    })
  })

  it.each(['pkcs8', 'sec1'] as const)('with an encrypted key (%s) comes with what to do', async type => {
    expect(await refusal({ ...own, key: newKey(type, 'secret') })).toMatchObject({
      code: 'USAGE',
      message: 'the key of the client certificate is encrypted',
      hint: expect.stringContaining('openssl pkey'),
    })
  })

  it('is looked at before anything is sent, and only where TLS is meant', async () => {
    const tls = { ...own, key: newKey() }
    const transport = createTransport({ tls })
    await using plain = await startLoopback((_, response) => response.end('hello'))
    await (await transport.send({ method: 'GET', url: new URL(plain.url) })).discard()
    let connections = 0
    const secure = createServer(() => {
      connections += 1
    }).listen(0, '127.0.0.1')
    await once(secure, 'listening')
    const url = new URL(`https://127.0.0.1:${(secure.address() as AddressInfo).port}/`)
    for (const isBulk of [false, true]) {
      await expect(transport.send({ method: 'GET', url, isBulk })).rejects.toMatchObject({ code: 'USAGE' })
    }
    const proxied = createTransport({ tls, proxy: { https: url.host } })
    await expect(
      proxied.send({ method: 'GET', url: new URL('https://registry.example/') }),
    ).rejects.toMatchObject({ code: 'USAGE' })
    expect(connections).toBe(0)
    await transport.close()
    await proxied.close()
    secure.close()
  })
})
