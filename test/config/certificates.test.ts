import { chmod, mkdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { findCertificates } from '../../src/config/certificates.ts'
import { makeSandbox } from './sandbox.ts'

const folders = [
  'home/.config/containers/certs.d',
  'home/.docker/certs.d',
  'etc/containers/certs.d',
  'etc/docker/certs.d',
]

describe('the certificates for a registry', () => {
  it('are those of the first folder that is there for it', async () => {
    await using sandbox = await makeSandbox()
    for (const folder of folders.toReversed()) {
      expect((await findCertificates('a.test:5000', sandbox.context))?.folder).not.toBe(
        sandbox.path(`${folder}/a.test:5000`),
      )
      await sandbox.write(`${folder}/a.test:5000/ca.crt`, '')
      await sandbox.write(`${folder}/a.test/other.crt`, '')
      expect(await findCertificates('a.test:5000', sandbox.context)).toEqual({
        folder: sandbox.path(`${folder}/a.test:5000`),
        caFiles: [sandbox.path(`${folder}/a.test:5000/ca.crt`)],
      })
    }
    expect(await findCertificates('b.test', sandbox.context)).toBeUndefined()
  })

  it('are CAs by .crt, and the first client certificate by .cert with its key', async () => {
    await using sandbox = await makeSandbox()
    const at = (name: string) => `etc/docker/certs.d/a.test/${name}`
    for (const name of ['b.crt', 'a.crt', 'z.cert', 'z.key', 'client.cert', 'client.key', 'README'])
      await sandbox.write(at(name), '')
    expect(await findCertificates('a.test', sandbox.context)).toEqual({
      folder: sandbox.path('etc/docker/certs.d/a.test'),
      caFiles: [sandbox.path(at('a.crt')), sandbox.path(at('b.crt'))],
      certFile: sandbox.path(at('client.cert')),
      keyFile: sandbox.path(at('client.key')),
    })
  })

  it.each([
    ['client.cert', 'client.key'],
    ['client.key', 'client.cert'],
  ])('are refused where %s stands without %s', async (there, missing) => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(`etc/docker/certs.d/a.test/${there}`, '')
    await expect(findCertificates('a.test', sandbox.context)).rejects.toMatchObject({
      code: 'USAGE',
      message: `${file} needs ${missing} beside it`,
    })
  })

  it('have no colon in the name of their folder on Windows, and lie in the user’s folders alone', async () => {
    await using sandbox = await makeSandbox()
    const context = { ...sandbox.context, platform: 'win32' } as const
    await sandbox.write('etc/docker/certs.d/a.test5000/ca.crt', '')
    expect(await findCertificates('a.test:5000', context)).toBeUndefined()
    await sandbox.write('home/.docker/certs.d/a.test5000/ca.crt', '')
    expect((await findCertificates('a.test:5000', context))?.caFiles).toHaveLength(1)
  })

  it.skipIf(process.getuid?.() === 0)(
    'are passed over in a folder that must not be looked into',
    async () => {
      await using sandbox = await makeSandbox()
      await mkdir(sandbox.path('etc/containers/certs.d'), { recursive: true })
      await chmod(sandbox.path('etc/containers'), 0)
      await sandbox.write('etc/docker/certs.d/a.test/ca.crt', '')
      const found = await findCertificates('a.test', sandbox.context)
      await chmod(sandbox.path('etc/containers'), 0o700)
      expect(found?.folder).toBe(sandbox.path('etc/docker/certs.d/a.test'))
    },
  )
})
