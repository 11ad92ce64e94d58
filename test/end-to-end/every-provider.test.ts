import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { type Internet, startInternet } from '../support/internet.ts'
import { requirePeers } from '../support/peers.ts'
import type { Emulate, Emulation } from '../support/registries/emulation.ts'
import { emulations } from '../support/registries/emulations.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

describe.skipIf(!requirePeers('openssl'))('the built program at', patience, () => {
  for (const emulate of emulations) providerSuite(emulate)
})

/** The main verbs, as someone uses them with this provider. Each test makes the tags that it needs. */
function providerSuite(emulate: Emulate) {
  const name = emulate({ host: 'nowhere:0' } as EmbeddedRegistry).name

  describe(name, () => {
    let folder: TempDir
    let store: EmbeddedRegistry
    let internet: Internet
    let provider: Emulation
    let image: string
    let env: Record<string, string>

    beforeAll(async () => {
      folder = await makeTempDir()
      store = await startEmbeddedRegistry()
      provider = emulate(store)
      internet = await startInternet(provider.hosts)
      image = `${provider.registry}/${provider.repository}`
      await mkdir(join(folder.path, 'docker'))
      env = {
        ...provider.env,
        HTTPS_PROXY: internet.proxy,
        SSL_CERT_FILE: internet.caFile,
        DOCKER_CONFIG: join(folder.path, 'docker'),
        HOME: folder.path,
      }
      const { username, password } = provider.credential
      const auth = Buffer.from(`${username}:${password}`).toString('base64')
      const key = provider.registry === 'docker.io' ? 'https://index.docker.io/v1/' : provider.registry
      const config = JSON.stringify({ auths: { [key]: { auth } } })
      await writeFile(join(folder.path, 'docker', 'config.json'), config)
      await dray(['copy', hello, `${image}:first`], { env })
    })
    afterAll(async () => {
      await internet[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await folder.remove()
    })

    it('logs in with a right password, and not with a wrong one', async () => {
      const { username, password } = provider.credential
      const authfile = join(folder.path, 'auth.json')
      const args = [
        'login',
        provider.registry,
        '--username',
        username,
        '--password-stdin',
        '--authfile',
        authfile,
      ]
      await dray(args, { env, input: password })
      const said = await drayFails(4, args, { env, input: 'wrong-password' })
      expect(said).not.toContain('wrong-password')
    })

    it('copies an image in, and finds all of it there the second time', async () => {
      const args = ['copy', hello, `${image}:second`]
      expect(await drayJson(args, { env })).toMatchObject({ digest })
      expect(await drayJson(args, { env })).toMatchObject({ digest, bytes: 0 })
    })

    it('lists its tags, all pages', async () => {
      await dray(['tag', `${image}:first`, 'later'], { env })
      const { stdout } = await dray(['ls', image], { env })
      expect(stdout.split('\n')).toEqual(expect.arrayContaining(['first', 'later']))
    })

    it('shows it', async () => {
      expect(await drayJson(['inspect', `${image}:first`], { env })).toMatchObject({ digest })
      expect((await dray(['digest', `${image}:first`], { env })).stdout).toBe(`${digest}\n`)
    })

    it('copies it out, byte for byte', async () => {
      const layout = `oci:${join(folder.path, 'out')}:1.0`
      await dray(['copy', `${image}:first`, layout], { env })
      expect((await dray(['digest', layout], { env })).stdout).toBe(`${digest}\n`)
    })

    it('gives it another tag', async () => {
      await dray(['tag', `${image}:first`, 'another'], { env })
      expect((await dray(['digest', `${image}:another`], { env })).stdout).toBe(`${digest}\n`)
    })

    it('deletes one tag and leaves the others of the same image, or deletes nothing', async () => {
      await dray(['tag', `${image}:first`, 'doomed'], { env })
      if (provider.expects.deleteTag === 'yes') {
        await dray(['delete', `${image}:doomed`], { env })
        await drayFails(provider.expects.absentTag ?? 3, ['digest', `${image}:doomed`], { env })
      } else {
        expect(await drayFails(1, ['delete', `${image}:doomed`], { env })).toContain('first')
        expect((await dray(['digest', `${image}:doomed`], { env })).stdout).toBe(`${digest}\n`)
      }
      expect((await dray(['digest', `${image}:first`], { env })).stdout).toBe(`${digest}\n`)
    })

    it('lists its repositories, or says why it cannot', async () => {
      if (provider.expects.catalog === 'closed') {
        const result = await drayFails(4, ['catalog', provider.registry], { env })
        expect(result).toMatch(/\nhint: /)
      } else {
        const { stdout } = await dray(['catalog', provider.registry], { env })
        expect(stdout.split('\n')).toContain(provider.repository)
      }
    })

    it('deletes the image by its digest with all its tags, by force, or says what to do', async () => {
      const delendum = `${image}@${digest}`
      if (provider.expects.deleteImage === 'yes') {
        await dray(['delete', '--force', delendum], { env })
        await drayFails(provider.expects.absentTag ?? 3, ['digest', `${image}:first`], { env })
        await dray(['copy', hello, `${image}:first`], { env })
      } else {
        expect(await drayFails(1, ['delete', '--force', delendum], { env })).toMatch(/\nhint: /)
      }
    })
  })
}
