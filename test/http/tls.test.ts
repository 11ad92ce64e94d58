import { describe, expect, it } from 'vitest'
import { tlsOptions } from '../../src/http/tls.ts'

const malformed = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

describe('the settings of TLS', () => {
  it('ask for a certificate that is signed, unless told otherwise', async () => {
    expect(await tlsOptions({})).toMatchObject({ rejectUnauthorized: true })
    expect(await tlsOptions({ insecure: true })).toMatchObject({ rejectUnauthorized: false })
  })

  it.each([
    ['certificate', { cert: malformed }],
    ['key', { key: malformed }],
  ])('that hold a malformed %s are wrong usage, which no network mends', async (_, settings) => {
    await expect(tlsOptions(settings)).rejects.toMatchObject({
      name: 'DrayError',
      code: 'USAGE',
      message: expect.stringMatching(/^the certificate and key that were given cannot be used: /),
      cause: expect.any(Error),
    })
  })
})
